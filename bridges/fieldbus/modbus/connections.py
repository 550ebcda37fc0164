"""Several connections to one address, for a gateway that bears them: a slow unit holds up one, and no other unit."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import TIMEOUT, Connection
from bridges.fieldbus.modbus.exchange import NotConnected
from bridges.fieldbus.modbus.owed import Owed
from schemas.profile import LineTiming

log = logging.getLogger("bridge")
T = TypeVar("T")

REST = 60.0
"""Seconds for which a connection rests that was refused, or closed, while another one stands."""


class Connections:
    """Each asks one question at a time, and no unit is asked two at once."""

    def __init__(self, address: str, number: int, timeout: float = TIMEOUT) -> None:
        self.address = address
        lent = Owed()
        self._all = [Connection(address, timeout, lent) for _ in range(number)]
        self._free = asyncio.LifoQueue[Connection]()  # the one used last comes first: others are made when they must
        for one in self._all:
            self._free.put_nowait(one)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def expect(self, unit: int, timing: LineTiming) -> None:
        for one in self._all:
            one.expect(unit, timing)

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """Raises Unreachable or Declined; on another connection once more where one is not borne beside it."""
        async with self._turns[unit]:
            return await self._ask(lambda line: line.read(unit, function, start, count), Unreachable)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Raises Unreachable or Declined. Once more only where nothing was sent."""
        async with self._turns[unit]:
            return await self._ask(lambda line: line.write(unit, function, start, words), NotConnected)

    async def _ask(self, ask: Callable[[Connection], Awaitable[T]], again: type[Unreachable]) -> T:
        while True:
            async with self._one() as line:
                try:
                    return await ask(line)
                except again:
                    if not self._one_too_many(line):
                        if line.served or not any(one.served for one in self._all):
                            raise
                        return await self._beside(line, ask)

    async def _beside(self, silent: Connection, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """On another connection. What is answered there, and is not on one that never answered, tells that this is one
        too many: some take it, and serve it when the first is closed. Raises Unreachable or Declined."""
        async with self._one() as line:
            try:
                answer = await ask(line)
            except Declined:
                silent.leave()
                raise
            silent.leave()
            return answer

    def close(self) -> None:
        for one in self._all:
            one.close()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Connection]:
        line = await self._free.get()
        try:
            yield line
        finally:
            if self._one_too_many(line):
                log.warning("%s bears fewer than %d connections: one rests for a while", self.address, len(self._all))
                asyncio.get_running_loop().call_later(REST, self._free.put_nowait, line)
            else:
                self._free.put_nowait(line)

    def _one_too_many(self, line: Connection) -> bool:
        """It was refused or closed, and another one stands."""
        return line.left and not line.connected and any(one.connected for one in self._all if one is not line)
