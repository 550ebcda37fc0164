"""What a plan is made from: the next hours in steps, with forecasts, prices, limits and what is billed already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.demand import MONTHLY, Charged, period
from optimizer.grid_bounds import binding, bounds, narrowed
from optimizer.storage import Storage
from optimizer.tariff import window
from schemas.messages import Direction, HeldLimit
from schemas.site_parts import Grid

Vector = NDArray[np.float64]

QUARTER = timedelta(minutes=15)
SHORTEST = timedelta(seconds=1)
SOONEST = 10.0
"""How much more a limit weighs now than at the end of the plan."""


def step_starts(now: datetime, hours: float) -> list[datetime]:
    """Now, then every quarter hour; the first step is the rest of the current one, if any is left."""
    begun = datetime.fromtimestamp((now + SHORTEST).timestamp() // 900 * 900, UTC)
    starts = [begun + i * QUARTER for i in range(round(hours * 4))]
    return [max(begun, now.astimezone(UTC)), *starts[1:]]


@dataclass(frozen=True)
class Outlook:
    """Powers in W, prices per kWh, one entry a step."""

    starts: Sequence[datetime]
    load: Vector
    pv: Vector
    buy: Vector
    sell: Vector
    soc: float
    """% now."""
    battery: Storage
    grid: Grid
    """The site file's."""
    rated: float
    """W of all PCS."""
    zone: ZoneInfo
    currency: str = "EUR"
    demand: float = 0.0
    """Price per kW of the highest mean import of a period: due whole, however little of the period is left."""
    how: Charged = MONTHLY
    """The periods of the demand charge."""
    minutes: int = 15
    """Length of a billing window."""
    billed: float = 0.0
    """W, the peak of this period so far."""
    floor: float = 0.0
    """W of peak that each period is billed at least."""
    expected: float = 0.0
    """W of peak that a period will reach whatever is done: the plan keeps its energy for less, but none is spent."""
    imported: float = 0.0
    """Wh, in the billing window of the first step before it."""
    held: Sequence[Sequence[HeldLimit]] = ()
    """By step, the limits that hold beside the site file's; empty where there are none at all."""
    curtails: bool = False
    """PV gives way where more would be fed in than may be."""
    free: Vector | float = 0.0
    """W of the PV in each step that nobody can limit."""
    inside: Vector | float = 0.0
    """W of the PV of hybrids in each step: it goes through the same inverters, and leaves so much less to discharge."""

    @property
    def now(self) -> datetime:
        return self.starts[0]

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(self.starts[-1].timestamp() // 900 * 900 + 900, UTC)

    @cached_property
    def hours(self) -> Vector:
        """The length of each step."""
        edges = [*self.starts, self.end]
        return np.array([(b - a).total_seconds() / 3600 for a, b in pairwise(edges)])

    @cached_property
    def urgency(self) -> Vector:
        """How much what passes a limit weighs in each step, from 10 now to 1 at the end: where a battery cannot keep it
        for as long, it is kept now, for sure, and not in an hour that is only forecast."""
        return np.linspace(SOONEST, 1.0, len(self.starts))

    @cached_property
    def periods(self) -> list[int]:
        """The period of the demand charge each step lies in, counted from the present one."""
        firsts = [period(at, self.zone, self.how)[0] for at in self.starts]
        known = sorted(set(firsts))
        return [known.index(first) for first in firsts]

    @cached_property
    def _narrowed(self) -> list[Grid]:
        """The grid connection as it may be used in each step."""
        each = self.held or [()] * len(self.starts)
        net = self.load - self.pv
        return [narrowed(self.grid, bounds(self.grid, held), float(net[i])) for i, held in enumerate(each)]

    @cached_property
    def import_limit(self) -> Vector:
        """W that may be drawn in each step."""
        return np.array([one.import_limit for one in self._narrowed])

    @cached_property
    def export_limit(self) -> Vector:
        """W that may be fed in in each step."""
        return np.array([one.export_limit for one in self._narrowed])

    @cached_property
    def gives_way(self) -> NDArray[np.bool_]:
        """Steps in which what would be fed in beyond the limit is PV that is curtailed: it costs nothing and earns
        nothing, and no limit is broken."""
        return np.asarray(self.curtails & (self.free - self.load <= self.export_limit))

    @cached_property
    def surplus(self) -> Vector:
        """W of PV beyond the export limit while the battery rests."""
        return np.asarray(np.maximum(self.pv - self.load - self.export_limit, 0))

    def limiting(self, step: int, direction: Direction) -> HeldLimit | None:
        """The limit that holds in a step; None where that is the site file's own."""
        if not self.held:
            return None
        return binding(self.grid, self.held[step], direction, float(self.load[step] - self.pv[step]))

    @cached_property
    def due(self) -> Vector:
        """W of peak by period that are billed whatever the plan does."""
        peaks = np.full(self.periods[-1] + 1, self.floor)
        peaks[0] = max(self.billed, self.floor)
        return peaks

    def highest(self, grid: Vector) -> Vector:
        """The highest mean import in W of the windows of each period, for powers of the grid by step."""
        energy = np.bincount(self.windows, np.maximum(grid, 0) * self.hours)
        energy[0] += self.imported
        peaks = np.zeros(self.periods[-1] + 1)
        np.maximum.at(peaks, self.periods, energy[self.windows] * 60 / self.minutes)
        return peaks

    @cached_property
    def windows(self) -> list[int]:
        """The billing window of each step, counted from the present one."""
        begins = [window(at, self.zone, self.minutes)[0] for at in self.starts]
        known = sorted(set(begins))
        return [known.index(begin) for begin in begins]

    @cached_property
    def stored_value(self) -> float:
        """What a kWh left in the battery is worth: what it saves later, at the mean of the prices that bind.

        The wear is not taken off: later it will be used in hours dearer than the mean.
        """
        binding = np.where(self.load > self.pv, self.buy, self.sell)
        mean = float(np.average(binding, weights=self.hours))
        return max(0.0, mean * self.battery.efficiency)
