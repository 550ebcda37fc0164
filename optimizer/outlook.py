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
from schemas.site_grid import Grid

Vector = NDArray[np.float64]

QUARTER = timedelta(minutes=15)
SHORTEST = timedelta(seconds=1)
SOONEST = 10.0
"""How much more a limit weighs now than at the end of the plan."""

ENDLESS = ("allowed_charge", "allowed_discharge", "ceiling", "ramp")
"""What may be endless."""
NUMBERS = (
    "load", "pv", "buy", "sell", "soc", "rated", "free", "inside", "spread", "up", "down", "floor", "carbon", *ENDLESS
)  # fmt: skip


def step_starts(now: datetime, hours: float, minutes: int = 15) -> list[datetime]:
    """Now, then every quarter hour, or as many `minutes` as divide one; the first step is the rest of the current one,
    if any is left."""
    step = timedelta(minutes=minutes)
    begun = datetime.fromtimestamp((now + SHORTEST).timestamp() // (60 * minutes) * 60 * minutes, UTC)
    starts = [begun + i * step for i in range(round(hours * 60 / minutes))]
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
    minutes: int = 15
    """The length of a step, but for the first, which is the rest of one."""
    allowed_charge: Vector | float = inf
    """W at the meter that the cells take in each step, whatever the rating: what the BMS allows now, as long as that is
    taken to last. How it falls with the SoC is `battery.taper`."""
    allowed_discharge: Vector | float = inf
    """The same of discharging."""
    up: Vector | float = 0.0
    """W by which the battery must be able to give more than planned in each step: promised to somebody."""
    down: Vector | float = 0.0
    """W by which it must be able to give less, or take more."""
    floor: Vector | float = 0.0
    """Wh that are to be in the battery at the end of each step for reserves, what lies below `soc_min` included. Soft:
    below it only as far as a resting battery would be, or as the limits of the grid connection take."""
    ceiling: Vector | float = inf
    """Wh above which it is not to be at the end of each step, for the room that reserves need. Soft in the same way."""
    carbon: Vector | float = 0.0
    """What the CO2 of a drawn kWh costs in each step, in the plan's currency: weighed as money, and not on the bill."""
    prices_until: datetime | None = None
    """From this step on prices are forecast; None where all are known."""
    ramp: float = inf
    """W/s by which the power may change from one step to the next."""

    def __post_init__(self) -> None:
        """Raises ValueError where something is no number: a program would make any plan of it, or end the process."""
        for name in NUMBERS:
            given = np.atleast_1d(np.asarray(getattr(self, name), dtype=float))
            bad = np.isnan(given) if name in ENDLESS else ~np.isfinite(given)
            if bad.any():
                first = int(np.argmax(bad))
                when = f" at {self.starts[first]:%d %b %H:%M}Z" if len(given) > 1 else ""
                raise ValueError(f"`{name}`{when} is {given[first]:g}, and should be a number: no plan is made of it")

    @property
    def now(self) -> datetime:
        return self.starts[0]

    @property
    def end(self) -> datetime:
        step = 60 * self.minutes
        return datetime.fromtimestamp(self.starts[-1].timestamp() // step * step + step, UTC)

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
        return [Windows(charge, self.starts, self.zone, self.minutes) for charge in self.charges]

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
    def weighed(self) -> Vector:
        """What a drawn kWh counts in each step: its price, and its CO2 where that has one."""
        return np.asarray(self.buy + self.carbon)

    @cached_property
    def most_charge(self) -> Vector:
        """W that the plan may charge in each step: within the rating, what the cells allow and what is kept free for
        `down`. That gives way where more PV would be fed in than may be."""
        can = np.minimum(self.rated, self._by_step(self.allowed_charge))
        return np.asarray(
            np.clip(
                np.maximum(can - self.down, np.minimum(can, np.where(self.gives_way, 0.0, self.surplus))), 0.0, None
            )
        )

    @cached_property
    def most_discharge(self) -> Vector:
        """W that the plan may discharge in each step: within what the rating leaves beside the PV of hybrids, what the
        cells allow and what is kept free for `up`. That gives way where more would be drawn than may be."""
        can = np.minimum(self.rated - self.inside, self._by_step(self.allowed_discharge))
        return np.asarray(np.clip(np.maximum(can - self.up, np.minimum(can, self.overdraw)), 0.0, None))

    @cached_property
    def overdraw(self) -> Vector:
        """W drawn beyond the import limit while the battery rests."""
        return np.asarray(np.maximum(self.load - self.pv - self.import_limit, 0))

    def _by_step(self, given: Vector | float) -> Vector:
        return np.broadcast_to(np.asarray(given, dtype=float), (len(self.starts),))

    @cached_property
    def stored_value(self) -> float:
        """What a kWh left in the battery is worth: what it saves later, at the mean of the prices that bind.

        The wear is not taken off: later it will be used in hours dearer than the mean.
        """
        binding = np.where(self.load > self.pv, self.buy, self.sell)
        mean = float(np.average(binding, weights=self.hours))
        return max(0.0, mean * self.battery.efficiency)

    @cached_property
    def stored_carbon(self) -> float:
        """The same of the CO2 it saves later."""
        mean = float(np.average(np.where(self.load > self.pv, self._by_step(self.carbon), 0.0), weights=self.hours))
        return mean * self.battery.efficiency

    @property
    def begin(self) -> float:
        """Wh in the battery now."""
        return self.battery.energy * self.soc / 100

    @cached_property
    def floors(self) -> Vector:
        """`floor` by step, as far as the owner lets it be filled."""
        return np.minimum(self._by_step(self.floor), self.battery.energy * self.battery.soc_max / 100)

    @cached_property
    def ceilings(self) -> Vector:
        """`ceiling` by step, as far as the owner lets it be emptied."""
        return np.maximum(self._by_step(self.ceiling), self.battery.energy * self.battery.soc_min / 100)

    @cached_property
    def short_at_most(self) -> Vector:
        """Wh that may be missing to the floor at the end of each step: what a resting battery has not, and what the
        import limit has taken."""
        taken = np.cumsum(self.overdraw * self.hours) / self.battery.efficiency
        return np.asarray(np.maximum(self.floors - self.begin, 0.0) + taken)

    @cached_property
    def over_at_most(self) -> Vector:
        """Wh that may be beyond the ceiling at the end of each step: the same, with what the export limit gives."""
        given = np.where(self.gives_way, 0.0, self.surplus) * self.hours
        return np.asarray(np.maximum(self.begin - self.ceilings, 0.0) + np.cumsum(given) * self.battery.efficiency)
