"""One unit on a line. It may be several devices (an inverter and its meters): its chain of models is walked once for
all."""

import asyncio
from dataclasses import dataclass, field

from bridges.fieldbus.modbus.line import Line
from bridges.fieldbus.modbus.sunspec import Chain, walk


@dataclass(eq=False)
class Unit:
    """What the devices of one unit know of it together."""

    number: int
    chain: Chain | None = None
    """As it was found; None when nobody knows it, or no longer."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def models(self, line: Line, function: int) -> Chain:
        """Its chain, walked where it is not known. Raises Unreachable or Declined."""
        async with self._turn:
            if self.chain is None:
                self.chain = await walk(line, self.number, function)
            return self.chain

    def forget(self, chain: Chain | None) -> None:
        """One of its devices has lost it: all walk anew. One that knew an older chain changes nothing."""
        if chain is self.chain:
            self.chain = None
