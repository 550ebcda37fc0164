"""What a commissioning knows of the site while it steers one battery, and why that must rest."""

import time
from dataclasses import dataclass, field

from bridges.control.interlock_rules import rules_for
from bridges.control.interlocks import Judgement, Memory, judge
from bridges.control.limits import Limit, clamp
from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.grid_signals import holds, word
from joulebus.commission.cells import Cells
from joulebus.commission.readings import Readings
from optimizer.grid_bounds import bounds, in_words, narrowed
from schemas.messages import HeldLimit, Value
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.units import utc_now

NEAR = 0.02
"""Of the rated power: so much the limits may move without ending a trial."""


@dataclass
class Lookout:
    """One PCS with its cells. The other batteries rest meanwhile; what they give all the same, the meter shows."""

    site: Site
    unit: Unit
    readings: Readings
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.cells = Cells.of(self.site, self.unit, self.readings)
        self.locks = rules_for(self.site, self.unit)
        needed = [self.unit.pcs, *self.unit.racks, self.site.grid.meter, *(lock.device for lock in self.locks)]
        self.needed = list(dict.fromkeys(needed))
        """The devices without which no power flows."""

    async def look(self, *, but: str = "") -> None:
        """Read what steering the battery needs, `but` one device. Raises Unreachable or Declined."""
        boxes = [one.device for one in self.site.grid.signal if self.readings.seen(one.device)]
        for name in dict.fromkeys((*self.needed, *boxes)):
            if name != but:
                await self.readings.read(name)

    async def glance(self, name: str, *points: str) -> dict[str, Value]:
        """Some points of one device, now. Raises Unreachable or Declined."""
        return await self.readings.glance(name, *points)

    def number(self, device: str, point: str) -> float | None:
        """What is known of a point, where it is a number."""
        return self.readings.number(device, point)

    # what it allows ----------------------------------------------------------------------------

    def judge(self) -> Judgement:
        """The interlocks by what was read last."""
        says = judge(self.locks, self.memory, self.readings.said, time.monotonic())
        self.memory = says.memory
        return says

    def limits(self) -> list[Limit]:
        """What leaves how much of the power now, strongest first. Missing is 0, as in the bridge."""
        return [*self.judge().limits, self._rating(), *self._cells(), *self._site()]

    def forbids(self, power: float) -> str:
        """Why a power may not be steered to now, or not any more; empty when it may."""
        says = self.judge()
        if not says.start or says.stop:
            return "; ".join(f"interlock {one.name}: {one.reason}" for one in says.acting)
        allowed, steps = clamp(power, self.limits())
        if abs(allowed - power) <= NEAR * self._rated:
            return ""
        source = steps[-1][0]
        reason = next((one.reason for one in says.acting if one.limit.source == source), "")
        return f"{source} leaves {allowed / 1000:+.1f} kW" + (f": {reason}" if reason else "")

    def forbidden_by_cells(self, power: float) -> str:
        """The same by the cells alone, where the PCS is not spoken to."""
        allowed, steps = clamp(power, self._cells())
        return f"{steps[-1][0]} leaves {allowed / 1000:+.1f} kW" if steps else ""

    @property
    def _rated(self) -> float:
        return self.readings.devices[self.unit.pcs].rated_power

    def _rating(self) -> Limit:
        return Limit("pcs:rated_power", -self._rated, self._rated)

    def _cells(self) -> list[Limit]:
        """Of all racks that are connected."""
        cells = self.cells.allowed()
        if cells.charge is None or cells.discharge is None:
            return [Limit("bms:missing", 0.0, 0.0)]
        if cells.soc is None:
            return [Limit("bms:soc_missing", 0.0, 0.0)]
        low = 0.0 if cells.soc >= self.unit.soc_max else float("-inf")
        soc = Limit("battery:soc", low, 0.0 if cells.soc <= self.unit.soc_min else float("inf"))
        return [Limit("bms:current", -cells.charge, cells.discharge), soc]

    def _site(self) -> list[Limit]:
        grid, meter = self.site.grid, self.number(self.site.grid.meter, "p")
        power = self.number(self.unit.pcs, "p")
        if meter is None or power is None:
            return [Limit("meter:missing", 0.0, 0.0)]
        net = meter + power
        sent = [(in_words(one), narrowed(grid, bounds(grid, [one]), net)) for one in self._sent()]
        each = [("site:grid", grid), *sent]
        return [Limit(source, net - one.import_limit, net + one.export_limit) for source, one in each]

    def _sent(self) -> list[HeldLimit]:
        """What the contacts say now. Nobody hears other words meanwhile: then what is declared safe holds."""
        now, limits = utc_now(), GridLimits(self.site)
        said = [(one, self.readings.said(one.device, one.point)) for one in self.site.grid.signal]
        limits.signal(word(one, value, now) for one, value in said if value is not None and holds(one, value))
        return limits.held(now)
