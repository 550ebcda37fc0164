"""What a plan is made from: the next hours in steps, with forecasts, prices, limits and what is billed already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from math import inf
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.grid_bounds import binding, bounds, narrowed
from optimizer.storage import Storage
from optimizer.windows import Charge, Windows
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
    charges: Sequence[Charge] = ()
    """What is paid by the kW."""
    held: Sequence[Sequence[HeldLimit]] = ()
    """By step, the limits that hold beside the site file's; empty where there are none at all."""
    curtails: bool = False
    """PV gives way where more would be fed in than may be."""
    free: Vector | float = 0.0
    """W of the PV in each step that nobody can limit."""
    inside: Vector | float = 0.0
    """W of the PV of hybrids in each step: it goes through the same inverters, and leaves so much less to discharge."""
    spread: Vector | float = 0.0
    """W: the root mean square error of `load - pv` in each step; 0 where they are known."""

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
    def windows(self) -> list[Windows]:
        """The billing windows of each charge."""
        return [Windows(charge, self.starts, self.zone) for charge in self.charges]

    @cached_property
    def _narrowed(self) -> list[Grid]:
        """The grid connection as it may be used in each step."""
        each = self.held or [()] * len(self.starts)
        net = self.load - self.pv
        return [narrowed(self.grid, bounds(self.grid, held), float(net[i])) for i, held in enumerate(each)]

    @cached_property
    def import_limit(self) -> Vector:
        """W that may be drawn in each step; by a contract no more than it says, if it is to be a limit."""
        connection = np.array([one.import_limit for one in self._narrowed])
        return np.asarray(np.minimum(connection, [power for power, _ in self._contracts]))

    @cached_property
    def _contracts(self) -> list[tuple[float, str]]:
        """By step, the least contract in W that is to be a limit, and whose."""
        least = [(inf, "")] * len(self.starts)
        for windows in self.windows:
            one = windows.charge.component
            if one.contract is not None and one.contract.limit:
                for step in np.flatnonzero(windows.of.any(axis=0)):
                    least[step] = min(least[step], (1000 * one.contract.power, one.name))
        return least

    def contract(self, step: int) -> str:
        """The demand whose contract is the import limit of a step; empty where another limit is."""
        power, name = self._contracts[step]
        return name if power <= self.import_limit[step] else ""

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
    def stored_value(self) -> float:
        """What a kWh left in the battery is worth: what it saves later, at the mean of the prices that bind.

        The wear is not taken off: later it will be used in hours dearer than the mean.
        """
        binding = np.where(self.load > self.pv, self.buy, self.sell)
        mean = float(np.average(binding, weights=self.hours))
        return max(0.0, mean * self.battery.efficiency)
