"""A profile is the register map of a make and model: data, no code.

Read by the bridge (decodes), by the simulator (encodes), by the generated pages and by the tests.
"""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.register import Heartbeat, Point, Register, Setpoint, Watchdog, Write
from schemas.shape import Shape, refused
from schemas.units import Kind, Name, Seconds

METER_FROZEN = 60.0
"""Seconds a meter's registers may stand still: the grid's voltage and frequency never do for so long."""


class Grade(StrEnum):
    """How far a profile has been proven."""

    LISTED = "listed"  # written from the manual
    RECORDED = "recorded"  # decodes a register dump of a real unit to known values
    PROVEN = "proven"  # run on a site


R = TypeVar("R", bound=Register)


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
