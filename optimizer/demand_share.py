"""Whose fault the demand charge is: each quarter of an hour bears what it has added to it. Pure.

The charge of a period is due for its highest window. It is booked where the peak rises: the sum of a period's quarters
is its bill, and most quarters bear nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.billing import COMPLETE
from optimizer.demand import charged, known_peak, period
from optimizer.tariff import window
from schemas.tariff import Demand

QUARTER = timedelta(minutes=15)


def due(demand: Demand, peak: float) -> float:
    """The charge of a period whose highest window had a mean of so many W."""
    return demand.price * max(peak / 1000, demand.floor)


@dataclass(frozen=True)
class Closing:
    """A billing window that ends with a quarter, and the peak before it."""

    component: Demand
    before: float
    """W of peak that were due already."""
    others: float
    """Wh that the other quarters of the window drew."""
    hours: float
    """Length of the window."""

    def at(self, imported: float) -> float:
        """What is added to the bill when the quarter draws so many Wh."""
        mean = (self.others + imported) / self.hours
        return due(self.component, max(self.before, mean)) - due(self.component, self.before)


@dataclass(frozen=True)
class Share:
    """What one quarter adds to the bill."""

    base: float = 0.0
    """Due whatever is drawn: the floor at the beginning of a period, or a peak its owner knows."""
    closings: tuple[Closing, ...] = ()

    def at(self, imported: float) -> float:
        """When it draws so many Wh."""
        return self.base + sum(one.at(imported) for one in self.closings)


Imports = Mapping[datetime, float | None]
"""Wh by the beginning of the quarter; None where it was not seen well enough for a peak."""


def shares(components: Sequence[Demand], imports: Imports, zone: ZoneInfo) -> dict[datetime, Share]:
    """Of each quarter, in order; all quarters of a period that are known must be given."""
    ordered = sorted(imports)
    each = [_of_one(one, ordered, imports, zone) for one in components]
    return {
        at: Share(sum(one[at].base for one in each), tuple(closing for one in each for closing in one[at].closings))
        for at in ordered
    }


def _of_one(demand: Demand, ordered: Sequence[datetime], imports: Imports, zone: ZoneInfo) -> dict[datetime, Share]:
    found, how = dict[datetime, Share](), charged(demand)
    whole = _windows(ordered, imports, zone, demand.minutes)
    hours, end, peak = demand.minutes / 60, None, 0.0
    for at in ordered:
        base = 0.0
        if end is None or at >= end:
            end, peak = period(at, zone, how)[1], 0.0
            base = due(demand, 0.0)
        known = max(peak, known_peak(demand, at, zone))
        base += due(demand, known) - due(demand, peak)
        peak = known
        closings = tuple[Closing, ...]()
        if at in whole:
            drawn, mine = whole[at], imports[at] or 0.0
            closings = (Closing(demand, peak, drawn - mine, hours),)
            peak = max(peak, drawn / hours)
        found[at] = Share(base, closings)
    return found


def _windows(ordered: Iterable[datetime], imports: Imports, zone: ZoneInfo, minutes: int) -> dict[datetime, float]:
    """Wh of the windows that were seen whole, by their last quarter."""
    parts = dict[datetime, list[datetime]]()
    for at in ordered:
        if imports[at] is not None:
            # all zones' offsets are whole quarters of an hour
            start = at if minutes == 15 else window(at, zone, minutes)[0]
            parts.setdefault(start, []).append(at)
    enough = COMPLETE * minutes / 15
    return {
        some[-1]: sum(imports[at] or 0.0 for at in some) * minutes / 15 / len(some)
        for some in parts.values()
        if len(some) >= enough
    }


def quarters_of(at: datetime, components: Sequence[Demand], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The span of the periods a quarter lies in, the longest of them; without a demand charge the quarter alone."""
    spans = [period(at, zone, charged(one)) for one in components] or [(at, at + QUARTER)]
    return min(begin for begin, _ in spans), max(end for _, end in spans)
