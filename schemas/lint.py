"""What is wrong with a profile although every single field is right: points that collide, words that mean nothing.

A wrong register map is the most dangerous file of a site: it commands a battery by numbers it misunderstood. Pure.
"""

import re
from collections.abc import Iterator
from itertools import combinations

from schemas.labels import CANONICAL
from schemas.profile import Profile
from schemas.register import WORDS, Modes, Point, Register, Setpoint

Mistake = tuple[str, str]
"""Where (`points.p`) and what, with what would be right."""

LAST = 65535


def mistakes(profile: Profile) -> Iterator[Mistake]:
    """All mistakes of a profile, in the order of the file."""
    for name, point in profile.points.items():
        place = f"points.{name}"
        yield from ((place, words) for words in [*_reach(point), *_unit(name, point), *_range(point), *_names(point)])
        yield from ((place, words) for words in [*_sentinels(point), *_less(point)])
    for name, setpoint in profile.commands.items():
        place = f"commands.{name}"
        if setpoint.type == "text":
            yield place, "a command is a number: its type is not text"
        yield from ((place, words) for words in [*_reach(setpoint), *_unit(name, setpoint), *_range(setpoint)])
        yield from ((place, words) for words in _modes(name, setpoint, profile))
        yield from ((place, words) for words in _whole(setpoint.write, setpoint.type, setpoint.count))
        for one in setpoint.companions:
            yield from ((place, words) for words in _whole(one.write, one.type, one.count))
    yield from _twins(profile)
    yield from _ours(profile)
    yield from _collisions(profile)


def _whole(function: int, type_: str, count: int) -> Iterator[str]:
    """Function 6 writes one register: of a larger value the device would get a part, which is another value."""
    if function == 6 and count > 1:
        yield f"function 6 writes one register and {type_} takes {count}: give write = 16"


def _twins(profile: Profile) -> Iterator[Mistake]:
    for name in ("p_set", "q_set"):
        if {name, f"{name}_pct"} <= profile.commands.keys():
            yield f"commands.{name}_pct", f"is {name} in another unit: give one of the two"


def _ours(profile: Profile) -> Iterator[Mistake]:
    """The registers that we write by ourselves."""
    dog, heart = profile.watchdog, profile.heartbeat
    if dog is not None:
        yield from (("watchdog", words) for words in _whole(dog.write, dog.type, WORDS[dog.type]))
        raw = dog.seconds / dog.scale if dog.scale else 0.0
        if not 0.5 <= raw < 2 ** (16 * WORDS[dog.type]):
            yield "watchdog", f"{dog.seconds:g} s with scale {dog.scale:g} is {raw:g}, which no {dog.type} holds"
    if heart is not None:
        yield from (("heartbeat", words) for words in _whole(heart.write, heart.type, WORDS[heart.type]))


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


def _modes(name: str, setpoint: Setpoint, profile: Profile) -> Iterator[str]:
    """What is written must be seen: an amount with its sign, and the name of everything beside it (mode, companions,
    enable): a device may take it back by itself."""
    modes = setpoint.modes
    if setpoint.unseen:
        yield from _unseen(name, setpoint, profile)
        return
    yield from _opposed(setpoint, profile)
    if setpoint.rating is not None and not _watts(profile.points.get(setpoint.rating)):
        yield f"rating = {setpoint.rating!r}: there is no point of that name in W"
    beside: list[tuple[int | None, int, list[int]]] = [
        (one.model, one.register_, [one.value]) for one in setpoint.companions
    ]
    wide = {(one.model, one.register_): one.count for one in setpoint.companions}
    if modes is not None:
        yield from _directed(name, setpoint, modes, profile)
        beside.append((setpoint.model, modes.register_, sorted({modes.positive, modes.negative, modes.zero})))
    if setpoint.enable is not None:
        beside.append((setpoint.model, setpoint.enable, [1]))
    timer = None if setpoint.reverts is None else setpoint.reverts.register_
    if timer is not None and (timer == setpoint.enable or 0 <= timer - setpoint.register_ < setpoint.count):
        yield f"register {timer} cannot hold the time of `reverts`: it is the setpoint's own"
    if setpoint.enable_each and setpoint.enable is None and modes is None:
        yield "`enable_each` goes with an `enable` or with `modes`"
    for model, register, values in beside:
        if model == setpoint.model and 0 <= register - setpoint.register_ < setpoint.count:
            yield f"register {register} goes with the value and lies inside of it, {_span(setpoint)}"
        place = (model, register, wide.get((model, register), 1))
        seen = [one for one in profile.points.values() if (one.model, one.register_, one.count) == place]
        if not any((one.function or profile.function) == 3 and _tells(one, values) for one in seen):
            yield f"register {register} cannot be read back: give a point with function 3 whose enum has {values}"


def _unseen(name: str, setpoint: Setpoint, profile: Profile) -> Iterator[str]:
    """What cannot be read back must not be believed for ever: the device takes it back, or we write it again."""
    if name in profile.points:
        yield f"a point reads {name}: it is not `unseen`"
    if setpoint.reverts is None:
        yield "`unseen` goes with `reverts`, which says how often it is written again"
    if setpoint.modes is not None or setpoint.opposite is not None or setpoint.enable is not None:
        yield "`unseen` goes with a signed value and `companions`: what a direction or an enable holds must be known"


def _opposed(setpoint: Setpoint, profile: Profile) -> Iterator[str]:
    if setpoint.opposite is None:
        return
    if (
        setpoint.modes is not None
        or setpoint.type[0] not in "if"
        or abs(setpoint.opposite - setpoint.register_) < setpoint.count
    ):
        yield '`opposite` is a register beside a signed value, such as type = "i16", without `modes`'
    place = (
        setpoint.model,
        setpoint.opposite,
        setpoint.type,
        -setpoint.scale,
        setpoint.scale_register,
        setpoint.of_rated,
    )
    for one in profile.points.values():
        if (one.model, one.register_, one.type, one.scale, one.scale_register, one.of_rated) == place:
            return
    turned = f"a point of the same type with scale = {-setpoint.scale:g}"
    yield f"register {setpoint.opposite} cannot be read back: give {turned}"


def _watts(point: Point | None) -> bool:
    return point is not None and point.unit == "W"


def _directed(name: str, setpoint: Setpoint, modes: Modes, profile: Profile) -> Iterator[str]:
    if modes.positive == modes.negative:
        yield f"mode {modes.positive} stands for both directions"
    if setpoint.scale < 0 or setpoint.type not in ("u16", "u32", "f32") or setpoint.scale_register is not None:
        yield f"an amount is a u16, u32 or f32 with a positive scale and no scale_register, not {setpoint.type}"
    if setpoint.enable is not None:
        yield "`enable` goes with a setpoint that has a sign; give { register = .., value = 1 } in `companions`"
    back = profile.points.get(name)
    sign = None if back is None else back.sign
    wanted = (setpoint.register_, setpoint.model, modes.register_, modes.amount)
    if back is None or sign is None or (back.register_, back.model, sign.register_, sign.amount) != wanted:
        more = "" if modes.amount is None else f", amount = {modes.amount}"
        yield (
            f"it cannot be read back: give a point {name} of its register, with "
            f"sign = {{ register = {modes.register_}, negative = [{modes.negative}]{more} }}"
        )
    elif sign.negative != [modes.negative]:
        yield f"its point takes {sign.negative} for negative, the command writes {modes.negative}"


def _tells(point: Point, values: list[int]) -> bool:
    """Its names are different for each of these."""
    named = [(point.enum or {}).get(str(value)) for value in values]
    return None not in named and len(set(named)) == len(values)


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


def _less(point: Point) -> Iterator[str]:
    if point.less is None:
        return
    if point.type == "text" or _is_view(point) or point.sign is not None:
        yield "`less` goes with a number without `sign`"
    if abs(point.less - point.register_) < point.count:
        yield f"register {point.less} is taken away and lies inside of the value itself, {_span(point)}"


def _sentinels(point: Point) -> Iterator[str]:
    if point.type in ("text", "f32", "f64"):
        return
    bits = 16 * point.count
    low, high = (0, 2**bits - 1) if point.type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for raw in point.absent:
        if not low <= raw <= high:
            hint = f"; did you mean {raw - 2**bits}?" if high < raw < 2**bits else ""
            yield f"absent {raw} never comes: {point.type} holds {low} to {high}{hint}"
