"""Where quantities live in a device, and how they are read and written there: what a profile is made of."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.shape import Shape
from schemas.units import Name, Number, Seconds

WORDS = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "i64": 4, "f32": 2, "f64": 4, "text": 0}
"""Registers of 16 bits per type; a text says its own length."""

Type = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "text"]

Unit = Literal[
    "", "W", "var", "VA", "V", "A", "Hz", "Wh", "varh", "VAh", "Ah", "%", "degC", "Ohm", "kOhm", "s", "min", "h", "deg"
]  # fmt: skip
"""The units of joulebus: no k, no M; the scale of a point leads there."""


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


BITES = 1.5
"""Times the seconds of its own watchdog a device is left alone, so that it surely bites."""


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
