"""What is wrong with a profile although every single field is right: points that collide, words that mean nothing.

A wrong register map is the most dangerous file of a site: it commands a battery by numbers it misunderstood. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.profile import Point, Profile, Register

Mistake = tuple[str, str]
"""Where (`points.p`) and what, with what would be right."""

LAST = 65535
CANONICAL = {
    r"(.*_)?p(_l[123]|_set|_max_inj|_max_abs)?|dc_p": "W",
    r"q(_l[123]|_set)?": "var",
    r"s(_l[123]|_max)?": "VA",
    r"f": "Hz",
    r"u(_l[123]n|_l12|_l23|_l31|_charge_max|_discharge_min)?|dc_u|cell_u_(max|min|avg)": "V",
    r"i(_l[123])?|dc_i|ccl|dcl": "A",
    r"soc|soh|p_limit_pct|throttle_pct": "%",
    r"t|t_.*|cell_t_(max|min)": "degC",
    r"e_.*": "Wh",
    r"eq_(import|export)": "varh",
    r"riso(_pos|_neg)?": "kOhm",
}
"""Names with one meaning everywhere in joulebus have one unit everywhere: alarms and limits rely on it."""


def mistakes(profile: Profile) -> Iterator[Mistake]:
    """All mistakes of a profile, in the order of the file."""
    for name, point in profile.points.items():
        place = f"points.{name}"
        yield from ((place, words) for words in [*_reach(point), *_unit(name, point), *_range(point), *_names(point)])
        yield from ((place, words) for words in _sentinels(point))
    for name, setpoint in profile.commands.items():
        place = f"commands.{name}"
        yield from ((place, words) for words in [*_reach(setpoint), *_unit(name, setpoint), *_range(setpoint)])
    yield from _collisions(profile)


def _collisions(profile: Profile) -> Iterator[Mistake]:
    registers = {f"points.{name}": point for name, point in profile.points.items()}
    for (one, a), (other, b) in combinations(registers.items(), 2):
        if not _overlap(profile, a, b):
            continue
        same = (a.register_, a.count) == (b.register_, b.count)
        if same and (_is_view(a) or _is_view(b)):
            continue  # bits and states of one register are read as several points
        yield other, f"overlaps {one}: {_span(b)} and {_span(a)}; {_advice(a, b, same=same)}"
    for name, setpoint in profile.commands.items():
        for place, point in registers.items():
            same = (setpoint.register_, setpoint.count) == (point.register_, point.count)
            if not same and _overlap(profile, setpoint, point):
                spans = f"{_span(setpoint)} and {_span(point)}"
                advice = "a setpoint and its read-back have the same register and type"
                yield f"commands.{name}", f"overlaps {place}: {spans}; {advice}"


def _overlap(profile: Profile, a: Register, b: Register) -> bool:
    here = (a.function or profile.function, a.model) == (b.function or profile.function, b.model)
    return here and a.register_ < b.register_ + b.count and b.register_ < a.register_ + a.count


def _advice(a: Register, b: Register, *, same: bool) -> str:
    if same:
        return "one of them needs another register, or enum, first or flags if it is a part of the same word"
    first = min((a, b), key=lambda one: one.register_)
    if a.register_ == b.register_:
        return "two points of one register have the same type"
    free = first.register_ + first.count
    return f"did you mean register {free}, or a type with less than {first.count} words at {first.register_}?"


def _is_view(register: Register) -> bool:
    return any(getattr(register, key, None) is not None for key in ("enum", "first", "flags"))


def _span(register: Register) -> str:
    last = register.register_ + register.count - 1
    return f"register {register.register_}" if last == register.register_ else f"registers {register.register_}-{last}"


def _reach(register: Register) -> Iterator[str]:
    last = register.register_ + register.count - 1
    if last > LAST:
        yield (
            f"no request can read {_span(register)}: the last register is {LAST}; "
            f"{register.type} takes {register.count} registers"
        )
    scale = register.scale_register
    if scale is not None and not 0 <= scale <= LAST:
        yield f"no request can read scale_register {scale}: registers are 0 to {LAST}"
    if scale is not None and register.register_ <= scale <= last:
        yield f"its scale_register {scale} lies inside of the value itself, {_span(register)}"


def _unit(name: str, register: Register) -> Iterator[str]:
    if register.type == "text" or _is_view(register):
        return
    for pattern, unit in CANONICAL.items():
        if re.fullmatch(pattern, name) and register.unit != unit:
            yield (
                f"{name} is in {unit} everywhere in joulebus, not in {register.unit or 'nothing'}: give unit = "
                f'"{unit}" and the scale that makes it so, or take another name'
            )


def _range(register: Register) -> Iterator[str]:
    low, high = getattr(register, "low", None), getattr(register, "high", None)
    if low is not None and high is not None and low >= high:
        yield f"low {low:g} is not below high {high:g}; did you mean low = {high:g}, high = {low:g}?"


def _names(point: Point) -> Iterator[str]:
    given = [key for key in ("enum", "first", "flags") if getattr(point, key) is not None]
    if len(given) > 1:
        yield f"has {' and '.join(given)}: a point is one of them; make a second point of the same register"
    bits = 16 * point.count
    for key in (*(point.first or ()), *(point.flags or ())):
        if not key.isdigit() or int(key) >= bits:
            yield f"bit {key} does not exist: {point.type} has the bits 0 to {bits - 1}"
    for key in point.enum or ():
        if not re.fullmatch(r"-?\d+", key):
            yield f'enum key {key!r} is not a number: write raw value = name, such as 4 = "running"'


def _sentinels(point: Point) -> Iterator[str]:
    if point.type in ("text", "f32", "f64"):
        return
    bits = 16 * point.count
    low, high = (0, 2**bits - 1) if point.type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for raw in point.absent:
        if not low <= raw <= high:
            hint = f"; did you mean {raw - 2**bits}?" if high < raw < 2**bits else ""
            yield f"absent {raw} never comes: {point.type} holds {low} to {high}{hint}"
