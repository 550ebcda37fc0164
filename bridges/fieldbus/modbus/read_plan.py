"""How a make and model is read: its points, the requests, and what decodes their answers. Pure.

Two hundred devices of one make share one plan; a thousand small objects each would cost more than the sockets.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import attrgetter

from bridges.fieldbus.modbus.blocks import Block, Located, blocks, locate
from bridges.fieldbus.modbus.decoder import Decoder
from schemas.profile import Profile


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """One question, and what its answer says."""

    block: Block
    points: tuple[Located, ...]
    """All that need a register of it."""
    decode: Decoder
    """Of the points that are read by it: each is read by one request of a plan, for two could be of two moments."""
    around: tuple[Block, ...] = ()
    """Scales and signs of its points that no request reaches together with them."""
    amounts: tuple[Block, ...] = ()
    """Amounts of a negative value, or to be taken away, that stand as far away."""


def requests(
    points: Sequence[Located], profile: Profile, avoid: AbstractSet[tuple[int, int]] = frozenset()
) -> list[Request]:
    """The fewest that read these points; none touches a register to `avoid`."""
    line = profile.line
    found = blocks(points, profile.gap, avoid, line.most_registers, apart=line.one_point)
    read: dict[Block, list[Located]] = {block: [] for block in found}
    for one in points:
        read[_home(one, found)].append(one)
    return [_request(block, points, read[block], profile) for block in found]


def _request(block: Block, points: Sequence[Located], own: Sequence[Located], profile: Profile) -> Request:
    decode = Decoder(block, own, profile)
    away = [(one, Block(one.function, start, end - start)) for one in decode.crossing for start, end in one.pieces
            if not block.holds(one.function, start, end)]  # fmt: skip
    amounts = {there for one, there in away if there.start in one.amounts[1:]}
    around = {there for _, there in away} - amounts
    order = attrgetter("function", "start")
    return Request(
        block,
        tuple(one for one in points if block.touches(one)),
        decode,
        tuple(sorted(around, key=order)),
        tuple(sorted(amounts, key=order)),
    )


def _home(one: Located, found: Sequence[Block]) -> Block:
    """The first block that has all of a point; where none has, the first with its value."""
    for pieces in (one.pieces, one.pieces[:1]):
        for block in found:
            if all(block.holds(one.function, start, end) for start, end in pieces):
                return block
    raise AssertionError(f"no block reads {one.name}")


@dataclass(eq=False)
class ReadPlan:
    """Everything about reading that does not depend on which unit it is."""

    profile: Profile
    points: list[Located]
    hot: list[Request] = field(init=False)
    """Asked in each cycle."""
    slow: list[Request] = field(init=False)
    """Asked in rotation, one in each cycle."""
    _looks: dict[frozenset[str], list[Request]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hot = requests([p for p in self.points if p.point.rate == "fast"], self.profile)
        self.slow = requests([p for p in self.points if p.point.rate == "slow"], self.profile)

    def look(self, names: frozenset[str]) -> list[Request]:
        """What reads some points only."""
        if names not in self._looks:
            self._looks[names] = requests([one for one in self.points if one.name in names], self.profile)
        return self._looks[names]


_made: dict[tuple[int, frozenset[tuple[int, int]], frozenset[tuple[int, int]]], ReadPlan] = {}


def read_plan(profile: Profile, bases: Mapping[int, int], ends: Mapping[int, int] | None = None) -> ReadPlan:
    """The plan for a profile whose SunSpec models begin at `bases`, and stand before `ends`."""
    # the plan keeps the profile alive, so its id stays its own
    key = (id(profile), frozenset(bases.items()), frozenset((ends or {}).items()))
    if key not in _made:
        _made[key] = ReadPlan(profile, locate(profile, bases, ends))
    return _made[key]
