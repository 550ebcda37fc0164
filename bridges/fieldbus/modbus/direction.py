"""What to write for a setpoint, in which order, and what must be read afterwards. Pure.

Of a setpoint with a sign the value comes first and then what makes it count. One may also be an amount and a direction:
between any two writes the device never gives more power, nor power in the other direction, than before or after: the
amount goes to 0 before anything that changes what it means, and comes last. So a write that fails leaves less power.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridges.fieldbus.modbus.codec import decode, encode
from schemas.messages import Value
from schemas.profile import Modes, Profile, Setpoint

Place = tuple[int | None, int]
"""A SunSpec model, and the register in it."""
Held = Mapping[Place, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """One write."""

    function: int
    place: Place
    words: tuple[int, ...]


def amounts(setpoint: Setpoint, modes: Modes) -> list[Place]:
    """Where its amounts stand, the positive one first."""
    registers = [setpoint.register_, *([] if modes.amount is None else [modes.amount])]
    return [(setpoint.model, register) for register in registers]


def places(setpoint: Setpoint, modes: Modes) -> dict[Place, int]:
    """All that must be known before it is written, each with its number of registers."""
    beside = [(one.model, one.register_) for one in setpoint.companions]
    return dict.fromkeys([*beside, (setpoint.model, modes.register_)], 1) | dict.fromkeys(
        amounts(setpoint, modes), setpoint.count
    )


def mode(modes: Modes, value: float, step: float) -> int:
    """What the direction register must hold; a value that the amount rounds to 0 has no direction."""
    if round(value / step) == 0:
        return modes.zero
    return modes.positive if value > 0 else modes.negative


def steps(
    setpoint: Setpoint, modes: Modes, value: float, held: Held, order: str = "big", *, anew: bool = False
) -> list[RegisterWrite]:
    """The writes that lead from what the registers hold to `value`; none of what they hold already.

    `anew`: the mode is written in any case, for a device whose time begins again with it.
    """
    here = amounts(setpoint, modes)
    direction = RegisterWrite(setpoint.write, (setpoint.model, modes.register_), (mode(modes, value, setpoint.scale),))
    beside = companions(setpoint)
    amount = RegisterWrite(setpoint.write, here[-1 if value < 0 else 0], tuple(encode(setpoint, abs(value), order)))
    settled = all(held[one.place] == one.words for one in [*beside, direction])
    none = [RegisterWrite(setpoint.write, place, (0,) * setpoint.count) for place in here]
    found = list(_changes(held, [*([] if settled and any(amount.words) else none), *beside, direction, amount]))
    fresh = anew or (setpoint.enable_each and bool(found))
    return [*found, direction] if fresh and direction not in found else found


def _changes(held: Held, wanted: list[RegisterWrite]) -> Iterator[RegisterWrite]:
    now = dict(held)
    for step in wanted:
        if now[step.place] != step.words:
            now[step.place] = step.words
            yield step


def companions(setpoint: Setpoint) -> list[RegisterWrite]:
    """All that must stand beside a setpoint with a sign, its enable last."""
    found = [RegisterWrite(one.write, (one.model, one.register_), (one.value,)) for one in setpoint.companions]
    if setpoint.enable is not None:
        found.append(RegisterWrite(setpoint.write, (setpoint.model, setpoint.enable), (1,)))
    return found


def signed_steps(
    setpoint: Setpoint, words: Sequence[int], held: Mapping[Place, tuple[int, ...] | None], *, anew: bool = False
) -> list[RegisterWrite]:
    """The writes for a setpoint with a sign; none of what is held already. None or absent: not known.

    `anew`: the value, and what enables it, in any case.
    """
    value = RegisterWrite(setpoint.write, (setpoint.model, setpoint.register_), tuple(words))
    found = [one for one in (value, *companions(setpoint)) if held.get(one.place) != one.words]
    again = {(setpoint.model, setpoint.enable)} if anew or (setpoint.enable_each and found) else set()
    again |= {value.place} if anew else set()
    return [one for one in (value, *companions(setpoint)) if one in found or one.place in again]


def beside(profile: Profile, setpoint: Setpoint, value: float) -> dict[str, Value]:
    """By the points that read them: what direction register, companions and enable show while `value` holds."""
    wanted: dict[Place, int] = {one.place: one.words[0] for one in companions(setpoint)}
    if setpoint.modes is not None:
        wanted[setpoint.model, setpoint.modes.register_] = mode(setpoint.modes, value, setpoint.scale)
    elif not wanted:
        return {}
    shown = {
        name: decode(point, [wanted[point.model, point.register_]])
        for name, point in profile.points.items()
        if (point.function or profile.function) == 3 and point.count == 1 and (point.model, point.register_) in wanted
    }
    return {name: value for name, value in shown.items() if value is not None}
