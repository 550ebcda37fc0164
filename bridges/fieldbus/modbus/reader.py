"""Reads the points of one device. What it does not have is left out, whatever block it stands in.

The registers of a make differ between models and firmwares, and a request that touches one that is not there is
declined whole. Such a request is halved until it is known which points are missing; the others are read without them.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Reading
from bridges.fieldbus.modbus.blocks import Block, Located, Words, values
from bridges.fieldbus.modbus.line import NO_SUCH, Line
from bridges.fieldbus.modbus.read_plan import ReadPlan, Request, requests
from schemas.messages import Value

RETRY = 60.0
"""Seconds after which one of the missing points is asked for again: what stands behind a device may be away a while."""

FAILED = 4
"""The exception by which some devices decline a register they do not have, and others say that they fail as a whole."""

NARROWED = (*NO_SUCH, FAILED)
"""After which it is looked for the registers that are meant."""

TRIES = 3
"""So often a value is read between two readings of a scale that stands too far away for one request."""

SOON = 5.0
"""The same after a failure inside of the device, which may be over."""

Answer = tuple[Request, list[int], Words, float]
"""What was asked, its words, words of other requests that are of the same moment, and when it was asked."""
Together = Callable[[Block, float], Awaitable[tuple[float, list[int]]]]
"""A block as it was asked for at a moment or later by any device of the unit: when that was, and its words."""
Failed = tuple[Request, Declined]


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
    together: Together | None = None
    _instead: dict[Request, list[Request]] = field(default_factory=dict)
    """What is asked instead of a request that was declined."""
    _known: dict[Block, list[int]] = field(default_factory=dict)
    """The last words of every block."""
    _holes: set[tuple[int, int]] = field(default_factory=set)
    """Function and address of what stands between a value and its scale and may not be there."""
    _retry: float = 0.0

    def __post_init__(self) -> None:
        located = {one.name for one in self.plan.points}
        points = self.plan.profile.points.items()
        self._absent = {
            name: self.lacking.get(one.model or 0) or f"its model {one.model} has no register {one.register_}"
            for name, one in points
            if name not in located and one.repeats is None
        }

    async def read(
        self, wanted: Sequence[Request], lesser: Sequence[Request] = (), oldest: float = math.inf
    ) -> Reading:
        """One cycle. Of `lesser` requests one that fails inside of the device is left out. What another device of the
        unit has asked for at `oldest` or later will do.

        Raises Unreachable, or Declined where nothing at all can be read.
        """
        began = asyncio.get_running_loop().time()
        if self.missing and began >= self._retry:
            await self._try_again()
        failed: list[Failed] = []
        answers = [answer for request in wanted for answer in await self._answers(request, failed, oldest)]
        for request in lesser:
            try:
                answers += await self._answers(request, failed, oldest)
            except Declined:
                if not answers:
                    raise
        self._leave_out(failed, answers)
        if not answers and self.missing and (wanted or lesser):
            raise Declined(f"nothing can be read: {next(iter(self.missing.values()))}")
        raw: dict[Hashable, list[int]] = {request.block: words for request, words, *_ in answers}
        values = {name: value for answer in answers for name, value in self._values(*answer[:3]).items()}
        began = min((at for *_, at in answers), default=began)
        return Reading(values, began, raw, self._absent | self.missing)

    async def look(self, *points: str) -> Reading:
        """Some points only; those that are missing are not asked for. Raises Unreachable or Declined."""
        return await self.read(self.plan.look(frozenset(points).difference(self.missing)))

    async def words(self, block: Block) -> list[int]:
        """Some registers, and what is known is newer by them. Raises Unreachable or Declined."""
        return self._learn(block, await self.line.read(self.unit, block.function, block.start, block.count))

    def _learn(self, block: Block, words: list[int]) -> list[int]:
        self._known.pop(block, None)  # the newest stand last
        self._known[block] = words
        return words

    def word(self, function: int, address: int) -> int | None:
        """What a register held when it was last read."""
        for block, words in reversed(self._known.items()):
            if block.holds(function, address, address + 1):
                return words[address - block.start]
        return None

    async def _answers(self, request: Request, failed: list[Failed], oldest: float) -> list[Answer]:
        """What a request says as far as it is there. One that the device fails at as a whole goes to `failed`."""
        if request in self._instead:
            return [answer for part in self._instead[request] for answer in await self._answers(part, failed, oldest)]
        try:
            return [await self._ask(request, oldest)]
        except Declined as no:
            if no.code not in NARROWED:
                raise
            if no.code == FAILED and await self._fails(request):
                failed.append((request, no))
                return []
        asked = [one for one in request.points if one.name not in self.missing]
        middle = len(asked) // 2
        found = [answer for half in (asked[:middle], asked[middle:]) for answer in await self._some(half)]
        left = [one for one in asked if one.name not in self.missing]
        # With nothing missing the request was too long, or spans a gap that it must not: its halves stay.
        self._instead[request] = (
            self._without_missing(left) if len(left) < len(request.points) else [part for part, *_ in found]
        )
        return found

    async def _some(self, points: Sequence[Located]) -> list[Answer]:
        """What these points say, in ever smaller requests until one is not declined."""
        try:
            return [await self._ask(part) for part in requests(points, self.plan.profile)]
        except Declined as no:
            if no.code not in NARROWED:
                raise
            if len(points) == 1:
                return await self._alone(points[0], no)
        middle = len(points) // 2
        return [*await self._some(points[:middle]), *await self._some(points[middle:])]

    async def _alone(self, one: Located, no: Declined) -> list[Answer]:
        """A point that was declined, without the registers between its own: those may be what the device lacks."""
        low, high = min(start for start, _ in one.pieces), max(end for _, end in one.pieces)
        between = {(one.function, at) for at in range(low, high)}.difference(one.registers)
        if between:
            try:
                found = [await self._ask(part) for part in requests([one], self.plan.profile, avoid=between)]
            except Declined as still:
                if still.code not in NARROWED:
                    raise
            else:
                self._holes |= between
                return found
        self._miss(one, no)
        return []

    def _leave_out(self, failed: Sequence[Failed], answers: Sequence[Answer]) -> None:
        """Requests that the device fails at. Raises Declined where nothing else came: then it fails as a whole."""
        if failed and not answers:
            raise failed[0][1]
        for request, no in failed:
            self._instead[request] = []
            for one in request.points:
                self._miss(one, no)

    def _miss(self, one: Located, no: Declined) -> None:
        if not self.missing or no.code == FAILED:
            self._again(no)
        self.missing.setdefault(one.name, str(no))

    def _again(self, no: Declined) -> None:
        self._retry = asyncio.get_running_loop().time() + (SOON if no.code == FAILED else RETRY)

    def _without_missing(self, left: Sequence[Located]) -> list[Request]:
        needed = {register for one in left for register in one.registers}
        gone = {register for one in self.plan.points if one.name in self.missing for register in one.registers}
        return requests(left, self.plan.profile, avoid=(gone | self._holes) - needed)

    async def _try_again(self) -> None:
        """One of the missing points in turn; if it is there now, all are looked for."""
        name = next(iter(self.missing))
        try:
            for request in self.plan.look(frozenset([name])):
                await self._ask(request)
        except Declined as no:
            self._again(no)
            self.missing[name] = self.missing.pop(name)
            return
        self.missing.clear()
        self._instead.clear()
        self._holes.clear()

    async def _fails(self, request: Request) -> bool:
        """Whether nothing of it is there: neither the first nor the last of its points, nor one in the middle."""
        points = [one for one in request.points if one.name not in self.missing]
        for one in {place: points[place] for place in (0, -1, len(points) // 2) if points}.values():
            try:
                for part in requests([one], self.plan.profile):
                    await self._ask(part)
            except Declined as no:
                if no.code != FAILED:
                    return False
            else:
                return False
        return True

    async def _ask(self, request: Request, oldest: float = math.inf) -> Answer:
        """One request; where a scale or a sign of it stands too far away, that is read before and after it, until both
        say the same. While they do not, its values are absent."""
        around, began = request.around, asyncio.get_running_loop().time()
        if self.together is not None and oldest <= began and not around and not request.amounts:
            at, words = await self.together(request.block, oldest)
            return request, self._learn(request.block, words), {}, at
        before = [await self.words(block) for block in around]
        for _ in range(TRIES):
            words, amounts = await self.words(request.block), [await self.words(block) for block in request.amounts]
            after = [await self.words(block) for block in around]
            if before == after:
                return request, words, image(zip((*around, *request.amounts), (*after, *amounts), strict=True)), began
            before = after
        return request, words, {}, began

    def _values(self, request: Request, words: list[int], beside: Words) -> dict[str, Value]:
        found = request.decode(words)
        if crossing := request.decode.crossing:
            found |= values(crossing, beside | image([(request.block, words)]), self.plan.profile)
        return found


def image(answers: Iterable[tuple[Block, Sequence[int]]]) -> Words:
    """Every word at its place."""
    return {(block.function, block.start + place): word for block, words in answers for place, word in enumerate(words)}
