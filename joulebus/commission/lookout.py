"""What a commissioning knows of the site while it steers the battery, and why the battery must rest."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.control.interlock_rules import rules_for
from bridges.control.interlocks import Judgement, Memory, judge
from bridges.control.limits import Limit, clamp
from bridges.fieldbus.contract import FieldDevice
from schemas.messages import Value
from schemas.site import Site

TURNS = 8
"""Readings that bring nothing new before a point counts as one the device does not have."""
SLOWLY = 60.0
"""Seconds a value counts as known here: slow points are read in turns."""
NEAR = 0.02
"""Of the rated power: so much the limits may move without ending a trial."""


@dataclass
class Lookout:
    """The newest values of every device."""

    site: Site
    devices: Mapping[str, FieldDevice]
    values: dict[str, dict[str, tuple[float, Value]]] = field(default_factory=dict)
    """When a point was read (monotonic), and what it was."""
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        battery = self.site.units[0]
        self.locks = rules_for(self.site, battery)
        needed = [battery.pcs, battery.racks[0], self.site.grid.meter, *(lock.device for lock in self.locks)]
        self.needed = list(dict.fromkeys(needed))
        """The devices without which no power flows."""

    async def read_all(self, name: str) -> dict[str, Value]:
        """Every point a device has. Raises Unreachable or Declined."""
        device, found, idle = self.devices[name], dict[str, Value](), 0
        while idle < TURNS and len(found) < len(device.points):
            values = await self._read(name)
            idle = 0 if values.keys() - found.keys() else idle + 1
            found |= values
        return found

    async def look(self, *, but: str = "") -> None:
        """Read what steering the battery needs, `but` one device. Raises Unreachable or Declined."""
        for name in self.needed:
            if name != but:
                await self._read(name)

    async def glance(self, name: str, *points: str) -> dict[str, Value]:
        """Some points of one device, now. Raises Unreachable or Declined."""
        return self._note(name, (await self.devices[name].look(*points)).values)

    async def _read(self, name: str) -> dict[str, Value]:
        return self._note(name, (await self.devices[name].read()).values)

    def _note(self, name: str, values: dict[str, Value]) -> dict[str, Value]:
        now = time.monotonic()
        self.values.setdefault(name, {}).update({point: (now, value) for point, value in values.items()})
        return values

    def said(self, device: str, point: str) -> Value | None:
        """What is known of a point."""
        at, value = self.values.get(device, {}).get(point, (float("-inf"), None))
        return value if time.monotonic() - at <= SLOWLY else None

    def number(self, device: str, point: str) -> float | None:
        said = self.said(device, point)
        return said if isinstance(said, float) else None

    # what it allows ----------------------------------------------------------------------------

    def judge(self) -> Judgement:
        """The interlocks by what was read last."""
        says = judge(self.locks, self.memory, self.said, time.monotonic())
        self.memory = says.memory
        return says

    def limits(self) -> list[Limit]:
        """What leaves how much of the power now, strongest first. Missing is 0, as in the bridge."""
        return [*self.judge().limits, self._rating(), self._current(), self._soc(), self._site()]

    def forbids(self, power: float) -> str:
        """Why a power may not be steered to now, or not any more; empty when it may."""
        says = self.judge()
        if not says.start or says.stop:
            return "; ".join(f"interlock {one.name}: {one.reason}" for one in says.acting)
        allowed, steps = clamp(power, self.limits())
        if abs(allowed - power) <= NEAR * self.devices[self.site.units[0].pcs].rated_power:
            return ""
        source = steps[-1][0]
        reason = next((one.reason for one in says.acting if one.limit.source == source), "")
        return f"{source} leaves {allowed / 1000:+.1f} kW" + (f": {reason}" if reason else "")

    def _rating(self) -> Limit:
        rated = self.devices[self.site.units[0].pcs].rated_power
        return Limit("pcs:rated_power", -rated, rated)

    def _current(self) -> Limit:
        bms = self.site.units[0].racks[0]
        u, ccl, dcl = (self.number(bms, point) for point in ("u", "ccl", "dcl"))
        if u is None or ccl is None or dcl is None:
            return Limit("bms:missing", 0.0, 0.0)
        return Limit("bms:current", -max(0.0, ccl) * u, max(0.0, dcl) * u)

    def _soc(self) -> Limit:
        battery, soc = self.site.units[0], self.number(self.site.units[0].racks[0], "soc")
        if soc is None:
            return Limit("bms:soc_missing", 0.0, 0.0)
        low = 0.0 if soc >= battery.soc_max else float("-inf")
        return Limit("battery:soc", low, 0.0 if soc <= battery.soc_min else float("inf"))

    def _site(self) -> Limit:
        grid, meter = self.site.grid, self.number(self.site.grid.meter, "p")
        power = self.number(self.site.units[0].pcs, "p")
        if meter is None or power is None:
            return Limit("meter:missing", 0.0, 0.0)
        return Limit("site:grid", meter + power - grid.import_limit, meter + power + grid.export_limit)
