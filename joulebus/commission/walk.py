"""Walks an integrator through one battery: steps it by 5 %, to full power where told, and lets its watchdog bite.
Nothing is written before a person has agreed to it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from bridges.fieldbus.contract import Declined, Unreachable
from joulebus.commission.findings import GOOD, OPEN, WRONG, Finding, Step, judge, line, wander
from joulebus.commission.lookout import Lookout
from joulebus.commission.runs import FullRun, SilentRun
from joulebus.commission.steering import ForeignHand, Steering
from joulebus.commission.trace import ARRIVED, response
from joulebus.commission.trials import Full, full_power, watchdog
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.state_words import in_words

SHARE = 0.05
"""Of the rated power: enough to see, too little to hurt."""
ROOM = 1.2
"""So much more than a step must be allowed."""
LOOKS, PAUSE = 5, 0.3
"""Readings of a mean, and seconds between them."""
LONGEST = 10.0
"""Seconds a device may take to follow a step."""
RESTS = 60.0
"""Seconds it may take to 0 W."""
NOTHING = 0.02
"""Of the rated power: what a PCS at rest may draw for itself."""
BETWEEN = 0.05
"""Seconds between two looks at a step."""

Ask = Callable[[str], bool]
Say = Callable[[str], None]


@dataclass
class Walk:
    """Of one PCS and the cells behind it."""

    site: Site
    """The site as if there were no other battery: see `alone`."""
    lookout: Lookout
    ask: Ask
    say: Say
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unit, self.cells = self.lookout.unit, self.lookout.cells
        self.pcs = self.lookout.readings.devices[self.unit.pcs]
        self.hand = Steering(self.pcs, self.say)

    @property
    def name(self) -> str:
        """Of the battery, and of the PCS where it has several."""
        return self.unit.name

    def find(self, *found: Finding) -> None:
        """Keep and say them."""
        for one in found:
            self.findings.append(one)
            self.say(line(one))

    # before ------------------------------------------------------------------------------------

    def interlocks(self) -> list[Finding]:
        """A battery that is well has none that acts."""
        if self._missing():
            return []
        acting = self.lookout.judge().acting
        says = "; ".join(f"{one.name}: {one.reason}" for one in acting) or "none"
        return [Finding(self.cells.name, "interlocks", WRONG if acting else GOOD, says, "none acts")]

    def _missing(self) -> list[str]:
        return [name for name in self.lookout.needed if not self.lookout.readings.seen(name)]

    def forbidden(self) -> str:
        """Why nothing is written at all; empty when the battery may be stepped."""
        if missing := self._missing():
            return f"no step without {', '.join(missing)}"
        if self.site.mode != "control" or "p_set" not in self.pcs.commands:
            return "the site is only watched, or its PCS takes no power"
        state = self.lookout.readings.seen(self.pcs.name).get("state", "running")
        return "" if state in ("running", "throttled") else f"the PCS is {in_words(str(state))}: start it first"

    async def others_rest(self) -> str:
        """Why it is not stepped: another battery gives what it was not told by us. A steady fallback may go on, and one
        on the same cells may not."""
        for name in self.lookout.site.pcs:
            if name == self.pcs.name:
                continue
            try:
                power = await self.lookout.readings.power(name)
            except (Unreachable, Declined) as wrong:
                if name in self.unit.beside:
                    return f"{name} on the same cells does not answer: {wrong}"
                continue
            other = self.lookout.site.unit_of(name)
            home = other.fallback if other is not None and name not in self.unit.beside else 0.0
            near = NOTHING * self.lookout.readings.devices[name].rated_power
            if power is None or min(abs(power), abs(power - home)) > near:
                seen = "does not say its power" if power is None else f"gives {power / 1000:+.1f} kW"
                return f"{name} {seen}: bring it to rest first, the others stand while one is walked"
        return ""

    # small steps -------------------------------------------------------------------------------

    async def step_all(self) -> bool:
        """Up and down by 5 %, if the person agrees and the battery may. True: all was right."""
        size, before = SHARE * self.pcs.rated_power, len(self.findings)
        try:
            for power in (size, -size):
                if why := await self._refused(ROOM * power):
                    self.find(Finding(self.pcs.name, "steps", OPEN, why))
                    return False
                if not self.ask(f"Write {power / 1000:+.1f} kW to {self.pcs.name} for some seconds, then 0?"):
                    self.notes.append(f"The step of {power:+.0f} W was not wanted.")
                    continue
                self.steps.append(await self._step(power))
        except (Unreachable, Declined, ForeignHand) as wrong:
            self.find(Finding(self.pcs.name, "steps", WRONG, str(wrong)))
        if not self.steps:
            self.find(Finding(self.pcs.name, "steps", OPEN, "none was made"))
            return False
        self.find(*judge(self.site, self.steps))
        return all(one.verdict == GOOD for one in self.findings[before:])

    async def _refused(self, power: float) -> str:
        """Why a power may not be steered to now, by what is read now. Raises Unreachable or Declined."""
        await self.lookout.look()
        return self.lookout.forbids(power)

    async def _step(self, power: float) -> Step:
        self.pcs.writable = True
        before, noise = await self._mean()
        try:
            await self.hand.begin()
            began = await self.hand.tell(power)
            traces = await self._follow(before, power, began)
            after, _ = await self._mean()
            await self.hand.check()
        finally:
            await self.hand.rest()
        if not await self.settled():
            raise ForeignHand("power still flows although 0 was written: not taken, or somebody else writes to it")
        racks = len(self.cells.maps) if self.cells.apart else 1
        delay = {
            name: at
            for name, trace in traces.items()
            if (half := abs(power) / 2 / (racks if name in self.cells.maps else 1))
            if (at := next((t for t, p in trace if abs(p - before.get(name, p)) > half), None)) is not None
        }
        moved = {name: after[name] - before[name] for name in after.keys() & before.keys()}
        return Step(power, moved, noise, delay, response(traces[self.pcs.name], before[self.pcs.name], power))

    async def _follow(
        self, before: Mapping[str, float], power: float, began: float
    ) -> dict[str, list[tuple[float, float]]]:
        """What they give until each was seen to follow, whatever its sign, or the time is over."""
        traces: dict[str, list[tuple[float, float]]] = {name: [] for name in before}
        there = 0
        while time.monotonic() - began < LONGEST and there < 3:
            for name, value in (await self._powers()).items():
                traces.setdefault(name, []).append((time.monotonic() - began, value))
            moved = {name: abs(trace[-1][1] - before.get(name, 0.0)) for name, trace in traces.items() if trace}
            apart = [moved.pop(name) for name in self.cells.maps if name in moved and self.cells.apart]
            seen = [*moved.values(), *([sum(apart)] if apart else [])]
            arrived = moved[self.pcs.name] >= ARRIVED * abs(power) and min(seen) > abs(power) / 2
            there = there + 1 if arrived else 0
            await self.hand.keep()
            await asyncio.sleep(BETWEEN)
        return traces

    async def settled(self) -> bool:
        """Waits until nothing flows any more. False: it still does. Raises Unreachable or Declined."""
        began = time.monotonic()
        while time.monotonic() - began < RESTS:
            power = await self.lookout.readings.power(self.pcs.name)
            if power is not None and abs(power) <= NOTHING * self.pcs.rated_power:
                await asyncio.sleep(LOOKS * PAUSE)
                return True
            await self.hand.keep()
            await asyncio.sleep(PAUSE)
        return False

    async def rests(self) -> tuple[bool, str]:
        """Whether nothing flows any more, and what is seen of it."""
        try:
            rests = await self.settled()
            power = await self.lookout.readings.power(self.pcs.name)
        except (Unreachable, Declined) as wrong:
            return False, str(wrong)
        return rests, f"{power / 1000:+.1f} kW" if power is not None else "its power is not known"

    async def end(self) -> bool:
        """How the battery is left, where anything was written. False: power may still flow."""
        if not self.pcs.writable:
            return True
        rests, says = await self.rests()
        says += "" if rests else ": stop it at its panel"
        self.find(Finding(self.pcs.name, "left at rest", GOOD if rests else WRONG, says, "nothing flows"))
        return rests

    async def _mean(self) -> tuple[dict[str, float], float]:
        """The mean power of each, and how much the grid wanders."""
        looks = []
        for _ in range(LOOKS):
            looks.append(await self._powers())
            await asyncio.sleep(PAUSE)
        means = {name: fmean(look[name] for look in looks if name in look) for name in looks[0]}
        meter = self.site.grid.meter
        return means, wander([look[meter] for look in looks if meter in look])

    async def _powers(self) -> dict[str, float]:
        found = dict[str, float]()
        for name in (self.pcs.name, self.site.grid.meter):
            power = await self.lookout.readings.power(name)
            found |= {name: power} if power is not None else {}
        return found | (await self.cells.power() if self.cells.apart else {})

    # full power, and the watchdog ----------------------------------------------------------------

    async def full(self) -> None:
        """To the rated power in both directions, at the ramp of the site file."""
        trials: list[Full] = []
        for power in (self.pcs.rated_power, -self.pcs.rated_power):
            run = FullRun(self.site, self.lookout, self.hand, power)
            try:
                if why := await self._refused(power):
                    trials.append(run.not_tried(why))
                    continue
                if not self.ask(f"Ramp {self.pcs.name} to {power / 1000:+.0f} kW, hold it for some seconds, then 0?"):
                    trials.append(run.not_tried("not wanted"))
                    continue
                trials.append(await run.make())
                await self.settled()
            except (Unreachable, Declined, ForeignHand) as wrong:
                trials.append(run.not_tried(str(wrong)))
        self.find(*full_power(self.site, trials))

    async def silence(self) -> None:
        """Say nothing to the PCS until its watchdog takes the power away."""
        dog, size = self.pcs.watchdog, SHARE * self.pcs.rated_power
        if dog is None:
            self.notes.append(f"{self.pcs.name} has no watchdog in its profile: without a bridge it goes on as told.")
            return
        run = SilentRun(self.site, self.lookout, self.hand, size, dog)
        try:
            why = run.too_long() or await self._refused(ROOM * size)
            if not why and not self.ask(run.words()):
                why = "not wanted"
            found = why or await run.make()
            self.find(
                Finding(self.pcs.name, "watchdog", OPEN, found)
                if isinstance(found, str)
                else watchdog(self.site, found)
            )
        except (Unreachable, Declined, ForeignHand) as wrong:
            self.find(Finding(self.pcs.name, "watchdog", WRONG, str(wrong)))


def alone(site: Site, unit: Unit) -> Site:
    """The site as if this were its only battery: what the others do is then a load."""
    battery = next(one for one in site.battery if one.name == unit.of)
    if len(battery.pcs) > 1:
        mine = {"pcs": [unit.pcs]} | {key: getattr(unit, key) for key in ("energy", "ramp", "fallback")}
        battery = battery.model_copy(update=mine)
    return site.model_copy(update={"battery": [battery]})
