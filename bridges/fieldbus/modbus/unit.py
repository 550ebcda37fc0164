"""One unit on a line. It may be several devices (a hybrid: its PCS, BMS, PV and meter): its chain of models is walked
once for all, and what one of them has read the others need not ask for in the same round."""

import asyncio
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.blocks import Block
from bridges.fieldbus.modbus.line import NOT_THERE, Line
from bridges.fieldbus.modbus.shared_blocks import Wish, joined
from bridges.fieldbus.modbus.sunspec import Chain, walk

APART, SILENT_APART = 60.0, 600.0
"""Seconds for which each device asks for its own registers after a request for them together was declined, or had no
answer while a device's own had: that costs a timeout each time."""

AGAIN = 60.0
"""Seconds between two walks along the chain for a device that is not found in it while another one is read."""

Answer = tuple[float, list[int]]
"""When it was asked for, by the event loop's time, and the words."""


@dataclass(eq=False)
class Unit:
    """What the devices of one unit know of it together; also their line to it, on which every write is seen."""

    number: int
    line: Line
    chain: Chain | None = None
    """As it was found; None when nobody knows it, or no longer."""
    _walked: float = -math.inf
    _well: float = -math.inf
    """When one of its devices was read last."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wishes: dict[Hashable, Wish] = field(default_factory=dict)
    _whole: dict[Block, Block] = field(default_factory=dict)
    """Requests of single devices, and what is asked instead."""
    _apart: dict[Block, float] = field(default_factory=dict)
    """Requests for several devices that cannot be answered, and until when they are not asked."""
    _proven: set[Block] = field(default_factory=set)
    """Those that were answered."""
    _kept: dict[Block, tuple[float, list[int] | Unreachable | Declined]] = field(default_factory=dict)
    """What came last, and when it was asked for."""
    _writing: int = 0
    _written: float = -math.inf
    """When the last write was over."""

    async def models(self, function: int) -> Chain:
        """Its chain, walked where it is not known. Raises Unreachable or Declined."""
        async with self._turn:
            if self.chain is None:
                self.chain = await walk(self.line, self.number, function)
                self._walked = asyncio.get_running_loop().time()
            return self.chain

    def read_well(self, at: float) -> None:
        """One of its devices was read."""
        self._well = at

    def forget(self, chain: Chain | None, last: float) -> None:
        """One of its devices, read `last` then, has lost it: all walk anew. One that knew an older chain changes
        nothing; nor, for a while, one that was never read by this one while another is: it may never be there."""
        never = last < self._walked < self._well
        if chain is self.chain and not (never and asyncio.get_running_loop().time() - self._walked < AGAIN):
            self.chain = None

    # the round ---------------------------------------------------------------------------------

    def wish(self, device: Hashable, wish: Wish) -> None:
        """What one of its devices asks in each cycle from now on."""
        self._wishes[device] = wish
        self._proven.clear()  # who connects anew may meet another device
        self._whole = joined(self._wishes.values())

    @property
    def round(self) -> float:
        """Seconds for which a reading is good for the other devices, too: half a cycle of the fastest."""
        return min((wish.poll for wish in self._wishes.values()), default=0.0) / 2

    async def together(self, block: Block, oldest: float) -> Answer:
        """A block, of which a reading will do that was asked for at `oldest` or later and after every write.

        Raises Unreachable or Declined, as the unit has answered that reading.
        """
        if len(self._wishes) < 2:
            return await self._fresh(block)
        async with self._turn:
            whole = self._whole.get(block, block)
            if self._apart.get(whole, -math.inf) > asyncio.get_running_loop().time():
                whole = block
            answer = None if whole == block else await self._as_part(block, whole, oldest)
            return answer or await self._once(block, oldest)

    async def _as_part(self, block: Block, whole: Block, oldest: float) -> Answer | None:
        """Its words out of the request for several devices; None where that one may be what cannot be answered. So
        one of them that lacks its registers costs the others nothing."""
        before = self._kept.get(whole)
        try:
            at, words = await self._once(whole, oldest)
        except Declined as no:
            if no.code in NOT_THERE:
                raise
            self._apart[whole] = asyncio.get_running_loop().time() + APART
            return None
        except Unreachable as no:
            if before is not None and before[1] is no:  # this round's failure of another device
                raise
            if whole in self._proven:
                self._proven.discard(whole)  # a lost answer; the next time it is looked for who is silent
                raise
            answer = await self._once(block, oldest)
            self._apart[whole] = asyncio.get_running_loop().time() + SILENT_APART
            return answer
        self._proven.add(whole)
        return at, words[block.start - whole.start :][: block.count]

    async def _once(self, block: Block, oldest: float) -> Answer:
        """What is kept of it if that is young enough; else asked anew and kept."""
        end = block.start + block.count
        for known, (at, said) in self._kept.items():
            if at >= oldest and known.holds(block.function, block.start, end):
                if isinstance(said, list):
                    return at, said[block.start - known.start :][: block.count]
                if known == block:
                    raise said.with_traceback(None)
        asked = asyncio.get_running_loop().time()
        try:
            answer = await self._fresh(block)
        except (Unreachable, Declined) as no:
            if isinstance(no, Unreachable) or no.code in NOT_THERE:
                self._keep(block, asked, no)
            raise
        self._keep(block, *answer)
        return answer

    def _keep(self, block: Block, at: float, said: list[int] | Unreachable | Declined) -> None:
        if not self._writing and at > self._written:
            self._kept[block] = at, said

    async def _fresh(self, block: Block) -> Answer:
        at = asyncio.get_running_loop().time()
        return at, await self.line.read(self.number, block.function, block.start, block.count)

    # the line ----------------------------------------------------------------------------------

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """Asked now, whatever is kept."""
        return await self.line.read(unit, function, start, count)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """What was read before it was over is nobody's any more, whatever became of it."""
        self._writing += 1
        try:
            return await self.line.write(unit, function, start, words)
        finally:
            self._writing -= 1
            self._written = asyncio.get_running_loop().time()
            self._kept.clear()

    def close(self) -> None:
        self.line.close()
