"""Whose fault the demand charge is: each quarter of an hour bears what it has added to it. Pure.

The charge of a period is due for its highest window. It is booked where the peak rises: the sum of a period's quarters
is its bill, and most quarters bear nothing. What is billed whatever is drawn (a floor, a ratchet) is due in the first
quarter of a period, a contracted capacity by the time. Which windows count, and what they drew, is as it is billed:
`optimizer.billing`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from optimizer.billing import Window, around, is_billed
from optimizer.charge import bills, due, least
from optimizer.demand import charged, known_peak, later, period
from schemas.tariff import Demand

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Closing:
    """A billing window that ends with a quarter, and the peak before it."""

    component: Demand
    stands: float
    """W that are billed in its period whatever is drawn."""
    before: float
    """W of peak that were made already."""
    others: float
    """Wh that the other quarters of the window drew while they were seen."""
    hours: float
    """Of the window that were seen."""
    part: float = 1.0
    """Of the quarter that was seen."""

    def at(self, imported: float) -> float:
        """What is added to the bill when the quarter draws so many Wh."""
        mean = max(self.before, (self.others + imported * self.part) / self.hours)
        return due(self.component, mean, self.stands) - due(self.component, self.before, self.stands)


@dataclass(frozen=True)
class Share:
    """What one quarter adds to the bill."""

    base: float = 0.0
    """Due whatever is drawn."""
    closings: tuple[Closing, ...] = ()

    def at(self, imported: float) -> float:
        """When it draws so many Wh."""
        return self.base + sum(one.at(imported) for one in self.closings)


Imports = Mapping[datetime, float | None]
"""Wh of a quarter as if all of it had been seen, by its beginning; None where nothing was."""


class Seen(NamedTuple):
    """Of the meter."""

    imports: Imports
    seconds: Mapping[datetime, float]
    """So many of a quarter are covered; all of one that is absent."""
    poll: float
    """Seconds between two readings."""

    def part(self, at: datetime) -> float:
        """Of a quarter, from 0 to 1."""
        return 0.0 if self.imports[at] is None else self.seconds.get(at, 900.0) / 900

    def drawn(self, at: datetime) -> float:
        """Wh while it was seen."""
        return (self.imports[at] or 0.0) * self.part(at)


def shares(
    components: Sequence[Demand],
    imports: Imports,
    zone: ZoneInfo,
    seconds: Mapping[datetime, float] | None = None,
    poll: float = 1.0,
) -> dict[datetime, Share]:
    """Of each quarter, in order; all quarters of `quarters_of` that are known must be given. `seconds`, `poll`: see
    `Seen`."""
    ordered, seen = sorted(imports), Seen(imports, seconds or {}, poll)
    each = [_of_one(one, ordered, seen, zone) for one in components]
    return {
        at: Share(sum(one[at].base for one in each), tuple(closing for one in each for closing in one[at].closings))
        for at in ordered
    }


def _of_one(demand: Demand, ordered: Sequence[datetime], seen: Seen, zone: ZoneInfo) -> dict[datetime, Share]:
    found, how, peaks = dict[datetime, Share](), charged(demand), dict[datetime, float]()
    for one in demand.known:  # of months before the first quarter: for a ratchet
        begin = period(datetime(one.on.year, one.on.month, one.on.day, 12, tzinfo=zone), zone, how)[0]
        peaks[begin] = max(peaks.get(begin, 0.0), 1000 * one.peak) if ordered and begin < ordered[0] else 0.0
    whole = _windows(ordered, seen, zone, demand)
    stands = peak = 0.0
    begin = end = datetime.min.replace(tzinfo=zone)  # no period yet
    for at in ordered:
        base = 0.0
        if at >= end:
            begin, end = period(at, zone, how)
            stands, peak = least(demand, peaks, begin, zone), 0.0
            base = due(demand, 0.0, stands)
        if demand.contract:
            base += demand.contract.price * demand.contract.power * (QUARTER / (end - begin))
        known = max(peak, known_peak(demand, at, zone) if bills(demand, begin, zone) else 0.0)
        base += due(demand, known, stands) - due(demand, peak, stands)
        peak = known
        closings = list[Closing]()
        for made in whole.get(at, ()):
            if made.start >= begin:  # one that slides over the end of a period is of none
                others, hours = made.imported - seen.drawn(at), made.seconds / 3600
                closings.append(Closing(demand, stands, peak, others, hours, seen.part(at)))
                peak = max(peak, made.mean)
        peaks[begin] = peak
        found[at] = Share(base, tuple(closings))
    return found


def _windows(ordered: Iterable[datetime], seen: Seen, zone: ZoneInfo, demand: Demand) -> dict[datetime, list[Window]]:
    """The windows that are billed, by their last quarter, the first of them first."""
    found, last = dict[datetime, Window](), dict[datetime, datetime]()
    for at in ordered:
        if seen.imports[at] is None:
            continue
        for start in around(at, demand, zone):
            one = found.get(start, Window(start, 0.0, 0.0))
            found[start] = Window(start, one.imported + seen.drawn(at), one.seconds + 900 * seen.part(at))
            last[start] = at
    closing = dict[datetime, list[Window]]()
    for start in sorted(found):
        if is_billed(found[start], demand, seen.poll, zone):
            closing.setdefault(last[start], []).append(found[start])
    return closing


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
