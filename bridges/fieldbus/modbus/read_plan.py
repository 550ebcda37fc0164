"""How a make and model is read: its points, the requests, and what decodes their answers. Pure.

Two hundred devices of one make share one plan; a thousand small objects each would cost more than the sockets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.fieldbus.modbus.blocks import Block, Located, blocks, locate
from bridges.fieldbus.modbus.decoder import Decoder
from schemas.profile import Profile


@dataclass(eq=False)
class ReadPlan:
    """Everything about reading that does not depend on which unit it is."""

    profile: Profile
    points: list[Located]
    hot: list[Block] = field(init=False)
    """Read in each cycle."""
    slow: list[Block] = field(init=False)
    """Read in rotation, one in each cycle."""
    _decoders: dict[Block, Decoder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hot = blocks([p for p in self.points if p.point.rate == "fast"], self.profile.gap)
        self.slow = blocks([p for p in self.points if p.point.rate == "slow"], self.profile.gap)

    def decoder(self, block: Block) -> Decoder:
        if block not in self._decoders:
            self._decoders[block] = Decoder(block, self.points, self.profile)
        return self._decoders[block]


_made: dict[tuple[int, frozenset[tuple[int, int]]], ReadPlan] = {}


def read_plan(profile: Profile, bases: Mapping[int, int]) -> ReadPlan:
    """The plan for a profile whose SunSpec models begin at `bases`."""
    key = (id(profile), frozenset(bases.items()))  # the plan keeps the profile alive, so its id stays its own
    if key not in _made:
        _made[key] = ReadPlan(profile, locate(profile, bases))
    return _made[key]
