"""Which registers to read, in which requests. Pure.

A device answers exception 2 to a request that touches one unmapped register, so a block spans only what the
profile maps, plus gaps the profile allows, and at most 125 registers (Modbus Application Protocol 1.1b3, 6.3).
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bridges.fieldbus.modbus.codec import decode, unpack
from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Point, Register
from schemas.units import plain

MOST = 125

Words = dict[tuple[int, int], int]
"""What was read: (function, address) -> word."""


@dataclass(frozen=True, slots=True)
class Located:
    """A point at its protocol address."""

    name: str
    point: Point
    function: int
    address: int
    scale_address: int | None = None
    sign_address: int | None = None
    negative_address: int | None = None
    """Where the amount of a negative value stands, when not at `address`."""
    less_address: int | None = None
    """Where a value stands that is taken away."""

    @property
    def amounts(self) -> list[int]:
        """Where its values begin, as many as it is made of."""
        return [at for at in (self.address, self.negative_address, self.less_address) if at is not None]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """The registers it needs: first and behind the last of each piece."""
        alone = [(at, at + 1) for at in (self.scale_address, self.sign_address) if at is not None]
        return [*((at, at + self.point.count) for at in self.amounts), *alone]

    @property
    def registers(self) -> Iterator[tuple[int, int]]:
        """Function and address of each register it needs."""
        return ((self.function, at) for start, end in self.pieces for at in range(start, end))


@dataclass(frozen=True, slots=True)
class Block:
    """One request."""

    function: int
    start: int
    count: int

    def holds(self, function: int, start: int, end: int) -> bool:
        return function == self.function and self.start <= start and end <= self.start + self.count

    def touches(self, one: Located) -> bool:
        """Whether the point needs a register of it."""
        last = self.start + self.count
        return one.function == self.function and any(start < last and end > self.start for start, end in one.pieces)


def address_of(register: Register, bases: Mapping[int, int]) -> int | None:
    """The protocol address of a register; None when the device lacks its SunSpec model."""
    if register.model is None:
        return register.register_
    base = bases.get(register.model)
    return None if base is None else base + register.register_


def locate(profile: Profile, bases: Mapping[int, int], ends: Mapping[int, int] | None = None) -> list[Located]:
    """Every point the device has. `bases` are the addresses where its SunSpec models begin, `ends` those behind them:
    what the model of this device has no room for is not there."""
    found = []
    for name, point in profile.points.items():
        address = address_of(point, bases)
        if address is None:
            continue
        base = address - point.register_  # 0 without a model
        scale = None if point.scale_register is None else base + point.scale_register
        sign = None if point.sign is None else base + point.sign.register_
        below = None if point.sign is None or point.sign.amount is None else base + point.sign.amount
        less = None if point.less is None else base + point.less
        one = Located(name, point, point.function or profile.function, address, scale, sign, below, less)
        end = (ends or {}).get(point.model or 0, math.inf)
        found += [one] if all(last <= end for _, last in one.pieces) else []
    return found


def blocks(  # points, and what bounds their requests
    points: Collection[Located],
    gap: int = 0,
    avoid: AbstractSet[tuple[int, int]] = frozenset(),
    most: int = MOST,
    *,
    apart: bool = False,
) -> list[Block]:
    """The fewest requests that read all these points without touching more than `gap` unmapped registers in a row, nor
    any (function, address) to `avoid`, nor more than `most` registers. A value and its scale or its sign are of one
    moment: one request has both wherever one may reach so far. `apart`: no request reads more than one place."""
    mapped = {register for one in points for register in one.registers}
    spans: set[tuple[int, int, int]] = set()
    for one in points:
        low, high = min(start for start, _ in one.pieces), max(end for _, end in one.pieces)
        whole = _readable(one.function, low, high, mapped, gap, avoid, most)
        spans |= {(one.function, start, end) for start, end in ([(low, high)] if whole else one.pieces)}
    found: list[Block] = []
    for function, start, end in sorted(spans):
        last = found[-1] if found else None
        if not apart and last and last.function == function and _joins(last, start, end, gap, avoid, most):
            found[-1] = Block(function, last.start, max(last.count, end - last.start))
        else:
            found.append(Block(function, start, end - start))
    return found


def _readable(  # noqa: PLR0917  # one span, and what bounds it
    function: int,
    start: int,
    end: int,
    mapped: AbstractSet[tuple[int, int]],
    gap: int,
    avoid: AbstractSet[tuple[int, int]],
    most: int,
) -> bool:
    """Whether one request may span from `start` to `end`."""
    unmapped = 0
    for address in range(start, end if end - start <= most else start):
        unmapped = 0 if (function, address) in mapped else unmapped + 1
        if unmapped > gap or (function, address) in avoid:
            return False
    return end - start <= most


def _joins(  # noqa: PLR0917  # as above
    last: Block, start: int, end: int, gap: int, avoid: AbstractSet[tuple[int, int]], most: int
) -> bool:
    behind = last.start + last.count
    between = ((last.function, address) for address in range(behind, start))
    return start <= behind + gap and end - last.start <= most and not any(one in avoid for one in between)


def covered(points: Iterable[Located], block: Block) -> list[Located]:
    """The points whose value a block reads."""
    return [one for one in points if block.holds(one.function, one.address, one.address + one.point.count)]


def values(points: Iterable[Located], image: Words, profile: Profile) -> dict[str, Value]:
    """What the image says of some points. A point whose registers were not all read is absent."""
    found = {}
    for one in points:
        power, negative = _power(one, image), _negative(one, image)
        start = one.negative_address if negative and one.negative_address is not None else one.address
        words = [image.get((one.function, start + i)) for i in range(one.point.count)]
        if power is None or negative is None or any(word is None for word in words):
            continue
        value = decode(one.point, [w for w in words if w is not None], profile.word_order, power, profile.sunspec)
        if value is not None and one.less_address is not None:
            value = _difference(one, value, image, profile, power)
        if value is not None:
            found[one.name] = _directed(value, negative, one.point.scale) if one.sign_address is not None else value
    return found


def _difference(one: Located, value: Value, image: Words, profile: Profile, power: int) -> Value | None:
    """Without what is taken away; None where that was not read, or is not there."""
    words = [image.get((one.function, (one.less_address or 0) + place)) for place in range(one.point.count)]
    if not isinstance(value, float) or any(word is None for word in words):
        return None
    taken = decode(one.point, [word for word in words if word is not None], profile.word_order, power, profile.sunspec)
    return plain(value - taken) if isinstance(taken, float) else None


def _directed(value: Value, negative: bool, scale: float) -> Value:
    """An amount with its direction. Some firmwares give the amount a sign as well, and not the same one."""
    if not isinstance(value, float):
        return value
    amount = math.copysign(abs(value), scale)
    return 0.0 - amount if negative else amount


def _negative(one: Located, image: Words) -> bool | None:
    """Whether another register says that the value is negative; None when it was not read."""
    if one.sign_address is None or one.point.sign is None:
        return False
    word = image.get((one.function, one.sign_address))
    return None if word is None else word in one.point.sign.negative


def _power(one: Located, image: Words) -> int | None:
    """The power of ten in the point's scale register; None when it was not read or is not a scale."""
    if one.scale_address is None:
        return 0
    word = image.get((one.function, one.scale_address))
    return None if word is None else power_of_ten(word)


def power_of_ten(word: int) -> int | None:
    """What a scale register holds. SunSpec allows -10..10; 0x8000 says `not implemented`, and the value then has no
    meaning: None."""
    power = int(unpack(Register(register=0, type="i16"), [word]))
    return power if -10 <= power <= 10 else None
