"""Which requests of the devices of one unit one request may stand for. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bridges.fieldbus.modbus.blocks import Block


@dataclass(frozen=True, slots=True)
class Wish:
    """What one device of a unit asks in each of its cycles."""

    poll: float
    blocks: tuple[Block, ...]
    most: int
    """Registers of one request, as its profile bears it."""
    apart: bool
    """Its profile has one request for each point: none of them grows."""


def joined(wishes: Collection[Wish]) -> dict[Block, Block]:
    """By each request that overlaps or adjoins another one: the request that has them all. Only of devices that are
    read equally often, and never longer than the most cautious of their profiles bears."""
    most = min((wish.most for wish in wishes), default=0)
    found: dict[Block, Block] = {}
    for poll in {wish.poll for wish in wishes}:
        own = {block for wish in wishes if wish.poll == poll and not wish.apart for block in wish.blocks}
        for group in _groups(sorted(own, key=lambda one: (one.function, one.start)), most):
            first, end = group[0], max(block.start + block.count for block in group)
            whole = Block(first.function, first.start, end - first.start)
            found |= {block: whole for block in group if block != whole}
    return found


def _groups(blocks: Collection[Block], most: int) -> Iterator[list[Block]]:
    """Neighbours, as many as one request has room for."""
    group: list[Block] = []
    for block in blocks:
        end = max((one.start + one.count for one in group), default=0)
        near = bool(group) and block.function == group[0].function and block.start <= end
        if near and max(end, block.start + block.count) - group[0].start <= most:
            group.append(block)
            continue
        if group:
            yield group
        group = [block]
    if group:
        yield group
