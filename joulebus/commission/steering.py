"""The hand on a setpoint while its device is commissioned: writes it, keeps the device's watchdog fed, lets go."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable

TRIES, AGAIN = 5, 0.5
"""How often a setpoint is given back until that is confirmed, and seconds between."""
HELD = 0.01
"""Of the rated power: so much the register may differ from what was written, for its rounding."""


@dataclass(frozen=True, slots=True)
class Steered:
    """What is steered, and how it is said."""

    name: str
    home: float
    """Where it is left."""
    scale: float
    unit: str

    def words(self, value: float) -> str:
        """A value as a person reads it."""
        return f"{value / self.scale:g} {self.unit}"


POWER = Steered("p_set", 0.0, 1000.0, "kW")


class ForeignHand(Exception):
    """The device does not hold, or not give, what it was told: it did not take it, or somebody else steers it."""


@dataclass
class Steering:
    """One setpoint: the power of a PCS (`pcs` is then what it is), or the limit of a PV inverter."""

    pcs: FieldDevice
    say: Callable[[str], None]
    what: Steered = POWER
    told: float = 0.0
    """W, or %."""
    _fed: float = float("-inf")
    _beaten: float = float("-inf")

    async def begin(self) -> None:
        """Arm its watchdog: if we die, it takes the power away. Raises Unreachable or Declined."""
        await self.pcs.arm()
        self._fed = time.monotonic()

    async def tell(self, power: float) -> float:
        """Write a value; gives the monotonic time at which that was begun. Raises Unreachable or Declined."""
        began = time.monotonic()
        self.told = power
        await self.pcs.write(self.what.name, power)
        return began

    async def keep(self) -> None:
        """What the device wants while it is steered. Raises Unreachable or Declined."""
        dog, now = self.pcs.watchdog, time.monotonic()
        if dog is not None and dog.fed_by != "any" and now - self._fed >= dog.seconds / 3:
            self._fed = now
            await (self.pcs.arm() if dog.fed_by == "write" else self.pcs.write(self.what.name, self.told, anew=True))
        if self.pcs.heartbeat is not None and now - self._beaten >= self.pcs.heartbeat:
            self._beaten = now
            await self.pcs.beat()

    async def check(self) -> None:
        """Raises ForeignHand when the register holds what we did not write; Unreachable or Declined."""
        name, whole = self.what.name, self.pcs.rated_power if self.what is POWER else 100.0
        points = self.pcs.beside(name, self.told)
        if not points:
            return
        held = self.pcs.held(name, self.told, (await self.pcs.look(*points)).values)
        if held is not None and abs(held - self.told) > max(HELD * whole, self.pcs.step(name)):
            holds = self.what.words(held) if math.isfinite(held) else "another mode"
            told = self.what.words(self.told)
            raise ForeignHand(f"its setpoint holds {holds} instead of {told}: not taken, or somebody else writes to it")

    async def rest(self) -> bool:
        """Gives it back, also when an answer is lost, and however often we are told to stop meanwhile: a shell that
        ends sends SIGHUP twice. False: nobody knows whether it rests."""
        giving, stopped = asyncio.ensure_future(self._give_back()), False
        while not giving.done():
            try:
                await asyncio.shield(giving)
            except asyncio.CancelledError:
                stopped = True
        if stopped:
            raise asyncio.CancelledError
        return giving.result()

    async def _give_back(self) -> bool:
        for _ in range(TRIES):
            try:
                await self.tell(self.what.home)
            except (Unreachable, Declined) as wrong:
                self._say(f"{self.what.words(self.what.home)} could not be written: {wrong}")
                await asyncio.sleep(AGAIN)
                continue
            return True
        self._say(LEFT[self.what is POWER])
        return False

    def _say(self, words: str) -> None:
        with suppress(OSError):  # the terminal is gone: what is commanded is given back all the same
            self.say(f"{self.pcs.name}: {words}")


LEFT = {True: "IT MAY STILL RUN. Stop it at its panel.", False: "IT MAY STILL BE LIMITED. Look at its panel."}
