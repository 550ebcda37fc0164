"""The hand on the battery's setpoint while it is commissioned: writes it, keeps the device's watchdog fed, lets go."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable

TRIES, AGAIN = 5, 0.5
"""How often a setpoint of 0 is written until it is confirmed, and seconds between."""
HELD = 0.01
"""Of the rated power: so much the register may differ from what was written, for its rounding."""


class ForeignHand(Exception):
    """The device does not hold, or not give, what it was told: it did not take it, or somebody else steers it."""


@dataclass
class Steering:
    """One PCS."""

    pcs: FieldDevice
    say: Callable[[str], None]
    told: float = 0.0
    """W."""
    _fed: float = float("-inf")
    _beaten: float = float("-inf")

    async def begin(self) -> None:
        """Arm its watchdog: if we die, it takes the power away. Raises Unreachable or Declined."""
        await self.pcs.arm()
        self._fed = time.monotonic()

    async def tell(self, power: float) -> float:
        """Write a power; gives the monotonic time at which that was begun. Raises Unreachable or Declined."""
        began = time.monotonic()
        self.told = power
        await self.pcs.write("p_set", power)
        return began

    async def keep(self) -> None:
        """What the device wants while it is steered. Raises Unreachable or Declined."""
        dog, now = self.pcs.watchdog, time.monotonic()
        if dog is not None and dog.fed_by != "any" and now - self._fed >= dog.seconds / 3:
            self._fed = now
            await (self.pcs.arm() if dog.fed_by == "write" else self.pcs.write("p_set", self.told, anew=True))
        if self.pcs.heartbeat is not None and now - self._beaten >= self.pcs.heartbeat:
            self._beaten = now
            await self.pcs.beat()

    async def check(self) -> None:
        """Raises ForeignHand when the register holds what we did not write; Unreachable or Declined."""
        points = self.pcs.beside("p_set", self.told)
        if not points:
            return
        held = self.pcs.held("p_set", self.told, (await self.pcs.look(*points)).values)
        if held is not None and abs(held - self.told) > max(HELD * self.pcs.rated_power, self.pcs.step("p_set")):
            holds = f"{held / 1000:g} kW" if math.isfinite(held) else "another mode"
            told = f"{self.told / 1000:g} kW"
            raise ForeignHand(f"its setpoint holds {holds} instead of {told}: not taken, or somebody else writes to it")

    async def rest(self) -> bool:
        """Power 0, also when an answer is lost. False: nobody knows whether it rests."""
        for _ in range(TRIES):
            try:
                await self.tell(0.0)
            except (Unreachable, Declined) as wrong:
                self.say(f"{self.pcs.name}: 0 W could not be written: {wrong}")
                await asyncio.sleep(AGAIN)
                continue
            return True
        self.say(f"{self.pcs.name}: IT MAY STILL RUN. Stop it at its panel.")
        return False
