"""The only Modbus client: it reads and writes registers, and believes no answer but the one to its question."""

import asyncio
import contextlib
from collections.abc import Sequence

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.client import Client
from bridges.fieldbus.modbus.exchange import QUIET, Exchange, NotConnected
from bridges.fieldbus.modbus.line import NOT_THERE
from bridges.fieldbus.modbus.owed import Owed
from bridges.fieldbus.modbus.question import Asked, possible
from schemas.profile import LineTiming

TIMEOUT = 1.0
"""Seconds to wait for an answer; pymodbus' own retries would make it 12."""

BUSY, BUSY_PAUSE = 6, 0.05
"""A busy device is asked once more after some seconds."""


class Connection:
    """One connection, shared by the units behind it, one request at a time."""

    def __init__(self, address: str, timeout: float = TIMEOUT, lent: Owed | None = None) -> None:
        """`address` as in the site file, `timeout` of the units that nothing else is known of (see `expect`). `lent`:
        shared with other connections to it, for a gateway may give to one what another has asked for."""
        self.address = address
        self._exchange = Exchange(address, timeout, Owed() if lent is None else lent)
        self._lent = self._exchange.lent
        self._refusals = self._exchange.refusals
        self._turn = asyncio.Lock()

    def expect(self, unit: int, timing: LineTiming) -> None:
        """A unit on this line, and what it needs: its own timeout, and the longest pauses of all."""
        self._exchange.expect(unit, timing)

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """`count` registers from `start`. Raises Unreachable or Declined."""
        possible(function, start, count)
        async with self._turn:
            try:
                return await self._read(unit, function, start, count)
            except Declined as no:
                if no.code != BUSY:
                    raise
            await asyncio.sleep(BUSY_PAUSE)
            return await self._read(unit, function, start, count)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Write registers with function 6 or 16; gives the loop's time when the device had confirmed it.

        Never tried twice: a write that timed out may have happened. Nor made on a connection over TCP that never
        answered: a device that serves another client hears it when that one has gone. Raises Unreachable (NotConnected
        where nothing was sent), or Declined: also, with nothing sent, where the function does not write as many
        registers.
        """
        possible(function, start, len(words))
        if not all(0 <= word <= 0xFFFF for word in words):
            raise Declined(f"{list(words)} are not words of 16 bits: none was sent")
        async with self._turn:
            asked = Asked(unit, function, start, len(words))
            told = await self._told_apart(asked)
            client = await self._served_for(asked)
            if function == 6:
                question = client.write_register(start, words[0], device_id=unit)
                answer = await self._exchange.ask(question, asked)
                same = answer.address == start and list(answer.registers) == [words[0]]
            else:
                question = client.write_registers(start, list(words), device_id=unit)
                answer = await self._exchange.ask(question, asked)
                same = answer.address == start and answer.count == len(words)
            if not same:
                self._exchange.spoil(f"the answer to a write of {start} confirms another one, of {answer.address}")
            if not told:
                self._exchange.may_come(asked)
                self._exchange.spoil(f"what confirms the write of {start} may be the late answer to the one before")
            return asyncio.get_running_loop().time()

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        self._exchange.close()

    @property
    def connected(self) -> bool:
        return bool(self._exchange.client.connected)

    @property
    def served(self) -> bool:
        """It stands, and something has come on it."""
        return self.connected and self._refusals.served

    @property
    def left(self) -> bool:
        """The other side has refused or closed it, and has not answered since."""
        return self._refusals.left

    def leave(self) -> None:
        """It is not served, as if it had been closed."""
        self.close()
        self._refusals.left = True

    async def _read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        asked = Asked(unit, function, start, count)
        if self._exchange.rtu and (probe := self._lent.probe(asked, asyncio.get_running_loop().time())) is not None:
            await self._answered(probe)
        return await self._words(asked)

    async def _served_for(self, write: Asked) -> Client:
        """Raises NotConnected where nobody answers on a new connection, or Declined by a gateway."""
        client = await self._exchange.connected()
        if self.served or self._exchange.where.scheme == "rtu":
            return client
        try:
            await self._words(Asked(write.unit, 3, write.start, 1))
        except Declined as no:
            if no.code in NOT_THERE:
                raise
        except Unreachable as no:
            if not self.served:
                raise NotConnected(f"{no} on a new connection: nothing was written on it") from no
        await asyncio.sleep(QUIET)  # some close after each answer
        return await self._exchange.connected()

    async def _told_apart(self, write: Asked) -> bool:
        """Whether what confirms a write cannot be the late answer to one before. It is made in any case: the device may
        hear it."""
        probe = self._lent.probe(write, asyncio.get_running_loop().time()) if self._lent.owes(write) else None
        if probe is not None:
            with contextlib.suppress(Unreachable, Declined):
                await self._answered(probe)
        return not self._lent.owes(write)

    async def _answered(self, probe: Asked) -> None:
        """A question before which everything was answered. Raises Unreachable, or Declined by a gateway."""
        try:
            await self._words(probe)
        except Declined as no:
            if no.code in NOT_THERE:
                raise
        self._lent.answered(probe.unit)

    async def _words(self, asked: Asked) -> list[int]:
        unit, function, start, count = asked.unit, asked.function, asked.start, asked.count
        client = await self._exchange.connected()
        ask = client.read_input_registers if function == 4 else client.read_holding_registers
        question = ask(start, count=count, device_id=unit)
        answer = await self._exchange.ask(question, asked)
        if len(answer.registers) != count:
            self._exchange.spoil(f"asked for {count} registers at {start}, {len(answer.registers)} came")
        return list(answer.registers)
