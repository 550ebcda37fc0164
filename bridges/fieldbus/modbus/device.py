"""One device on its line: where its points are, and what they say now."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from bridges.control.guard import understood
from bridges.fieldbus.modbus.blocks import Block, Located, Words, address_of, blocks, locate, values
from bridges.fieldbus.modbus.codec import encode, pack, unpack
from bridges.fieldbus.modbus.connection import Connection, Declined, Unreachable, walk
from bridges.fieldbus.modbus.direction import places, steps
from bridges.fieldbus.modbus.read_plan import read_plan
from schemas.messages import Action, Meta, PointMeta, Value
from schemas.profile import Modes, Profile, Register, Setpoint
from schemas.site import Device


@dataclass
class ModbusDevice:
    """A device as the bridge meets it in the field."""

    device: Device
    profile: Profile
    line: Connection
    writable: bool = False
    """The site is controlled, not only watched: without it nothing is ever written."""
    bases: dict[int, int] = field(default_factory=dict)
    """Where its SunSpec models begin."""
    points: list[Located] = field(default_factory=list)
    hot: list[Block] = field(default_factory=list)
    slow: list[Block] = field(default_factory=list)
    raw: dict[Block, list[int]] = field(default_factory=dict)
    """What the last reading brought."""
    _known: dict[Block, list[int]] = field(default_factory=dict)
    """The last words of every block: a slow point's scale factor may stand in a block of another turn."""
    failures: int = 0
    """Cycles in a row without an answer."""
    reason: str = "not asked yet"
    _turn: "count[int]" = field(default_factory=count)
    _beats: "count[int]" = field(default_factory=lambda: count(1))
    heartless: bool = False
    """It does not want our heartbeat."""

    @property
    def online(self) -> bool:
        return self.failures == 0 and bool(self.points)

    async def connect(self) -> None:
        """Find its models and plan the requests. Raises Unreachable or Declined."""
        if self.profile.sunspec:
            self.bases = await walk(self.line, self.device.unit, self.profile.function)
        plan = read_plan(self.profile, self.bases)
        if not plan.points:
            raise Unreachable(f"it has none of the models of profile {self.device.profile}")
        self.hot, self.slow = plan.hot, plan.slow
        await self.arm_watchdog()
        self.points, self._known = plan.points, {}

    async def read(self) -> dict[str, Value]:
        """One cycle: all fast points, and one block of the slow ones in turn. Raises Unreachable or Declined."""
        if not self.points:
            await self.connect()
        wanted = [*self.hot, *([self.slow[next(self._turn) % len(self.slow)]] if self.slow else [])]
        return await self._read(wanted)

    async def look(self, *names: str) -> dict[str, Value]:
        """Only some points, now: to verify what was written."""
        located = [p for p in self.points if p.name in names]
        return await self._read(blocks(located, self.profile.gap))

    async def write(self, name: str, value: float, *, anew: bool = False) -> int:
        """Write a setpoint and what goes with it; gives how often its most written register was written.

        Raises Unreachable, Declined or struct.error.
        """
        setpoint = self.profile.commands[name]
        address = address_of(setpoint, self.bases)
        if address is None:
            raise Declined(f"the device has no model {setpoint.model} for {name}")
        if setpoint.modes is not None:  # reads what is held in any case
            return await self._steer(setpoint, setpoint.modes, value, anew=anew)
        words = encode(setpoint, value, self.profile.word_order, await self._power(setpoint))
        wears = setpoint.memory == "eeprom" and setpoint.enable is None
        if wears and await self._holds(setpoint.function or self.profile.function, address, words):
            return 0  # a bridge that has just begun does not know it
        await self.line.write(self.device.unit, setpoint.write, address, words)
        for one in setpoint.companions:  # after the value: it has no meaning before, and the right one at once
            if await self.line.read(self.device.unit, 3, self._at(one.model, one.register_), 1) != [one.value]:
                await self.line.write(self.device.unit, one.write, self._at(one.model, one.register_), [one.value])
        if setpoint.enable is not None:
            await self.line.write(self.device.unit, setpoint.write, address - setpoint.register_ + setpoint.enable, [1])
        return 1

    async def _steer(self, setpoint: Setpoint, modes: Modes, value: float, *, anew: bool) -> int:
        """An amount and its direction, from what the registers hold at this moment."""
        held = {
            place: tuple(await self.line.read(self.device.unit, 3, self._at(*place), count))
            for place, count in places(setpoint, modes).items()
        }
        way = steps(setpoint, modes, value, held, self.profile.word_order, anew=anew)
        for step in way:
            await self.line.write(self.device.unit, step.function, self._at(*step.place), step.words)
        return max(Counter(step.place for step in way).values(), default=0)

    def _at(self, model: int | None, register: int) -> int:
        """The address of a register. Raises Declined when the device lacks the model."""
        if model is not None and model not in self.bases:
            raise Declined(f"the device has no model {model}")
        return register if model is None else self.bases[model] + register

    async def act(self, action: Action) -> None:
        """Start, stop, standby, reset. Raises Unreachable or Declined."""
        for step in self.profile.actions[action.value]:
            base = 0 if step.model is None else self.bases[step.model]
            await self.line.write(self.device.unit, step.write, base + step.register_, [step.value])

    def scale(self, name: str) -> float:
        """One in the setpoint's own limits is so many W: power setpoints are given per unit of the rating."""
        return self.device.rated_power or 1.0 if name in ("p_set", "q_set") else 1.0

    def meta(self) -> Meta:
        """How the device introduces itself."""
        rated = {"power": self.device.rated_power, "apparent_power": self.device.rated_apparent_power}
        return Meta(
            kind=self.profile.kind,
            make=self.profile.make,
            model=self.profile.model,
            profile=self.device.profile,
            ratings={name: value for name, value in rated.items() if value is not None},
            points={
                p.name: PointMeta(unit=p.point.unit, low=p.point.low, high=p.point.high)
                for p in locate(self.profile, self.bases)
            },
            commands=understood(self.profile),
            actions=sorted(self.profile.actions),
        )

    def forget(self) -> None:
        """It may be another device next time, or the same one after a power cycle: look again."""
        self.points, self.heartless = [], False

    async def _read(self, wanted: list[Block]) -> dict[str, Value]:
        """The values of some blocks. A slow block the device declines is left out: its points are absent."""
        found: dict[str, Value] = {}
        crossing: list[Located] = []
        raw: dict[Block, list[int]] = {}
        plan = read_plan(self.profile, self.bases)
        for block in wanted:
            try:
                words = await self.line.read(self.device.unit, block.function, block.start, block.count)
            except Declined:
                if block in self.slow and len(wanted) > 1:
                    continue
                raise
            decoder = plan.decoder(block)
            raw[block] = words
            found |= decoder(words)
            crossing += decoder.crossing
        self.raw = raw
        self._known |= raw
        if not crossing:
            return found
        image: Words = {}
        for block, words in [*self._known.items(), *raw.items()]:  # what is fresh comes last and wins
            image |= {(block.function, block.start + place): word for place, word in enumerate(words)}
        return found | values(crossing, image, self.profile)

    async def _power(self, register: Register) -> int:
        """The power of ten a setpoint is scaled by, read from the device."""
        if register.scale_register is None:
            return 0
        base = 0 if register.model is None else self.bases[register.model]
        function = register.function or self.profile.function
        words = await self.line.read(self.device.unit, function, base + register.scale_register, 1)
        return int(unpack(Register(register=0, type="i16"), words))

    async def arm_watchdog(self) -> None:
        """The last layer: without us the device itself goes to its safe state. A watchdog that is fed by writes is fed
        by being armed again. Raises Unreachable or Declined."""
        dog = self.profile.watchdog
        if dog is None or not self.writable:
            return
        raw = pack(Register(register=0, type=dog.type), dog.seconds / dog.scale, self.profile.word_order)
        address = self._at(dog.model, dog.register_)
        if dog.fed_by != "write" and await self._holds(3, address, raw):
            return  # a setting may wear out, and a line that comes and goes would write it each time
        await self.line.write(self.device.unit, dog.write, address, raw)

    async def _holds(self, function: int, address: int, words: list[int]) -> bool:
        try:
            return await self.line.read(self.device.unit, function, address, len(words)) == words
        except Declined:  # it can only be written
            return False

    async def beat(self) -> None:
        """Our heartbeat, where the device has a register for it. Raises Unreachable."""
        heart = self.profile.heartbeat
        if heart is None or self.heartless:
            return
        beat = next(self._beats) % (0x10000 if heart.type == "u16" else 0x1_0000_0000)
        words = pack(Register(register=0, type=heart.type), beat, self.profile.word_order)
        try:
            await self.line.write(self.device.unit, heart.write, self._at(heart.model, heart.register_), words)
        except Declined:  # the point is optional in SunSpec
            self.heartless = True
