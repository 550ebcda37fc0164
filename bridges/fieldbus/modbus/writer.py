"""Writes the registers of one device: what is not held already, in an order that is safe."""

import asyncio
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bridges.fieldbus.contract import Declined, Written
from bridges.fieldbus.modbus.blocks import Block
from bridges.fieldbus.modbus.codec import pack, unpack
from bridges.fieldbus.modbus.direction import Place, RegisterWrite, companions, places, signed_steps, steps
from bridges.fieldbus.modbus.line import NO_SUCH, Line
from bridges.fieldbus.modbus.setpoints import Target
from schemas.profile import Profile
from schemas.register import WORDS, Heartbeat, Modes, Register, Setpoint, Watchdog

Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """One device on its line. What asks it raises Unreachable or Declined."""

    line: Line
    unit: int
    profile: Profile
    bases: Mapping[int, int]
    """Where its SunSpec models begin."""

    def has(self, model: int | None) -> bool:
        return model is None or model in self.bases

    def at(self, place: Place) -> int:
        """The address of a register. Raises Declined when the device lacks its model."""
        model, register = place
        if not self.has(model):
            raise Declined(f"the device has no model {model}")
        return register if model is None else self.bases[model] + register

    def scale(self, setpoint: Setpoint) -> Block | None:
        """The register with a setpoint's power of ten, where it has one."""
        if setpoint.scale_register is None or not self.has(setpoint.model):
            return None
        return Block(self._function(setpoint), self.at((setpoint.model, setpoint.scale_register)), 1)

    async def held(self, place: Place, count: int, function: int = 3) -> Words | None:
        """What registers hold; None where they can only be written."""
        try:
            return tuple(await self.line.read(self.unit, function, self.at(place), count))
        except Declined as no:
            if no.code not in NO_SUCH:
                raise
            return None

    async def reverts(self, setpoint: Setpoint) -> float | None:
        """Seconds after which the device takes a setpoint back by itself; None for never."""
        timer = setpoint.reverts
        if timer is None or timer.register_ is None:
            return None if timer is None else timer.seconds
        place = (setpoint.model, timer.register_)
        words = await self.held(place, WORDS[timer.type]) if self.has(setpoint.model) else None
        if words is None or not any(words) or all(word == 0xFFFF for word in words):
            return None
        raw = unpack(Register(register=0, type=timer.type), [*words], self.profile.word_order)
        return float(raw) * timer.scale

    async def way(self, target: Target, value: float, power: int, *, anew: bool) -> list[RegisterWrite]:
        """The writes that lead from what the registers hold at this moment to `value`."""
        setpoint, order = target.setpoint, self.profile.word_order
        self.at((setpoint.model, setpoint.register_))
        if setpoint.modes is not None:
            held = await self._all_held(setpoint, setpoint.modes)
            with in_words(f"{target.key} of {value:g}"):
                return steps(setpoint, setpoint.modes, value / target.unit, held, order, anew=anew)
        with in_words(f"{target.key} of {value:g}"):
            words = target.words(value, power, order)
            other = [] if setpoint.opposite is None else target.words(-value, power, order)
        known = {} if setpoint.unseen else await self._known(setpoint, order)
        return signed_steps(setpoint, words, known, order, opposite=other, anew=anew)

    async def _known(self, setpoint: Setpoint, order: str) -> dict[Place, Words | None]:
        """What stands beside a setpoint with a sign, and in it where that decides what is written."""
        known = {one.place: await self.held(one.place, len(one.words)) for one in companions(setpoint, order)}
        own = [setpoint.register_, *([] if setpoint.opposite is None else [setpoint.opposite])]
        if setpoint.memory == "eeprom" or len(own) > 1:  # a bridge that has just begun does not know it
            for register in own:
                place = (setpoint.model, register)
                known[place] = await self.held(place, setpoint.count, self._function(setpoint))
        return known

    async def _all_held(self, setpoint: Setpoint, modes: Modes) -> dict[Place, Words]:
        """Of an amount and its direction everything must be known."""
        return {
            place: tuple(await self.line.read(self.unit, 3, self.at(place), count))
            for place, count in places(setpoint, modes).items()
        }

    async def put(self, way: Sequence[RegisterWrite]) -> Written:
        """Make these writes, one after the other. One that is declined says how many were made before."""
        at = asyncio.get_running_loop().time()
        for made, step in enumerate(way):
            try:
                at = await self.line.write(self.unit, self._writes(step), self.at(step.place), step.words)
            except Declined as no:
                before = f"; {made} of {len(way)} writes were made before" if made else ""
                raise Declined(f"{no}{before}", no.code) from no
        return Written(at, max(Counter(step.place for step in way).values(), default=0))

    def own(self, register: Watchdog | Heartbeat, raw: float) -> RegisterWrite:
        """A write of our own, to a watchdog or a heartbeat. Raises Declined for a value that it cannot hold."""
        with in_words(f"{raw:g}"):
            words = pack(Register(register=0, type=register.type), raw, self.profile.word_order)
        return RegisterWrite(register.write, (register.model, register.register_), tuple(words))

    def _writes(self, step: RegisterWrite) -> int:
        own = self.profile.line.write
        return step.function if own is None or len(step.words) > 1 else own

    def _function(self, register: Register) -> int:
        return register.function or self.profile.function


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """A value that its register cannot hold is declined before anything is sent."""
    try:
        yield
    except (struct.error, ValueError, OverflowError) as wrong:
        raise Declined(f"{what} does not fit its register: {wrong}") from wrong
