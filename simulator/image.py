"""The registers of a device, made from its profile: what a read shows, and which writes they take. No sockets."""

import math
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bridges.fieldbus.modbus.codec import NOT_IMPLEMENTED, decode, encode, encode_point, pack
from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Point, Register
from schemas.troubles import Trouble
from simulator.layout import Layout
from simulator.registers import Registers
from simulator.wishes import Wish, Wishes

ENDS = {"u16": (0, 0xFFFF), "i16": (-0x8000, 0x7FFF), "u32": (0, 2**32 - 1), "i32": (-(2**31), 2**31 - 1)}
SPARE = ("f", "t", "q", "pf")
"""Points nobody steers by."""

Senses = Callable[[str, Value], Value | None]
"""What a device's own sensors make of a point's true value; None for what they cannot tell."""


class Image:
    """Every register of the profile answers; for SunSpec, every register of the models it names."""

    def __init__(
        self,
        profile: Profile,
        *,
        rated: float = 0.0,
        apparent: float = 0.0,
        unit: int = 1,
        behind: "Image | None" = None,
    ) -> None:
        """`behind`: the image of a device of the same unit, whose chain of SunSpec models this one goes on with."""
        self.profile = profile = profile.rated(rated)
        begin = None if behind is None or not profile.sunspec else behind.without_end()
        layout = Layout(profile, rated=rated, apparent=apparent or rated, unit=unit, begin=begin)
        self._end = layout.chain.end
        self.address = layout.address
        self._at, self._writable, self._told = layout.at, layout.writable, layout.told
        self._names: dict[tuple[int, int, int], tuple[str, ...]] = {}  # what stands in the registers of a request
        self._held = layout.held
        self._new = dict(layout.held[3])
        registers = Registers(layout)
        self._power, self._wishes = registers.power, Wishes(profile, registers)
        self._check_rating(rated)

    def without_end(self) -> int | None:
        """Where its chain of models goes on, from now on: its end mark is taken away. None without a chain."""
        end, self._end = self._end, None
        if end is not None:
            for held in (self._held[3], self._new):
                del held[end], held[end + 1]
            self._names.clear()
        return end

    def has(self, function: int, start: int, count: int) -> bool:
        """Whether these registers can be read, or written, by this function."""
        if function in self._held:
            return all(address in self._held[function] for address in range(start, start + count))
        return self.takes(function, start, count)

    @property
    def span(self) -> tuple[int, int]:
        """Lowest and highest address."""
        addresses = [*self._held[3], *self._held[4]]
        return min(addresses), max(addresses)

    @property
    def spare(self) -> str:
        """A fast point the device can do without."""
        fast = [name for name, point in self.profile.points.items() if point.rate == "fast"]
        return next((name for name in SPARE if name in fast), fast[-1])

    def shows(self, names: Collection[str], function: int, start: int, count: int) -> bool:
        """Whether one of these points stands in these registers."""
        span = range(start, start + count) if names else ()
        return any(name in names for address in span for name in self._at.get((function, address), ()))

    def knows(self, function: int, address: int, values: Mapping[str, Value]) -> bool:
        """Whether one of these values stands in this register."""
        return any(name in values for name in self._at.get((function, address), ()))

    def told(self, start: int, count: int) -> frozenset[str]:
        """The commands and actions that these registers belong to, and `watchdog`."""
        nothing: frozenset[str] = frozenset()
        return nothing.union(*(self._told.get(address, nothing) for address in range(start, start + count)))

    def takes(self, function: int, start: int, count: int) -> bool:
        """Whether these registers can be written with this function."""
        return all(function in self._writable.get(address, ()) for address in range(start, start + count))

    def disable(self, command: str) -> None:
        """The device itself clears the enable register of a setpoint."""
        setpoint = self.profile.commands[command]
        if setpoint.enable is not None:
            self._held[3][self.address(setpoint.enable, setpoint.model)] = 0

    def tell_reversion(self, command: str, seconds: float) -> None:
        """The device's timer stands in the register that its profile names, where it names one."""
        setpoint = self.profile.commands[command]
        timer = setpoint.reverts
        if timer is not None and timer.register_ is not None:
            start = self.address(timer.register_, setpoint.model)
            words = pack(Register(register=0, type=timer.type), seconds / timer.scale, self.profile.word_order)
            self._held[3] |= dict(enumerate(words, start))

    def reset(self) -> None:
        """It holds what it held when it was new."""
        self._held[3] |= self._new

    def read(
        self, function: int, start: int, count: int, values: Mapping[str, Value], senses: Senses | None = None
    ) -> list[int] | None:
        """The words of a request with `values` shown in them, or None when one of them does not exist."""
        held = self._held[function]
        span = range(start, start + count)
        asked = function, start, count
        if asked not in self._names:
            if any(address not in held for address in span):
                return None
            found = dict.fromkeys(name for address in span for name in self._at.get((function, address), ()))
            self._names[asked] = tuple(found)
        self._show(self._names[asked], values, senses)
        return [held[address] for address in span]

    def seen(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The same values as a master reads them: in the steps of their registers."""
        found: dict[str, Value] = {}
        order = self.profile.word_order
        for name, point in self.profile.points.items():
            if name not in values:
                continue
            power, true = self._power(point), values[name]
            turned = point.less is not None and isinstance(true, float | int) and true < 0
            told = -true if turned and isinstance(true, float | int) else true
            value = decode(point, _encode(point, told, order, power), order, power, self.profile.sunspec)
            value = -value if turned and isinstance(value, float) else value
            found |= {} if value is None else {name: value}
        return found

    def write(self, function: int, start: int, words: Sequence[int]) -> list[Wish] | None:
        """Holds the words; what they ask for, or None when one of them cannot be written with this function."""
        if not self.takes(function, start, len(words)):
            return None
        span = range(start, start + len(words))
        self._held[3].update(zip(span, words, strict=True))
        return self._wishes.of(span)

    def _show(self, names: Iterable[str], values: Mapping[str, Value], senses: Senses | None) -> None:
        fresh: dict[tuple[int, int], int] = {}
        for name in names:  # always in one order: each value draws its noise from the same random numbers
            if name not in values:
                continue
            point = self.profile.points[name]
            value = values[name] if senses is None else senses(name, values[name])
            function: int = point.function or self.profile.function
            start = self.address(self._register(point, value), point.model)
            fresh |= self._taken_away(function, point, value)
            for place, word in enumerate(self._encoded(point, value)):
                # several points may share a register, each with its own bits
                fresh[function, start + place] = fresh.get((function, start + place), 0) | word
            fresh |= self._direction(function, name, point, value)
        for (function, address), word in fresh.items():
            self._held[function][address] = word

    def _taken_away(self, function: int, point: Point, value: Value | None) -> dict[tuple[int, int], int]:
        """The amount of a negative value, where it has a register of its own."""
        if point.less is None:
            return {}
        amount = max(0.0, -value) if isinstance(value, float | int) else value
        start = self.address(point.less, point.model)
        words = self._encoded(point.model_copy(update={"less": None}), amount)
        return {(function, start + place): word for place, word in enumerate(words)}

    def _encoded(self, point: Point, value: Value | None) -> list[int]:
        if point.less is not None and isinstance(value, float | int):
            value = max(0.0, value)
        if value is not None:
            return _encode(point, value, self.profile.word_order, self._power(point))
        raw = point.absent[0] if point.absent else NOT_IMPLEMENTED.get(point.type, math.nan)
        return pack(point, raw, self.profile.word_order)

    def _register(self, point: Point, value: Value | None) -> int:
        """Where the amount of a value stands: 0 where the direction that holds has it."""
        if point.sign is None or point.sign.amount is None or not isinstance(value, float | int):
            return point.register_
        direction = self._held[point.function or self.profile.function][self.address(point.sign.register_, point.model)]
        below = value < 0 or (value == 0 and direction in point.sign.negative)
        return point.sign.amount if below else point.register_

    def _direction(self, function: int, name: str, point: Point, value: Value | None) -> dict[tuple[int, int], int]:
        """The register that tells the sign, when a value shown without one has one."""
        if point.sign is None or not isinstance(value, float | int) or value == 0:
            return {}
        place = (function, self.address(point.sign.register_, point.model))
        if value < 0:
            return {place: point.sign.negative[0]}
        modes = self.profile.commands[name].modes if name in self.profile.commands else None
        return {} if modes is None else {place: modes.positive}

    def _check_rating(self, rated: float) -> None:
        registers = {"p": self.profile.points.get("p"), "p_set": self.profile.commands.get("p_set")}
        for name, register in registers.items():
            if register is None or register.type == "text":
                continue
            order, power = self.profile.word_order, self._power(register)
            try:
                for edge in (1.2 * rated, 0.0 if register.type.startswith("u") else -1.2 * rated):
                    encode(register, edge, order, power)
            except struct.error as wrong:
                raise Trouble(
                    f"{self.profile.make} {self.profile.model}: a rated power of {rated:g} W does not fit into "
                    f"its register for {name} ({register.type}, steps of {abs(register.scale):g} W)"
                ) from wrong


def _encode(point: Point, value: Value, order: str, power: int) -> list[int]:
    """As the codec does it, but a number too large for its register stands at the register's end, as on a device."""
    try:
        return encode_point(point, value, order, power)
    except struct.error:
        if point.type not in ENDS or not isinstance(value, float | int):
            raise
        low, high = ENDS[point.type]
        factor = point.scale * 10.0**power
        return encode_point(point, max(low, min(high, round(value / factor))) * factor, order, power)
