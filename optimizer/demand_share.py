"""Whose fault the demand charge is: each quarter of an hour bears what it has added to it. Pure.

The charge of a period is due for its highest window. It is booked where the peak rises: the sum of a period's quarters
is its bill, and most quarters bear nothing. What is billed whatever is drawn (a floor, a ratchet) is due in the first
quarter of a period, a contracted capacity by the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.billing import COMPLETE
from optimizer.charge import bills, due, least
from optimizer.demand import charged, counts, known_peak, later, period
from optimizer.tariff import window
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
    """Wh that the other quarters of the window drew."""
    hours: float
    """Length of the window."""

    def at(self, imported: float) -> float:
        """What is added to the bill when the quarter draws so many Wh."""
        mean = max(self.before, (self.others + imported) / self.hours)
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
"""Wh by the beginning of the quarter; None where it was not seen well enough for a peak."""


def shares(components: Sequence[Demand], imports: Imports, zone: ZoneInfo) -> dict[datetime, Share]:
    """Of each quarter, in order; all quarters of `quarters_of` that are known must be given."""
    ordered = sorted(imports)
    each = [_of_one(one, ordered, imports, zone) for one in components]
    return {
        at: Share(sum(one[at].base for one in each), tuple(closing for one in each for closing in one[at].closings))
        for at in ordered
    }


def _of_one(demand: Demand, ordered: Sequence[datetime], imports: Imports, zone: ZoneInfo) -> dict[datetime, Share]:
    found, how, peaks = dict[datetime, Share](), charged(demand), dict[datetime, float]()
    for one in demand.known:  # of months before the first quarter: for a ratchet
        begin = period(datetime(one.on.year, one.on.month, one.on.day, 12, tzinfo=zone), zone, how)[0]
        peaks[begin] = max(peaks.get(begin, 0.0), 1000 * one.peak) if ordered and begin < ordered[0] else 0.0
    whole, hours = _windows(ordered, imports, zone, demand), demand.minutes / 60
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
        closings = tuple[Closing, ...]()
        if at in whole:
            drawn, mine = whole[at], imports[at] or 0.0
            closings = (Closing(demand, stands, peak, drawn - mine, hours),)
            peak = max(peak, drawn / hours)
        peaks[begin] = peak
        found[at] = Share(base, closings)
    return found


def _windows(ordered: Iterable[datetime], imports: Imports, zone: ZoneInfo, demand: Demand) -> dict[datetime, float]:
    """Wh of the windows that count and were seen whole, by their last quarter."""
    parts = dict[datetime, list[datetime]]()
    for at in ordered:
        # all zones' offsets are whole quarters of an hour
        start = at if demand.minutes == 15 else window(at, zone, demand.minutes)[0]
        if imports[at] is not None and (start in parts or counts(demand, start, zone)):
            parts.setdefault(start, []).append(at)
    enough = COMPLETE * demand.minutes / 15
    return {
        some[-1]: sum(imports[at] or 0.0 for at in some) * demand.minutes / 15 / len(some)
        for some in parts.values()
        if len(some) >= enough
    }


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
