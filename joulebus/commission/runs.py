"""The two trials in which more flows, or nobody speaks: they watch everything all the time and end with 0 W."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridges.fieldbus.contract import Watchdog
from joulebus.commission.lookout import Lookout
from joulebus.commission.steering import ForeignHand, Steering
from joulebus.commission.trace import ARRIVED, reached, rise
from joulebus.commission.trials import CLASS, Full, Hold, Silence
from schemas.site import Site

TICK = 0.25
"""Seconds between two writes of a ramp, and between two looks, at least."""
HOLD = 20.0
"""Seconds at full power."""
STILL = 5.0
"""Seconds without a move after which a power goes no further."""
SLOWEST = 60.0
"""Seconds a PCS may take to full power beyond the ramp it is told."""
FOLLOWED = 10.0
"""Seconds it may take to the small power of the watchdog's trial."""
GONE = 0.2
"""Of that power: less is none, for a PCS at rest draws its own consumption."""
LONGEST_WATCHDOG = 120.0
"""Seconds that a person may be asked to wait."""
COUNTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ac": (("e_inj_total", "e_abs_total"),),
    "dc": (("e_discharge_total", "e_charge_total"), ("e_dc_discharge", "e_dc_charge")),
}
"""Points that count energy out of and into the battery."""


@dataclass
class FullRun:
    """To the rated power in one direction and back, at the ramp of the site file."""

    site: Site
    lookout: Lookout
    hand: Steering
    power: float
    ac: list[tuple[float, float]] = field(default_factory=list)
    dc: list[tuple[float, float]] = field(default_factory=list)
    told: list[tuple[float, float]] = field(default_factory=list)
    """What flows at the PCS and at the battery's terminals, and what the setpoint was at the same readings."""

    def not_tried(self, why: str) -> Full:
        return Full(self.power, ended=why)

    async def make(self) -> Full:
        """Raises Unreachable, Declined or ForeignHand; whatever happens it ends with 0 W."""
        self.hand.pcs.writable = True
        try:
            await self.hand.begin()
            await self.lookout.look()
            before = self.lookout.number(self.site.units[0].pcs, "p") or 0.0
            ended = await self._climb()
            climbed = self._climbed(before, ended)
            hold = climbed if ended else await self._hold()
            if not isinstance(hold, Hold):
                return climbed if ended else replace(climbed, ended=str(hold))
            await self._descend()
            return replace(climbed, hold=hold)
        finally:
            await self.hand.rest()

    def _climbed(self, before: float, ended: str) -> Full:
        """What the way up has shown."""
        tick = self.ac[-1][0] / len(self.ac) if self.ac else 0.0
        told, rose = rise(self.told, 0.0, self.power), rise(self.ac, before, self.power)
        return Full(self.power, ended=ended, told=told, rise=None if ended else rose, tick=tick)

    async def _climb(self) -> str:
        """Gives why it was ended, or nothing."""
        began, level = time.monotonic(), 0.0
        moved = began - TICK
        patience = abs(self.power) / self.site.battery[0].ramp + SLOWEST
        while True:
            now = time.monotonic()
            level, moved = self._next(level, self.power, now - moved), now
            await self.hand.tell(level)
            if why := await self._look(began):
                return why
            if level == self.power and self._there():
                return ""
            if time.monotonic() - began > patience:
                return (
                    f"it gave {self.ac[-1][1] / 1000:.1f} kW after {patience:.0f} s" if self.ac else "it gave nothing"
                )
            await asyncio.sleep(TICK)

    def _there(self) -> bool:
        """It gives what it was told, or moves no more."""
        if not self.ac:
            return False
        at, given = self.ac[-1]
        if abs(given - self.power) <= CLASS * abs(self.power):
            return True
        lately = [power for moment, power in self.ac if at - moment <= STILL]
        return self.ac[0][0] < at - STILL and max(lately) - min(lately) <= CLASS / 4 * abs(self.power)

    def _next(self, level: float, goal: float, seconds: float) -> float:
        """Further by the ramp of the site file. A register that wears out is written once."""
        if self.hand.pcs.commands["p_set"].wears:
            return goal
        step = self.site.battery[0].ramp * seconds
        return level + max(-step, min(step, goal - level))

    async def _hold(self) -> Hold | str:
        """Some seconds at full power, or why it was ended."""
        self.ac, self.dc = [], []
        counted = await self._counters()
        began = time.monotonic()
        while time.monotonic() - began < HOLD:
            if why := await self._look(began):
                return why
            await asyncio.sleep(TICK)
        await self.hand.check()
        went = {side: abs(value - counted[side]) for side, value in (await self._counters()).items() if side in counted}
        steps = {side: self._step(*self._counter(side)) for side in went}
        return Hold(
            self.power,
            self.ac,
            self.dc,
            self._step(self.site.units[0].pcs, "p"),
            self._dc_step(),
            {side: (went[side], steps[side]) for side in went},
        )

    async def _descend(self) -> None:
        level = self.power
        while level:
            level = self._next(level, 0.0, TICK)
            await self.hand.tell(level)
            await asyncio.sleep(TICK)

    async def _look(self, began: float) -> str:
        """Everything is read; gives why it may not go on."""
        await self.lookout.look()
        await self.hand.keep()
        power, dc = self.lookout.number(self.site.units[0].pcs, "p"), self.lookout.cells.last_power()
        now = time.monotonic() - began
        self.told.append((now, self.hand.told))
        if power is not None:
            self.ac.append((now, power))
        if dc is not None:
            self.dc.append((now, dc))
        return self.lookout.forbids(self.power)

    def _counter(self, side: str) -> tuple[str, str]:
        """The device and the point that count this direction."""
        battery = self.site.units[0]
        for pair in COUNTERS[side]:
            point = pair[0 if self.power > 0 else 1]
            for name in (battery.pcs, *battery.racks[: len(battery.racks) == 1]):  # of several each counts its part
                if point in self.site.profiles[name].points:
                    return name, point
        return battery.pcs, ""

    async def _counters(self) -> dict[str, float]:
        found = {}
        for side in COUNTERS:
            name, point = self._counter(side)
            value = (await self.lookout.glance(name, point)).get(point) if point else None
            if isinstance(value, float):
                found[side] = value
        return found

    def _dc_step(self) -> float:
        """W in which the power at the terminals is read."""
        return sum(
            self._step(name, points.current) * (self.lookout.number(name, points.voltage) or 0.0)
            for name, points in self.lookout.cells.maps.items()
        )

    def _step(self, device: str, point: str) -> float:
        """The step in which a point is read; 0 where the device scales it by itself."""
        register = self.site.profiles[device].points.get(point)
        if register is None or register.scale_register is not None or register.type.startswith("f"):
            return 0.0
        return abs(register.scale)


@dataclass
class SilentRun:
    """A small power, and then no word to the PCS until its watchdog has taken it away."""

    site: Site
    lookout: Lookout
    hand: Steering
    power: float
    dog: Watchdog

    def too_long(self) -> str:
        """Why nobody waits for it."""
        if self.dog.fed_by == "any" and not self.lookout.cells.apart:
            return "each reading feeds its watchdog, and no other device sees its power"
        if self.dog.seconds <= LONGEST_WATCHDOG:
            return ""
        return f"its watchdog waits for {self.dog.seconds:.0f} s: too long to be seen here"

    def words(self) -> str:
        """What the person is asked."""
        return (
            f"Let {self.hand.pcs.name} run at {self.power / 1000:+.1f} kW and say nothing to it for "
            f"{self.dog.seconds:.0f} s and more, to see its watchdog take the power away?"
        )

    async def make(self) -> Silence | str:
        """What was seen, or why it was ended. Raises Unreachable, Declined or ForeignHand; it always ends with 0 W."""
        self.hand.pcs.writable = True
        try:
            await self.hand.begin()
            await self.hand.tell(self.power)
            last = await self._follow()
            return await self._wait(last)
        finally:
            await self.hand.rest()

    async def _follow(self) -> float:
        """Until the power flows; gives when the PCS was spoken to last (monotonic)."""
        began = time.monotonic()
        while True:
            await self.lookout.look()
            given = self.lookout.number(self.site.units[0].pcs, "p") or 0.0
            if given / self.power >= ARRIVED:
                break
            if time.monotonic() - began > FOLLOWED:
                raise ForeignHand(f"it gives {given / 1000:.1f} kW instead of {self.power / 1000:.1f} kW")
            await self.hand.keep()
            await asyncio.sleep(TICK)
        await self.hand.begin()
        if self.dog.fed_by == "setpoint":
            await self.hand.pcs.write("p_set", self.power, anew=True)
        return time.monotonic()

    async def _wait(self, last: float) -> Silence | str:
        """Looks at what does not feed it: the battery, and the PCS only where reading is no word to it."""
        longest, trace = 2 * self.dog.seconds + FOLLOWED, list[tuple[float, float]]()
        while (now := time.monotonic() - last) < longest:
            trace.append((now, await self._power()))
            if why := await self._forbidden():
                return why
            gone = reached(trace, GONE * abs(self.power))
            if gone is not None and now - gone >= 3 * TICK:
                return Silence(self.dog.seconds, gone, now)
            await asyncio.sleep(TICK)
        return Silence(self.dog.seconds, None, longest)

    async def _forbidden(self) -> str:
        """Why it may not go on. A PCS that any word feeds is not asked: then only by its cells."""
        if self.dog.fed_by != "any":
            await self.lookout.look()
            return self.lookout.forbids(self.power)
        await self.lookout.look(but=self.hand.pcs.name)
        return self.lookout.forbidden_by_cells(self.power)

    async def _power(self) -> float:
        battery = self.site.units[0]
        if self.dog.fed_by != "any":
            power = (await self.lookout.glance(battery.pcs, "p")).get("p")
            return power if isinstance(power, float) else math.inf
        dc = await self.lookout.cells.power()
        return sum(dc.values()) if len(dc) == len(battery.racks) else math.inf
