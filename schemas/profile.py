"""A profile is the register map of a make and model: data, no code.

Read by the bridge (decodes), by the simulator (encodes), by the generated pages and by the tests.
"""

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.units import Kind, Name, Number, Seconds

WORDS = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "i64": 4, "f32": 2, "f64": 4, "text": 0}
"""Registers of 16 bits per type; a text says its own length."""

Type = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "text"]

Unit = Literal[
    "", "W", "var", "VA", "V", "A", "Hz", "Wh", "varh", "VAh", "Ah", "%", "degC", "Ohm", "kOhm", "s", "min", "h", "deg"
]  # fmt: skip
"""The units of joulebus: no k, no M; the scale of a point leads there."""


METER_FROZEN = 60.0
"""Seconds a meter's registers may stand still: the grid's voltage and frequency never do for so long."""


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


def refused(mistakes: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """What a validator of a whole file raises, so that each mistake is told at its own place in it."""
    return ValidationError.from_exception_data(
        "file",
        [
            InitErrorDetails(
                type=PydanticCustomError("value_error", "{words}", {"words": words}), loc=place, input=None
            )
            for place, words in mistakes
        ],
    )


class Grade(StrEnum):
    """How far a profile has been proven."""

    LISTED = "listed"  # written from the manual
    RECORDED = "recorded"  # decodes a register dump of a real unit to known values
    PROVEN = "proven"  # run on a site


class Register(Shape):
    """Where a quantity lives in a device and how it is written there."""

    register_: int = Field(alias="register", ge=0, le=65535)
    """0-based protocol address; the offset inside `model` when that is given."""
    model: int | None = None
    """A SunSpec model: the address is found by walking the device's model chain."""
    type: Type = "u16"
    words: int = Field(default=0, ge=0, le=64)
    """Length of a text in registers; follows from the type otherwise."""
    scale: Number = 1.0
    """raw x scale = value in the unit of joulebus. Negative where a device counts power the other way."""
    scale_register: int | None = None
    """A register (in the same model) whose content, a power of ten, multiplies as well."""
    of_rated: bool = False
    """The register holds percent of the device's rated power; the point is in W all the same."""
    unit: Unit = ""
    function: Literal[3, 4] | None = None
    """3 holding or 4 input registers, when it differs from the profile's."""
    word_order: Literal["big", "little"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale is 0, every value would be 0: leave it out for 1")
        if (self.type == "text") != (self.words > 0):
            raise ValueError("`words` goes with type text, and text needs it")
        return self

    @property
    def count(self) -> int:
        """Registers it occupies."""
        return self.words or WORDS[self.type]

    @property
    def reach(self) -> float:
        """The largest amount it can say, in its unit; infinite for a float, and where the device tells the scale."""
        if self.type[0] not in "ui" or self.scale_register is not None:
            return math.inf
        return abs(self.scale) * (2.0 ** (16 * WORDS[self.type] - (self.type[0] == "i")) - 1)


R = TypeVar("R", bound=Register)


def _whole(given: object) -> object:
    """What takes two registers is written by function 16 when nothing is said."""
    return {"write": 16} | given if isinstance(given, dict) and given.get("type") == "u32" else given


class Sign(Shape):
    """A register that tells the direction of a value which the device gives without a sign."""

    register_: int = Field(alias="register", ge=0, le=65535)
    """In the same model, read by the same function."""
    negative: Annotated[list[int], Field(min_length=1)]
    """While it holds one of these the value is negative."""
    amount: int | None = Field(default=None, ge=0, le=65535)
    """Where the amount of a negative value stands, when each direction has a register of its own."""


class Repeats(Shape):
    """A part of a map that stands there several times, one behind the other: inputs, strings, modules."""

    every: int = Field(ge=1, le=1000)
    """Registers from one to the next."""
    most: int = Field(ge=2, le=32)
    """As many are looked for; of a SunSpec model those are there that it has room for."""


class Point(Register):
    """A quantity that is read. With `enum`, `first` or `flags` it is a name or a list of names."""

    rate: Literal["fast", "slow"] = "fast"
    low: Number | None = None
    high: Number | None = None
    """Outside of low..high a value is implausible and never published as good."""
    steepest: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """In the unit per second: a value that moves faster is implausible until three readings in a row agree."""
    sign: Sign | None = None
    """For a device that gives an amount here and its direction in another register."""
    less: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A register of the same type, scale and model whose value is taken away: for a device that gives what flows in and
    what flows out as two amounts."""
    repeats: Repeats | None = None
    """The point is read several times: `string_p` as `string_p_1`, `string_p_2`... The scale register is shared."""
    absent: list[int] = []
    """Raw values that mean `not implemented`."""
    enum: dict[str, str] | None = None
    """Raw value -> name of a state."""
    first: dict[str, str] | None = None
    """Bit -> name of a state; the first bit that is set decides, `otherwise` stands for none."""
    otherwise: str = "off"
    flags: dict[str, str] | None = None
    """Bit -> name of an alarm or a status; the value is the list of names that are set."""


class Write(Shape):
    """One register and what is written to it: by an action, or beside a setpoint."""

    register_: int = Field(alias="register", ge=0, le=65535)
    model: int | None = None
    value: int = Field(ge=0, le=65535)
    write: Literal[6, 16] = 6


class Beside(Write):
    """A register beside a setpoint, of 16 or 32 bits."""

    type: Literal["u16", "u32"] = "u16"
    value: int = Field(ge=0, le=0xFFFFFFFF)

    @model_validator(mode="before")
    @classmethod
    def _writes_all_of_it(cls, given: object) -> object:
        return _whole(given)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.value >= 2 ** (16 * WORDS[self.type]):
            raise ValueError(f'no {self.type} holds {self.value}: give type = "u32"')
        return self

    @property
    def count(self) -> int:
        """Registers it occupies."""
        return WORDS[self.type]


class Modes(Shape):
    """A setpoint without a sign: its register takes the amount, this one, in the same model, the direction.

    Written in an order that no failure makes dangerous: amount 0, companions, mode, amount.
    """

    register_: int = Field(alias="register", ge=0, le=65535)
    positive: int = Field(ge=0, le=65535)
    negative: int = Field(ge=0, le=65535)
    zero: int = Field(ge=0, le=65535)
    """For a wish of 0: the mode in which no power flows."""
    amount: int | None = Field(default=None, ge=0, le=65535)
    """Where the amount of a negative wish goes, when each direction has a register of its own."""


class Reverts(Shape):
    """The device's own timer that takes a setpoint back unless it is written again: we write it in time."""

    register_: int | None = Field(default=None, alias="register", ge=0, le=65535)
    """Where its seconds stand, in the same model; 0 or `not implemented` there is never."""
    type: Literal["u16", "u32"] = "u16"
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """raw x scale = seconds"""
    seconds: Annotated[Seconds, Field(gt=0)] | None = None
    """Where no register tells it."""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if (self.register_ is None) == (self.seconds is None):
            raise ValueError("give the register that holds the time, or `seconds` where none does")
        return self


class Setpoint(Register):
    """A quantity that can be written."""

    write: Literal[6, 16] = 16
    low: Number
    high: Number
    """Per unit of the device's rated power for `p_set` and `q_set`, else in the unit: a command has a limit."""
    memory: Literal["ram", "eeprom"] = "ram"
    """EEPROM wears out: such a register is never written cyclically."""
    fallback: Number | None = None
    """Where it goes when no valid command is left, in the unit of low and high. Every command has one, but for the
    `p_set` (or `p_set_pct`) of a battery's pcs, which goes to the site file's `battery.fallback`."""
    enable: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A register of the same model that must hold 1 for the setpoint to work: read back and written as a companion is,
    after the others."""
    enable_each: bool = False
    """A new value counts only when what enables it is written again: `enable`, or the register of `modes`."""
    reverts: Reverts | None = None
    """The device takes it back by itself after a time."""
    modes: Modes | None = None
    """For a device that takes an amount and its direction instead of a signed value."""
    opposite: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A register of the same model, type and scale that holds the value with the other sign: for a device that takes
    the most it may discharge and the most it may charge, either of them below 0. Both together leave it one power. Of
    the two the one that makes room is written first."""
    unseen: bool = False
    """It can only be written, and so can its companions: that it works shows in the measured power alone. All of it is
    written again in the time of `reverts`."""
    rating: Name | None = None
    """The point that shows the W which 100 % of it are: nothing but 0 is written where those are not the rated power of
    the site file."""
    companions: list[Beside] = []
    """Registers that must hold these values for the setpoint to work. Written when they hold others: before the mode
    of a setpoint with `modes`, after the value of one with a sign."""
    deadband: Number = Field(default=0.0, ge=0)
    """In the unit of low and high: a smaller change is not worth a write."""
    interval: Seconds | None = None
    """Between two writes at least; when not given 0 for ram, 300 for eeprom."""
    per_day: Annotated[int, Field(ge=1)] | None = None
    """Most writes in 24 h; when not given 100000 for ram, 50 for eeprom. What makes the site safer is not held up."""


class Watchdog(Shape):
    """The device's own dead-man: it goes to its safe state when nobody writes for `seconds`."""

    register_: int = Field(alias="register", ge=0, le=65535)
    model: int | None = None
    type: Literal["u16", "u32"] = "u16"
    seconds: Seconds
    scale: Number = 1.0
    """raw x scale = seconds"""
    write: Literal[6, 16] = 6
    """6 writes one register: 16 when not given for a u32."""
    fed_by: Literal["any", "write", "setpoint"] = "any"
    """What feeds it: any request, a write to this register, or the setpoint written again."""

    @model_validator(mode="before")
    @classmethod
    def _writes_all_of_it(cls, given: object) -> object:
        return _whole(given)


class Heartbeat(Shape):
    """A counter of ours that a device wants to see moving. One that declines it is not asked again."""

    register_: int = Field(alias="register", ge=0, le=65535)
    model: int | None = None
    type: Literal["u16", "u32"] = "u16"
    write: Literal[6, 16] = 16
    every: Seconds = 1.0
    """Between two beats at least; never faster than the device is read."""


_PV_INPUT = re.compile(r"pv_p_\d+")
FACTOR = "pf_set"
"""A power factor: positive over-excited (it feeds var in), negative under-excited. `scale = -1` for an inverter that
counts by the EEI, as SunSpec's model 123: there over-excited is negative while it feeds in."""
BY_SITE = ("p_set", "p_set_pct")
"""Commands whose fallback the site file gives, for its battery."""


def _has_limits(given: object) -> object:
    missing = [key for key in ("low", "high") if isinstance(given, dict) and key not in given]
    if missing:
        raise ValueError(
            f"a command without a limit ({' and '.join(missing)} missing): give low and high, for p_set and q_set per "
            "unit of the rated power (low = -1, high = 1), else in its unit"
        )
    return given


def _each(points: "dict[str, Point]") -> "dict[str, Point]":
    """Each of the points that repeat, under a name of its own."""
    found: dict[str, Point] = {}
    for name, point in points.items():
        several = [_nth(point, place) for place in range(point.repeats.most)] if point.repeats else []
        for own, one in {f"{name}_{place}": one for place, one in enumerate(several, 1)}.items() or {
            name: point
        }.items():
            if own in found or (several and own in points):
                raise ValueError(f"{name} repeats, and its {own} is a point of its own: give one another name")
            found[own] = one
    return found


def _nth(point: Point, place: int) -> Point:
    """One of those that repeat. All but the first keep their `repeats`: they may well not be there."""
    several = point.repeats
    by = 0 if several is None else place * several.every
    less = None if point.less is None else point.less + by
    return point.model_copy(
        update={"register_": point.register_ + by, "less": less, "repeats": several if place else None}
    )


class LineTiming(Shape):
    """What a device needs of the line to it; times in seconds. Of devices that share a line the longest pauses and the
    fewest connections hold. A connection is kept, with one request at a time."""

    timeout: Annotated[Seconds, Field(gt=0, le=60)] = 1.0
    """How long its answer may take; on a serial line what the bytes need comes on top. A unit that was silent three
    times in a row is waited for shorter, but never shorter than it usually needs."""
    connect_pause: Annotated[Seconds, Field(ge=0, le=60)] = 0.0
    """Between a new connection and the first request: what is asked earlier is lost in some gateways and dongles."""
    request_pause: Annotated[Seconds, Field(ge=0, le=10)] = 0.0
    """Between an answer and the next request: some devices do not hear what comes sooner."""
    silent_interval: Annotated[Seconds, Field(ge=0, le=1)] | None = None
    """RTU: the silence before each frame. When not given, the specification's 3.5 characters on a serial line of this
    machine, never less than 1.75 ms, and nothing behind a gateway, which keeps it itself."""
    most_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Of one reading request: some devices and gateways decline, or cut, longer ones."""
    one_point: bool = False
    """One request for each point, for a device that answers nothing else rightly; a value and its scale stay
    together."""
    write: Literal[6, 16] | None = None
    """The function that writes a single register, for a device that knows but one; when not given each register's own.
    Values of several registers are written by 16."""
    connections: Annotated[int, Field(ge=1, le=8)] | None = None
    """To one address at most, not on a serial line; 1 when no device there gives it, for many serve one client and turn
    the next one away. With more the units behind a gateway are read side by side, so that a slow one holds up no
    other; each unit is still asked one thing at a time."""


class Profile(Shape):
    """A make and model."""

    make: str
    model: str
    kind: Annotated[Kind, Field(strict=False)]
    source: str
    """Where the map comes from: manual, revision, page, or a project that uses it."""
    grade: Annotated[Grade, Field(strict=False)] = Grade.LISTED
    notes: str = ""
    function: Literal[3, 4] = 3
    word_order: Literal["big", "little"] = "big"
    gap: int = Field(default=0, ge=0, le=120)
    """How many unmapped registers one read may touch: most devices answer exception 2 to the first."""
    sunspec: bool = False
    """Its models are found by walking the chain from `SunS`."""
    line: LineTiming = LineTiming()
    """Timeouts and pauses it needs."""
    frozen_after: Seconds | None = None
    """Seconds after which registers that stand still are frozen; 0 for never. When not given 60 for a meter, whose
    voltage always moves, and never for others: a battery at rest may stand still for hours."""
    pulse: Name | None = None
    """A point that moves as long as the device's own values are fresh, such as a heartbeat counter of the BMS in a
    PCS: when it stands still for `pulse_after`, all values are stale."""
    pulse_after: Seconds = 10.0
    points: Annotated[dict[Name, Point], Field(min_length=1), AfterValidator(_each)]
    commands: dict[Name, Annotated[Setpoint, BeforeValidator(_has_limits)]] = {}
    actions: dict[Literal["start", "stop", "standby", "reset", "grid_following", "grid_forming"], list[Write]] = {}
    watchdog: Watchdog | None = None
    heartbeat: Heartbeat | None = None

    @model_validator(mode="after")
    def _has_its_pulse(self) -> Self:
        if self.pulse is not None and self.pulse not in self.points:
            raise ValueError(f"pulse names the point {self.pulse!r}, and there is none of that name")
        return self

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name, register in [*self.points.items(), *self.commands.items()]:
            if (register.model is not None) != self.sunspec:
                raise ValueError(
                    f"{name}: `model` goes with `sunspec = true`, and a SunSpec profile gives it for every register"
                )
        return self

    @model_validator(mode="after")
    def _comes_back(self) -> Self:
        """What was commanded last would stay for ever without a fallback."""
        mistakes = []
        for name, one in self.commands.items():
            if one.fallback is None and name not in BY_SITE:
                calm = one.high if name in ("p_limit_pct", FACTOR) else min(max(0.0, one.low), one.high)
                words = "give where it goes when no valid command is left"
                mistakes.append((name, f"a command without a fallback: {words}, such as fallback = {calm:g}"))
            elif one.fallback is not None and not one.low <= one.fallback <= one.high:
                words = f"lies outside of its limits, low = {one.low:g} and high = {one.high:g}"
                mistakes.append((name, f"fallback {one.fallback:g} {words}"))
        factor = self.commands.get(FACTOR)
        if factor is not None and factor.memory == "eeprom":
            mistakes.append(
                (FACTOR, "it follows the active power, each few seconds: cells that wear take no such value")
            )
        if mistakes:
            raise refused((("commands", name), words) for name, words in mistakes)
        return self

    def over(self, line: LineTiming | None) -> "Profile":
        """The profile with what a site file says of the line to this device in place of its own."""
        if line is None:
            return self
        given = {key: getattr(line, key) for key in line.model_fields_set}
        return self.model_copy(update={"line": self.line.model_copy(update=given)})

    @property
    def pv_points(self) -> list[str]:
        """The powers of the PV of a hybrid: in one point, or of each of its inputs."""
        if self.kind is not Kind.PCS:
            return []
        return ["pv_p"] if "pv_p" in self.points else [name for name in self.points if _PV_INPUT.fullmatch(name)]

    def measuring(self, what: str | None) -> "Profile":
        """The profile of a meter at a load: it counts what that draws."""
        if what is None or self.kind is not Kind.METER:
            return self
        after = METER_FROZEN if self.frozen_after is None else self.frozen_after
        return self.model_copy(update={"kind": Kind(what), "frozen_after": after})

    def rated(self, power: float | None) -> "Profile":
        """The profile of a device of this size: what its registers give in percent of it is then in W."""
        registers = [*self.points.values(), *self.commands.values()]
        if power is None or not any(register.of_rated for register in registers):
            return self
        return self.model_copy(
            update={
                "points": {name: _sized(point, power) for name, point in self.points.items()},
                "commands": {name: _sized(setpoint, power) for name, setpoint in self.commands.items()},
            }
        )


def _sized(register: R, power: float) -> R:
    if not register.of_rated:
        return register
    return register.model_copy(update={"scale": register.scale * power / 100, "of_rated": False})
