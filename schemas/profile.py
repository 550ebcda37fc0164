"""A profile is the register map of a make and model: data, no code.

Read by the bridge (decodes), by the simulator (encodes), by the generated pages and by the tests.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.troubles import Trouble, explain
from schemas.units import Kind, Name, Number, Seconds

WORDS = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "i64": 4, "f32": 2, "f64": 4, "text": 0}
"""Registers of 16 bits per type; a text says its own length."""

Type = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "text"]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


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
    unit: str = ""
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


class Point(Register):
    """A quantity that is read. With `enum`, `first` or `flags` it is a name or a list of names."""

    rate: Literal["fast", "slow"] = "fast"
    low: Number | None = None
    high: Number | None = None
    """Outside of low..high a value is implausible and never published as good."""
    absent: list[int] = []
    """Raw values that mean `not implemented`."""
    enum: dict[str, str] | None = None
    """Raw value -> name of a state."""
    first: dict[str, str] | None = None
    """Bit -> name of a state; the first bit that is set decides, `otherwise` stands for none."""
    otherwise: str = "off"
    flags: dict[str, str] | None = None
    """Bit -> name of an alarm or a status; the value is the list of names that are set."""


class Setpoint(Register):
    """A quantity that can be written."""

    write: Literal[6, 16] = 16
    low: Number
    high: Number
    """Per unit of the device's rated power for `p_set` and `q_set`, else in the unit: a command has a limit."""
    memory: Literal["ram", "eeprom"] = "ram"
    """EEPROM wears out: such a register is never written cyclically."""
    fallback: Number | None = None
    """Where it goes when no valid command is left, in its own unit; left as it is when not given.
    `p_set` of the battery goes to the site file's `battery.fallback`."""
    enable: int | None = None
    """A register of the same model that must hold 1 for the setpoint to work."""


class Write(Shape):
    """One register written by an action."""

    register_: int = Field(alias="register", ge=0, le=65535)
    model: int | None = None
    value: int = Field(ge=0, le=65535)
    write: Literal[6, 16] = 6


class Watchdog(Shape):
    """The device's own dead-man: it goes to its safe state when nobody writes for `seconds`."""

    register_: int = Field(alias="register", ge=0, le=65535)
    model: int | None = None
    seconds: Seconds
    scale: Number = 1.0
    """raw x scale = seconds"""
    write: Literal[6, 16] = 6
    fed_by: Literal["write", "any"] = "any"
    """Whether it takes a write, or any request, to feed it."""


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
    points: Annotated[dict[Name, Point], Field(min_length=1)]
    commands: dict[Name, Setpoint] = {}
    actions: dict[Literal["start", "stop", "standby", "reset"], list[Write]] = {}
    watchdog: Watchdog | None = None

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name, register in [*self.points.items(), *self.commands.items()]:
            if (register.model is not None) != self.sunspec:
                raise ValueError(
                    f"{name}: `model` goes with `sunspec = true`, and a SunSpec profile gives it for every register"
                )
        return self


PROFILES = Path(__file__).parent.parent / "bridges" / "profiles"


def load_profile(name: str, folder: Path = PROFILES) -> Profile:
    """A profile by its name. Raises Trouble that names the file and what would be right."""
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.toml"))
        raise Trouble.unknown(f"profile {name!r}", name, known, where=str(folder))
    try:
        return Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong) from wrong
