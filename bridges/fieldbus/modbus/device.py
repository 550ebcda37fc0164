"""A Modbus device: its reader, its writer, and what it is to the rest of the bridge."""

import asyncio
import logging
import math
from collections.abc import Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from bridges.fieldbus.contract import Declined, FieldDevice, Reading, Watchdog, Writable, Written
from bridges.fieldbus.modbus.blocks import power_of_ten
from bridges.fieldbus.modbus.direction import RegisterWrite
from bridges.fieldbus.modbus.instance import NONE, Models, choose
from bridges.fieldbus.modbus.line import NO_SUCH, Line
from bridges.fieldbus.modbus.read_plan import Request, read_plan
from bridges.fieldbus.modbus.reader import Reader
from bridges.fieldbus.modbus.setpoints import Target, targets
from bridges.fieldbus.modbus.shared_blocks import Wish
from bridges.fieldbus.modbus.sunspec import Chain
from bridges.fieldbus.modbus.unit import Unit
from bridges.fieldbus.modbus.writer import Writer
from schemas.messages import Action, Meta, PointMeta, Value
from schemas.profile import Profile
from schemas.register import WORDS
from schemas.site_device import Device
from schemas.units import Kind

log = logging.getLogger("bridge")

RATED = 0.01
"""By so much of it the rated power of the site file may differ from the one that the device says."""


@dataclass
class ModbusDevice:
    """A device as the bridge meets it in the field; `FieldDevice` says what each method promises."""

    device: Device
    profile: Profile
    """Of its size: see `Profile.rated`."""
    line: Line
    writable: bool = False
    known: bool = False
    """Its models were found, and it was not forgotten since."""
    failures: int = 0
    """Cycles in a row without an answer."""
    reason: str = "not asked yet"
    heartless: bool = False
    """It does not want our heartbeat."""
    unit: Unit | None = None
    """Shared with the other devices of the same unit; its own when not given."""
    shares: bool = False
    """What another device of its unit has read in the same round will do for its cycles."""
    _ended: float = -math.inf
    """Its last cycle: what was asked for before may be what it took then."""
    _well: float = -math.inf
    """Its last cycle that gave a reading."""
    _chain: Chain | None = None
    """The one that its addresses are from."""
    _turn: "count[int]" = field(default_factory=count)
    _beats: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        dog, heart = self.profile.watchdog, self.profile.heartbeat
        self.name: str = self.device.name
        self.kind: Kind = self.profile.kind
        self.poll: float = self.device.poll
        self.rated_power: float = self.device.rated_power or 0.0
        self.rated_apparent_power: float = self.device.rated_apparent_power or self.rated_power
        self.points: Collection[str] = tuple(self.profile.points)
        self.watchdog: Watchdog | None = Watchdog(dog.seconds, dog.fed_by) if dog else None
        self.heartbeat: float | None = heart.every if heart else None
        self.actions: Collection[Action] = [Action(name) for name in self.profile.actions]
        self._targets = targets(self.profile, self.rated_power or 1.0, self.rated_apparent_power or 1.0)
        self.commands: Mapping[str, Writable] = {name: one.writable for name, one in self._targets.items()}
        self._unit = self.unit or Unit(self.device.unit, self.line)
        self.place: Hashable = self._unit
        self._found(NONE)

    def _found(self, models: Models) -> Reader:
        unit, line = self._unit, self.profile.line
        self._writer = Writer(unit, self.device.unit, self.profile, models.bases)
        plan = read_plan(self.profile, models.bases, models.ends)
        together = unit.together if self.shares else None
        self._reader = Reader(unit, self.device.unit, plan, lacking=models.lacking, together=together)
        if self.shares:
            blocks = tuple(one.block for one in plan.hot if not one.around and not one.amounts)
            unit.wish(self.name, Wish(self.poll, blocks, line.most_registers, line.one_point))
        return self._reader

    @property
    def online(self) -> bool:
        return self.failures == 0 and self.known

    @property
    def slow(self) -> list[Request]:
        """What is asked in turn, one in each cycle."""
        return self._reader.plan.slow

    # reading -----------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Find its models and the scales of its setpoints. Nothing is written. Raises Unreachable or Declined."""
        if self.profile.sunspec:
            self._chain = await self._unit.models(self.profile.function)
            for odd in self._chain.odd:
                log.info("%s: its SunSpec chain is read, though %s", self.name, odd)
        models = choose(self._chain, self.profile, self.device.instance) if self._chain else NONE
        reader = self._found(models)
        if not reader.plan.points:
            why = "; ".join(models.lacking.values())
            raise Declined(f"it has none of the models of profile {self.device.profile}: {why}")
        self.actions = [
            Action(name)
            for name, writes in self.profile.actions.items()
            if all(self._writer.has(one.model) for one in writes)
        ]
        for target in self._targets.values() if self.writable else ():
            with suppress(Declined):  # said when it is to be written
                await self._power(target)
        self.known = True

    async def read(self) -> Reading:
        """All fast points, and one request of the slow ones in turn."""
        await self._ready()
        plan, clock = self._reader.plan, asyncio.get_running_loop().time
        slow = [plan.slow[next(self._turn) % len(plan.slow)]] if plan.slow else []
        try:
            reading = await self._reader.read(plan.hot, slow, max(clock() - self._unit.round, self._ended))
        finally:
            self._ended = clock()
        self._well = self._ended
        self._unit.read_well(self._well)
        return reading

    async def look(self, *points: str) -> Reading:
        await self._ready()
        return await self._reader.look(*points)

    async def _ready(self) -> None:
        if not self.known or self._chain is not self._unit.chain:  # another of the unit's devices has lost it
            await self.connect()

    def forget(self) -> None:
        self.known = self.heartless = False
        self._unit.forget(self._chain, self._well)

    # writing -----------------------------------------------------------------------------------

    async def write(self, name: str, value: float, *, anew: bool = False) -> Written:
        target = self._targets.get(name)
        if target is None:
            raise Declined(f"it cannot be told {name}; there is: {', '.join(self._targets) or 'nothing'}")
        await self._may_write()
        if value:  # a share of 0 is 0 W of any rating
            await self._is_rated_so(target)
        return await self._writer.put(
            await self._writer.way(target, value, await self._power(target), anew=anew),
        )

    async def _is_rated_so(self, target: Target) -> None:
        """What is a share of a power of the device means W only while that is the rated power of the site file."""
        point = target.setpoint.rating
        if point is None:
            return
        says = (await self._reader.look(point)).values.get(point)
        if not isinstance(says, float):
            raise Declined(f"{target.key} is in percent of its {point}, and it does not say what that is")
        if abs(says - self.rated_power) > RATED * self.rated_power:
            power = f"{says:g} W, and the site file says {self.rated_power:g}: give rated_power = {says:g}"
            raise Declined(f"{target.key} is in percent of its {point}, which is {power}")

    async def _power(self, target: Target) -> int:
        """The power of ten that a setpoint is scaled by, as the device says now."""
        scale = self._writer.scale(target.setpoint)
        if scale is None:
            return 0
        power = power_of_ten((await self._reader.words(scale))[0])
        if power is None:
            raise Declined(f"{target.key} has no scale: register {scale.start} says `not implemented`")
        return power

    async def reverts(self, name: str) -> float | None:
        setpoint = self._targets[name].setpoint
        if setpoint.reverts is None:
            return None
        await self._ready()
        return await self._writer.reverts(setpoint)

    async def act(self, action: Action) -> None:
        writes = self.profile.actions.get(action.value)
        if writes is None:
            raise Declined(f"it has no {action.value}; there is: {', '.join(self.profile.actions) or 'no action'}")
        await self._may_write()
        way = [RegisterWrite(one.write, (one.model, one.register_), (one.value,)) for one in writes]
        for one in way:
            self._writer.at(one.place)  # before the first is written
        await self._writer.put(way)

    async def arm(self) -> None:
        dog = self.profile.watchdog
        if dog is None or not self.writable:
            return
        await self._ready()
        write = self._writer.own(dog, dog.seconds / dog.scale)
        if dog.fed_by != "write" and await self._writer.held(write.place, len(write.words)) == write.words:
            return  # a setting may wear out, and a line that comes and goes would write it each time
        await self._writer.put([write])

    async def armed(self) -> bool | None:
        dog = self.profile.watchdog
        if dog is None:
            return None
        await self._ready()
        write = self._writer.own(dog, dog.seconds / dog.scale)
        held = await self._writer.held(write.place, len(write.words)) if self._writer.has(dog.model) else None
        return None if held is None else held == write.words

    async def beat(self) -> None:
        heart = self.profile.heartbeat
        if heart is None or self.heartless or not self.writable:
            return
        await self._ready()
        beat = next(self._beats) % 2 ** (16 * WORDS[heart.type])
        try:
            await self._writer.put([self._writer.own(heart, beat)])
        except Declined as no:
            self.heartless = no.code in (0, *NO_SUCH)  # the point is optional in SunSpec
            if not self.heartless:
                raise

    async def _may_write(self) -> None:
        if not self.writable:
            raise Declined("this site is only watched: nothing is ever written")
        await self._ready()

    # what it is --------------------------------------------------------------------------------

    def step(self, name: str) -> float:
        target = self._targets[name]
        scale = self._writer.scale(target.setpoint)
        word = None if scale is None else self._reader.word(scale.function, scale.start)
        return target.step(0 if word is None else power_of_ten(word) or 0)

    def beside(self, name: str, value: float) -> list[str]:
        target = self._targets[name]
        own = [target.key] if target.opposite is None else [target.key, target.opposite]
        return [*(point for point in own if point in self.profile.points), *target.beside(self.profile, value)]

    def held(self, name: str, value: float, seen: Mapping[str, Value]) -> float | None:
        return self._targets[name].held(self.profile, value, seen)

    def scale(self, name: str) -> float:
        """One in the setpoint's own limits is so many W: power setpoints are given per unit of the rating."""
        return self.device.rated_power or 1.0 if name in ("p_set", "q_set") else 1.0

    def meta(self) -> Meta:
        rated = {"power": self.device.rated_power, "apparent_power": self.device.rated_apparent_power}
        has = self._writer.has
        commands = {name for name, one in self._targets.items() if not self.known or has(one.setpoint.model)}
        return Meta(
            kind=self.profile.kind,
            make=self.profile.make,
            model=self.profile.model,
            profile=self.device.profile,
            ratings={name: value for name, value in rated.items() if value is not None},
            points={
                one.name: PointMeta(unit=one.point.unit, low=one.point.low, high=one.point.high)
                for one in self._reader.plan.points
            },
            commands=sorted(commands | ({"pf_set"} if {"p_set", "q_set"} <= commands else set())),
            actions=sorted(self.actions),
        )

    def close(self) -> None:
        self.line.close()


_: type[FieldDevice] = ModbusDevice  # mypy compares the two
