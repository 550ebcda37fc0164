"""Whose fault the demand charge is: each quarter of an hour bears what it has added to it. Pure.

The charge of a period is due for its highest window. It is booked where the peak rises: the sum of a period's quarters
is its bill, and most quarters bear nothing. What is billed whatever is drawn (a floor, a ratchet) is due in the first
quarter of a period, a contracted capacity by the time. What a window is, and which one counts, `optimizer.billing`
says, so the sum is what `optimizer.invoice` bills for the peaks of `site/billing`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from optimizer.billing import Quarter, Window, is_billed, overlap, windows
from optimizer.charge import Made, bills, due, highest, least
from optimizer.demand import charged, known_peak, later, period
from schemas.tariff import Demand

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Closing:
    """A billing window that a quarter bears, as a rule its last one, and the peak before it."""

    component: Demand
    stands: float
    """W that are billed in its period whatever is drawn."""
    before: float
    """W of peak that were made already."""
    rest: Window
    """What was seen of it beside the quarter."""
    seconds: float
    """That were seen of the quarter."""

    def at(self, drawn: float) -> float:
        """What is added to the bill when the quarter draws so many Wh, had all of it been seen."""
        mine = drawn * self.seconds / QUARTER.total_seconds()
        whole = Window(self.rest.start, self.rest.imported + mine, self.rest.seconds + self.seconds)
        mean = max(self.before, whole.mean)
        return due(self.component, mean, self.stands) - due(self.component, self.before, self.stands)


@dataclass(frozen=True)
class Share:
    """What one quarter adds to the bill."""

    base: float = 0.0
    """Due whatever is drawn."""
    closings: tuple[Closing, ...] = ()

    def at(self, drawn: float) -> float:
        """When it draws so many Wh, had all of it been seen."""
        return self.base + sum(one.at(drawn) for one in self.closings)


class Metered(NamedTuple):
    """What is billed by the kW, and how the import is read."""

    components: Sequence[Demand]
    poll: float
    """Seconds between two readings of the grid meter."""
    zone: ZoneInfo


Quarters = Mapping[datetime, Quarter]
"""What was seen, by the beginning of the quarter."""


def shares(metered: Metered, quarters: Quarters, bearers: Iterable[datetime], now: datetime) -> dict[datetime, Share]:
    """Of each of the bearers: the quarters that have a row in the ledger. All that are known in the spans of
    `quarters_of` must be given; a quarter that was seen and has no row lies in its windows all the same."""
    ordered = sorted(bearers)
    each = [_of_one(one, metered, quarters, ordered, now) for one in metered.components]
    return {
        at: Share(sum(one[at].base for one in each), tuple(closing for one in each for closing in one[at].closings))
        for at in ordered
    }


def _of_one(
    demand: Demand, metered: Metered, quarters: Quarters, ordered: Sequence[datetime], now: datetime
) -> dict[datetime, Share]:
    zone, found, made = metered.zone, dict[datetime, Share](), list[Made]()
    seen = _billed(demand, metered, quarters, now)
    starts = [one.start for one in seen]
    for begin, end in _periods(demand, zone, [*quarters, *ordered]):
        stands = least(demand, highest(demand, made, begin, zone), begin, zone)
        mine = seen[bisect_left(starts, begin) : bisect_left(starts, end)]
        rows = ordered[bisect_left(ordered, begin) : bisect_left(ordered, end)]
        closing = _borne(mine, rows, demand, zone)
        base, peak = due(demand, 0.0, stands), 0.0
        times = _times(rows, end - begin, zone, now) if demand.contract else [0.0] * len(rows)
        for at, time in zip(rows, times, strict=True):
            known = max(peak, known_peak(demand, at, zone) if bills(demand, begin, zone) else 0.0)
            base += due(demand, known, stands) - due(demand, peak, stands)
            base += demand.contract.price * demand.contract.power * time if demand.contract else 0.0
            peak, closings = known, list[Closing]()
            for one in closing.get(at, ()):
                closings.append(Closing(demand, stands, peak, *_parted(one, at, demand, quarters)))
                peak = max(peak, one.mean)
            found[at], base = Share(base, tuple(closings)), 0.0
        made += [Made(one.start, one.mean) for one in sorted(mine, key=lambda one: one.mean)[-1:]]
    return found


def _billed(demand: Demand, metered: Metered, quarters: Quarters, now: datetime) -> list[Window]:
    """The windows that are over and count, in order."""
    found, length = windows(quarters.values(), demand, metered.zone), timedelta(minutes=demand.minutes)
    over = [found[start] for start in sorted(found) if start + length <= now]
    return [one for one in over if is_billed(one, demand, metered.poll, metered.zone)]


def _periods(demand: Demand, zone: ZoneInfo, ats: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    if ats:
        at, last = min(ats), max(ats)
        while at <= last:
            yield (one := period(at, zone, charged(demand)))
            at = one[1]


def _borne(
    found: Iterable[Window], rows: Sequence[datetime], demand: Demand, zone: ZoneInfo
) -> dict[datetime, list[Window]]:
    """Windows by the quarter that bears them: the last with a row in them, or before; else the first of the period.
    What slides out of its month is of that month all the same."""
    each, last = dict[datetime, list[Window]](), timedelta(minutes=demand.minutes) - QUARTER
    for one in found if rows else ():
        end = min(one.start + last, period(one.start, zone)[1] - QUARTER) if overlap(demand) else one.start + last
        each.setdefault(rows[max(0, bisect_right(rows, end) - 1)], []).append(one)
    return each


def _parted(one: Window, at: datetime, demand: Demand, quarters: Quarters) -> tuple[Window, float]:
    """A window without one quarter, and the seconds that were seen of that."""
    inside = one.start <= at < one.start + timedelta(minutes=demand.minutes)
    if not inside or at not in quarters:
        return one, 0.0
    mine = quarters[at]
    return Window(one.start, one.imported - mine.imported, one.seconds - mine.seconds), mine.seconds


def _times(rows: Sequence[datetime], whole: timedelta, zone: ZoneInfo, now: datetime) -> Iterator[float]:
    """The part of a period that each row stands for: since the one before it in its month; the last one of a month that
    is over, up to its end."""
    paid = end = datetime.min.replace(tzinfo=zone)  # no month yet
    for at, following in pairwise((*rows, datetime.max.replace(tzinfo=zone))):
        if at >= end:
            paid, end = period(at, zone)
        until = end if following >= end <= now else at + QUARTER
        yield (until - paid) / whole
        paid = until


def quarters_of(at: datetime, components: Sequence[Demand], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The span whose quarters bear one another's charge: the periods a quarter lies in, and the months that a ratchet
    looks back at and ahead to; without a demand charge the quarter alone."""
    spans = [(at, at + QUARTER)]
    for one in components:
        begin, end = period(at, zone, charged(one))
        months = one.ratchet.months if one.ratchet else 0
        local = [edge.astimezone(zone) for edge in (begin, end)]
        spans.append((later(local[0], -months), later(local[1], months)) if months else (begin, end))
    return min(begin for begin, _ in spans), max(end for _, end in spans)
