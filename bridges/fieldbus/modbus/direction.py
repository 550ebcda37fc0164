"""What to write for a setpoint, in which order, and what must be read afterwards. Pure.

Of a setpoint with a sign the value comes first and then what makes it count. One may be two limits that meet: the one
that makes room comes first, so that they never contradict each other. One may also be an amount and a direction:
between any two writes the device never gives more power, nor power in the other direction, than before or after: the
amount goes to 0 before anything that changes what it means, and comes last. So a write that fails leaves less power.
Where a mode rests and each direction has an amount of its own, the way leads through that mode, and the mode comes
last: not every device takes an amount of 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridges.fieldbus.modbus.codec import decode, encode, pack, unpack
from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Modes, Register, Setpoint

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
    beside = {(one.model, one.register_): one.count for one in setpoint.companions}
    return beside | {(setpoint.model, modes.register_): 1} | dict.fromkeys(amounts(setpoint, modes), setpoint.count)


def rests(modes: Modes) -> bool:
    """Whether a mode of its own says that no power flows, whatever the amounts of the two directions are."""
    return modes.amount is not None and modes.zero not in (modes.positive, modes.negative)


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
    beside = companions(setpoint, order)
    amount = RegisterWrite(setpoint.write, here[-1 if value < 0 else 0], tuple(encode(setpoint, abs(value), order)))
    settled = all(held[one.place] == one.words for one in [*beside, direction])
    none = [RegisterWrite(setpoint.write, place, (0,) * setpoint.count) for place in here]
    stop = RegisterWrite(setpoint.write, direction.place, (modes.zero,))
    way = [*none, *beside, direction, amount]
    if rests(modes):
        other = [one for one in none if one.place != amount.place]
        way = [stop, *beside, *none] if direction == stop else [stop, *beside, *other, amount, direction]
    if settled and any(amount.words) and not (rests(modes) and direction == stop):
        way = [amount]
    found = list(_changes(held, way))
    fresh = anew or (setpoint.enable_each and bool(found))
    return [*found, direction] if fresh and direction not in found else found


def _changes(held: Held, wanted: list[RegisterWrite]) -> Iterator[RegisterWrite]:
    now = dict(held)
    for step in wanted:
        if now[step.place] != step.words:
            now[step.place] = step.words
            yield step


def companions(setpoint: Setpoint, order: str = "big") -> list[RegisterWrite]:
    """All that must stand beside a setpoint with a sign, its enable last."""
    found = [
        RegisterWrite(
            one.write, (one.model, one.register_), tuple(pack(Register(register=0, type=one.type), one.value, order))
        )
        for one in setpoint.companions
    ]
    if setpoint.enable is not None:
        found.append(RegisterWrite(setpoint.write, (setpoint.model, setpoint.enable), (1,)))
    return found


def signed_steps(
    setpoint: Setpoint,
    words: Sequence[int],
    held: Mapping[Place, tuple[int, ...] | None],
    order: str = "big",
    *,
    opposite: Sequence[int] = (),
    anew: bool = False,
) -> list[RegisterWrite]:
    """The writes for a setpoint with a sign; none of what is held already. None or absent: not known. `opposite`: the
    words of its value with the other sign, for a setpoint that has a register for it.

    `anew`: the value, and what enables it, in any case.
    """
    limits = _limits(setpoint, words, opposite, held, order)
    all_of_it = [*limits, *companions(setpoint, order)]
    found = [one for one in all_of_it if held.get(one.place) != one.words]
    again = {(setpoint.model, setpoint.enable)} if anew or (setpoint.enable_each and found) else set()
    again |= {one.place for one in limits} if anew else set()
    return [one for one in all_of_it if one in found or one.place in again]


def _limits(
    setpoint: Setpoint,
    words: Sequence[int],
    opposite: Sequence[int],
    held: Mapping[Place, Sequence[int] | None],
    order: str,
) -> list[RegisterWrite]:
    """The value, and the one with the other sign, where it has a register. What a device may discharge at most is above
    what it must, also between the two writes: it is written first when it rises."""
    most = RegisterWrite(setpoint.write, (setpoint.model, setpoint.register_), tuple(words))
    if setpoint.opposite is None:
        return [most]
    least = RegisterWrite(setpoint.write, (setpoint.model, setpoint.opposite), tuple(opposite))
    before = held.get(most.place)
    way = 1.0 if setpoint.scale > 0 else -1.0
    was, wanted = (None if one is None else way * float(unpack(setpoint, [*one], order)) for one in (before, words))
    rises = was is not None and wanted is not None and was < wanted
    return [most, least] if rises else [least, most]


def beside(profile: Profile, setpoint: Setpoint, value: float) -> dict[str, Value]:
    """By the points that read them: what direction register, companions and enable show while `value` holds."""
    order = profile.word_order
    wanted = {one.place: one.words for one in companions(setpoint, order)}
    if setpoint.modes is not None:
        wanted[setpoint.model, setpoint.modes.register_] = (mode(setpoint.modes, value, setpoint.scale),)
    elif not wanted:
        return {}
    shown = {
        name: decode(point, [*wanted[place]], order)
        for name, point in profile.points.items()
        if (point.function or profile.function) == 3
        and len(wanted.get(place := (point.model, point.register_), ())) == point.count
    }
    return {name: value for name, value in shown.items() if value is not None}
