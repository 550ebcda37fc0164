"""A walk through a year of a time-of-use tariff: hours without a price, periods that overlap or never hold. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise

from optimizer.tariff import MIDNIGHT, holds
from schemas.tariff import WEEK, Priced

YEAR = 366
"""Days: every weekday in every month, and every holiday."""
DAY = 86_400

Span = tuple[int, int]
"""Begin and end in seconds of a local day."""


@dataclass
class Walk:
    """What was found in a year; periods by their number in the file, from 0."""

    holes: dict[Span, list[date]] = field(default_factory=dict)
    """Without a price, on these days."""
    overlaps: dict[tuple[int, int], tuple[date, Span]] = field(default_factory=dict)
    """Of two periods of the same days that each hold alone, too: one of the days on which both claim some hours."""
    unused: list[int] = field(default_factory=list)
    """Periods that never hold, because others before them do."""

    @property
    def minutes(self) -> int:
        """Without a price, in the year."""
        return sum((end - begin) * len(days) for (begin, end), days in self.holes.items()) // 60


def walk(side: Priced, first: date) -> Walk:
    """Through the year that begins on a day."""
    found = Walk()
    edges = sorted({0, DAY, *(_seconds(clock) for one in side.period for clock in (one.start, one.end))})
    seen: dict[object, list[tuple[Span, list[int]]]] = {}
    used: set[int] = set()
    for day in (first + timedelta(days=number) for number in range(YEAR)):
        before = day - timedelta(days=1)
        alike = (day.month, side.days_of(day), before.month, side.days_of(before))
        if alike not in seen:
            parts = seen[alike] = [*_parts(side, day, edges)]
            used |= {claims[0] for _, claims in parts if claims}
            for pair, span in _overlaps(side, parts):
                found.overlaps.setdefault(pair, (day, span))
        for span in _merged([span for span, claims in seen[alike] if not claims]):
            found.holes.setdefault(span, []).append(day)
    found.unused = [number for number in range(len(side.period)) if number not in used]
    return found


def _parts(side: Priced, day: date, edges: Sequence[int]) -> Iterator[tuple[Span, list[int]]]:
    """The day between the edges of all periods, with the periods that claim each part."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)  # as a local clock: no zone takes part
    for begin, end in pairwise(edges):
        local = midnight + timedelta(seconds=begin)
        yield (begin, end), [number for number, one in enumerate(side.period) if holds(side, one, local)]


def _overlaps(side: Priced, parts: list[tuple[Span, list[int]]]) -> Iterator[tuple[tuple[int, int], Span]]:
    for (one, a), (two, b) in combinations(enumerate(side.period), 2):
        if a.price == b.price or set(a.days or WEEK) != set(b.days or WEEK):
            continue  # no harm, or a rule for some days before one for all
        both = [span for span, claims in parts if {one, two} <= {*claims}]
        alone = [{one, two} & {*claims} for _, claims in parts]
        if both and {one} in alone and {two} in alone:
            yield (one, two), _merged(both)[0]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in spans:
        if merged and merged[-1][1] == begin:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return merged


def _seconds(clock: time | None) -> int:
    clock = clock or MIDNIGHT
    return clock.hour * 3600 + clock.minute * 60 + clock.second
