"""Reads the points of one device. What it does not have is left out, whatever block it stands in.

The registers of a make differ between models and firmwares, and a request that touches one that is not there is
declined whole. Such a request is halved until it is known which points are missing; the others are read without them.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Reading
from bridges.fieldbus.modbus.blocks import Block, Located, Words, values
from bridges.fieldbus.modbus.line import NO_SUCH, Line
from bridges.fieldbus.modbus.read_plan import ReadPlan, Request, requests
from schemas.messages import Value

RETRY = 60.0
"""Seconds after which one of the missing points is asked for again: what stands behind a device may be away a while."""

Answer = tuple[Request, list[int]]


@dataclass
class Reader:
    """One device on its line."""

    line: Line
    unit: int
    plan: ReadPlan
    lacking: Mapping[int, str] = field(default_factory=dict)
    """Models that the device does not have, and why."""
    missing: dict[str, str] = field(default_factory=dict)
    """Points that the device does not have, and its words about them."""
    _instead: dict[Request, list[Request]] = field(default_factory=dict)
    """What is asked instead of a request that was declined."""
    _known: dict[Block, list[int]] = field(default_factory=dict)
    """The last words of every block: a slow point's scale factor may stand in a block of another turn."""
    _retry: float = 0.0

    def __post_init__(self) -> None:
        located = {one.name for one in self.plan.points}
        points = self.plan.profile.points.items()
        self._absent = {
            name: self.lacking.get(one.model or 0, f"the device has no model {one.model}")
            for name, one in points
            if name not in located
        }

    async def read(self, wanted: Sequence[Request], lesser: Sequence[Request] = ()) -> Reading:
        """One cycle. Of `lesser` requests one that fails inside of the device is left out.

        Raises Unreachable, or Declined where nothing at all can be read.
        """
        began = asyncio.get_running_loop().time()
        if self.missing and began >= self._retry:
            await self._try_again()
        answers = [answer for request in wanted for answer in await self._answers(request)]
        for request in lesser:
            try:
                answers += await self._answers(request)
            except Declined:
                if not answers:
                    raise
        if not answers and self.missing and (wanted or lesser):
            raise Declined(f"nothing can be read: {next(iter(self.missing.values()))}")
        raw: dict[Hashable, list[int]] = {request.block: words for request, words in answers}
        return Reading(self._values(answers), began, raw, self._absent | self.missing)

    async def look(self, *points: str) -> Reading:
        """Some points only; those that are missing are not asked for. Raises Unreachable or Declined."""
        return await self.read(self.plan.look(frozenset(points).difference(self.missing)))

    async def words(self, block: Block) -> list[int]:
        """Some registers, and what is known is newer by them. Raises Unreachable or Declined."""
        words = await self.line.read(self.unit, block.function, block.start, block.count)
        self._known.pop(block, None)  # the newest stand last
        self._known[block] = words
        return words

    def word(self, function: int, address: int) -> int | None:
        """What a register held when it was last read."""
        for block, words in reversed(self._known.items()):
            if block.holds(function, address, address + 1):
                return words[address - block.start]
        return None

    async def _answers(self, request: Request) -> list[Answer]:
        if request in self._instead:
            return [answer for part in self._instead[request] for answer in await self._answers(part)]
        try:
            return [await self._ask(request)]
        except Declined as no:
            if no.code not in NO_SUCH:
                raise
        asked = [one for one in request.points if one.name not in self.missing]
        middle = len(asked) // 2
        found = [answer for half in (asked[:middle], asked[middle:]) for answer in await self._some(half)]
        left = [one for one in asked if one.name not in self.missing]
        # With nothing missing the request was too long, or spans a gap that it must not: its halves stay.
        self._instead[request] = (
            self._without_missing(left) if len(left) < len(request.points) else [part for part, _ in found]
        )
        return found

    async def _some(self, points: Sequence[Located]) -> list[Answer]:
        """What these points say, in ever smaller requests until one is not declined."""
        try:
            return [await self._ask(part) for part in requests(points, self.plan.profile)]
        except Declined as no:
            if no.code not in NO_SUCH:
                raise
            if len(points) == 1:
                self._miss(points[0], no)
                return []
        middle = len(points) // 2
        return [*await self._some(points[:middle]), *await self._some(points[middle:])]

    def _miss(self, one: Located, no: Declined) -> None:
        if not self.missing:
            self._retry = asyncio.get_running_loop().time() + RETRY
        self.missing[one.name] = str(no)

    def _without_missing(self, left: Sequence[Located]) -> list[Request]:
        needed = {register for one in left for register in one.registers}
        gone = {register for one in self.plan.points if one.name in self.missing for register in one.registers}
        return requests(left, self.plan.profile, avoid=gone - needed)

    async def _try_again(self) -> None:
        """One of the missing points in turn; if it is there now, all are looked for."""
        self._retry = asyncio.get_running_loop().time() + RETRY
        name = next(iter(self.missing))
        try:
            for request in self.plan.look(frozenset([name])):
                await self._ask(request)
        except Declined:
            self.missing[name] = self.missing.pop(name)
            return
        self.missing.clear()
        self._instead.clear()

    async def _ask(self, request: Request) -> Answer:
        return request, await self.words(request.block)

    def _values(self, answers: Iterable[Answer]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        crossing: list[Located] = []
        for request, words in answers:
            found |= request.decode(words)
            crossing += request.decode.crossing
        if not crossing:
            return found
        image: Words = {}
        for block, words in self._known.items():  # what is newer comes later and wins
            image |= {(block.function, block.start + place): word for place, word in enumerate(words)}
        return found | values(crossing, image, self.plan.profile)
