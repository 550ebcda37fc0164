"""The step of a PV inverter's limit: down to half of what it gives, and back to where it stood."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Unreachable
from joulebus.commission.findings import GOOD, OPEN, WRONG, Finding
from joulebus.commission.readings import Readings
from joulebus.commission.steering import ForeignHand, Steered, Steering
from schemas.site import Site

HALF = 0.5
"""Of what it gives now."""
LEAST = 0.1
"""Of its rated power: with less sun a step is not seen."""
NEAR = 0.03
"""Of its rated power: so much beside its limit it may be."""
FOLLOWS = 30.0
"""Seconds an inverter may take: many ramp a limit."""
SEEN = 0.5
"""Of the step, that the meter must show at least, beside what the loads do."""
PAUSE = 0.25
WHOLE = 100.0
LIMIT = "p_limit_pct"


@dataclass
class PvStep:
    """Of one inverter."""

    site: Site
    readings: Readings
    name: str
    ask: Callable[[str], bool]
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = self.readings.devices[self.name]

    @property
    def may(self) -> bool:
        """Whether anything could be written to it."""
        return self.site.mode == "control" and LIMIT in self.device.commands

    async def make(self) -> list[Finding]:
        """Whatever happens the limit is given back."""
        check, right = "limit step", f"it follows within {FOLLOWS:g} s, and the meter sees it"
        try:
            if why := await self._refused():
                return self._untried(Finding(self.name, check, OPEN, why, right))
            return await self._step()
        except (Unreachable, Declined, ForeignHand) as wrong:
            return [Finding(self.name, check, WRONG, str(wrong), right)]

    def _untried(self, one: Finding) -> list[Finding]:
        """Open where the site relies on the limit; a note where nobody will need it."""
        limited = {device.name for device in self.site.pv_limited}
        if self.name in limited and self.site.pv_safe() < WHOLE:
            return [one]
        self.notes.append(f"No limit of {self.name} was tried: {one.measured}.")
        return []

    async def _refused(self) -> str:
        """Why no limit is tried. Raises Unreachable or Declined."""
        if self.site.mode != "control":
            return "the site is only watched"
        if LIMIT not in self.device.commands:
            return f"its profile has no {LIMIT}: nobody can limit it"
        power = await self.readings.power(self.name)
        if power is None or power < LEAST * self.device.rated_power:
            given = "its power is not known" if power is None else f"it gives {power / 1000:.1f} kW"
            return f"{given}: too little for a step to be seen; repeat it in the sun"
        limit = self._lower(power)
        words = f"Limit {self.name} to {limit:.0f} % ({limit * self.device.rated_power / 1e5:.1f} kW) for some seconds"
        return "" if self.ask(f"{words}, then give it back?") else "not wanted"

    def _lower(self, power: float) -> float:
        return round(HALF * WHOLE * power / self.device.rated_power)

    async def _home(self) -> float:
        """Where its limit stands; no limit where it does not say."""
        names = self.device.beside(LIMIT, WHOLE)
        held = self.device.held(LIMIT, WHOLE, (await self.device.look(*names)).values) if names else None
        return held if held is not None and 0 < held <= WHOLE else WHOLE

    async def _step(self) -> list[Finding]:
        hand = Steering(self.device, self.say, Steered(LIMIT, await self._home(), 1.0, "%"))
        before, grid = await self._powers()
        limit = self._lower(before)
        self.device.writable = True
        try:
            await hand.begin()
            await hand.tell(limit)
            took = await self._follow(hand, limit)
            after, moved = await self._powers()
            await hand.check()
        finally:
            given = await hand.rest()
        found = self._judge(limit, took, before - after, moved - grid)
        left = Finding(
            self.name, "left", GOOD if given else WRONG, f"limit {hand.what.words(hand.told)}", "as it stood"
        )
        return [*found, left]

    async def _powers(self) -> tuple[float, float]:
        """Of the inverter and of the grid. Raises Unreachable or Declined."""
        return await self.readings.power(self.name) or 0.0, await self.readings.power(self.site.grid.meter) or 0.0

    async def _follow(self, hand: Steering, limit: float) -> float | None:
        """Seconds until it keeps its limit. None: it does not."""
        began, most = time.monotonic(), (limit / WHOLE + NEAR) * self.device.rated_power
        while (now := time.monotonic() - began) < FOLLOWS:
            power = await self.readings.power(self.name)
            if power is not None and power <= most:
                await asyncio.sleep(2 * PAUSE)  # the meter shows it a moment later
                return now
            await hand.keep()
            await asyncio.sleep(PAUSE)
        return None

    def _judge(self, limit: float, took: float | None, fell: float, rose: float) -> list[Finding]:
        right = f"{limit:.0f} % within {FOLLOWS:g} s"
        if took is None:
            return [Finding(self.name, "limit step", WRONG, f"it fell by {fell / 1000:.1f} kW only", right)]
        found = [Finding(self.name, "limit step", GOOD, f"it fell by {fell / 1000:.1f} kW in {took:.1f} s", right)]
        share = rose / fell if fell > 0 else 0.0
        verdict = GOOD if share >= SEEN else WRONG if share <= -SEEN else OPEN
        says = {GOOD: "", WRONG: ": it counts backwards", OPEN: ": it does not see it, or the load moved"}[verdict]
        meter = self.site.grid.meter
        seen = f"{share:+.2f} of the step of {self.name}{says}"
        return [*found, Finding(meter, "sees PV", verdict, seen, "what PV gives less is drawn")]
