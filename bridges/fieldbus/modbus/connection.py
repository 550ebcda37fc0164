"""The only Modbus client. What it returns was asked for: every other answer is an error.

pymodbus accepts answers with fewer or more registers, with another function code and with transaction id 0; over
RTU framing, which has no transaction ids, a late or doubled answer is taken for the next request and shifts every
later one. So each answer is compared with its request down to its length. After an answer that did not come the
connection is kept (a dongle that must rest after each new one would never be heard). A late one is told by its number
over Modbus TCP; over RTU framing the line must be silent first, and the unit answer a question that cannot be mistaken
(`owed.py`). A dongle with one queue gives a late answer to the next connection all the same: so the numbers go on
there, and begin somewhere in each process. pymodbus begins them at 1 with each connection.
"""

import asyncio
import contextlib
import random
import struct
import termios
from collections.abc import Sequence
from typing import Any, NoReturn

from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.client import NO_ANSWER, Client, client, in_words
from bridges.fieldbus.modbus.line import NOT_THERE
from bridges.fieldbus.modbus.numbered import Numbered
from bridges.fieldbus.modbus.owed import Owed
from bridges.fieldbus.modbus.question import Asked, possible
from bridges.fieldbus.modbus.refusals import Refusals
from bridges.fieldbus.modbus.timing import Patience, on_wire, pause, strictest
from runtime.cancelled import stoppable
from schemas.address import parse_address
from schemas.profile import LineTiming

TIMEOUT = 1.0
"""Seconds to wait for an answer; pymodbus' own retries would make it 12."""

QUIET = 0.05
"""Seconds without a byte after which a serial line is clean: a gateway delivers late answers to the next connection."""

RESTLESS = 10
"""So many times a line may break its silence; then it is used all the same."""

DEAD = 3
"""So many questions in a row without a byte: the connection may be dead without anybody having said so."""

NUMBERS = range(65_000)
"""Where pymodbus' transaction numbers may begin."""

BUSY, BUSY_PAUSE = 6, 0.05
"""A busy device is asked once more after some seconds."""

_RTU, _MBAP = 4, 8
"""Bytes around the body of an answer: unit, function and checksum; the header of Modbus TCP and the function."""


class NotConnected(Unreachable):
    """There is no connection: nothing was sent."""


class Connection:
    """One connection, shared by the units behind it, one request at a time."""

    def __init__(self, address: str, timeout: float = TIMEOUT, lent: Owed | None = None) -> None:
        """`address` as in the site file, `timeout` of the units that nothing else is known of (see `expect`). `lent`:
        shared with other connections to it, for a gateway may give to one what another has asked for."""
        self.address = address
        self._where = parse_address(address)
        self._client = client(self._where, timeout, trace_packet=self._heard, trace_connect=self._connection)
        self._rtu = self._where.scheme != "tcp"
        self._timing, self._patience = LineTiming(timeout=timeout), dict[int, Patience]()
        self._pause = pause(self._where, self._timing)
        self._rested = 0.0
        """When the silence is over that is due since the last byte, by the event loop's time."""
        self._turn = asyncio.Lock()
        self._asking = False
        self._length = 0
        """Bytes that have come since the question."""
        self._sent, self._echo = b"", False
        """The question, and whether it came back and nothing else."""
        self._unclean = False
        """Bytes came that nobody had asked for, or an answer is still owed."""
        self._number = random.choice(NUMBERS)
        """Modbus TCP: of the last question, on whichever connection."""
        self._numbered = Numbered()
        self._silent = 0
        """Questions in a row after which not a byte came on this connection."""
        self._lent = Owed() if lent is None else lent
        """RTU framing: answers that may still come."""
        self._refusals = Refusals(address)

    def expect(self, unit: int, timing: LineTiming) -> None:
        """A unit on this line, and what it needs: its own timeout, and the longest pauses of all."""
        known = self._patience.get(unit)
        self._patience[unit] = Patience(max(timing.timeout, known.timeout if known else 0.0))
        self._timing = strictest(self._timing, timing)
        self._pause = pause(self._where, self._timing)

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
                answer = await self._ask(question, asked)
                same = answer.address == start and list(answer.registers) == [words[0]]
            else:
                question = client.write_registers(start, list(words), device_id=unit)
                answer = await self._ask(question, asked)
                same = answer.address == start and answer.count == len(words)
            if not same:
                self._spoil(f"the answer to a write of {start} confirms another one, of {answer.address}")
            if not told:
                self._may_come(asked)
                self._spoil(f"what confirms the write of {start} may be the late answer to the one before")
            return asyncio.get_running_loop().time()

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        self._client.close()

    @property
    def connected(self) -> bool:
        return bool(self._client.connected)

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
        if self._rtu and (probe := self._lent.probe(asked, asyncio.get_running_loop().time())) is not None:
            await self._answered(probe)
        return await self._words(asked)

    async def _served_for(self, write: Asked) -> Client:
        """Raises NotConnected where nobody answers on a new connection, or Declined by a gateway."""
        client = await self._connected()
        if self.served or self._where.scheme == "rtu":
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
        return await self._connected()

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
        client = await self._connected()
        ask = client.read_input_registers if function == 4 else client.read_holding_registers
        question = ask(start, count=count, device_id=unit)
        answer = await self._ask(question, asked)
        if len(answer.registers) != count:
            self._spoil(f"asked for {count} registers at {start}, {len(answer.registers)} came")
        return list(answer.registers)

    async def _connected(self) -> Client:
        await self._rest()
        if self._rtu:  # its answers bear no number: what came before the question must have been seen before it
            await asyncio.sleep(0)  # in this turn of the loop the bytes that wait are found,
            await asyncio.sleep(0)  # and in this one read
        if self._unclean and self._client.connected:
            if self._rtu:
                await self._silence()
                self._unclean = False
            else:
                self.close()
        if not self._client.connected:
            await self._connect()
        if not self._client.connected:
            self._refusals.left = True
            raise NotConnected(f"no connection to {self.address}")
        return self._client

    async def _connect(self) -> None:
        if self._refusals.wait(asyncio.get_running_loop().time()) > 0:
            raise NotConnected(self._refusals.words)
        self._client.ctx.comm_params.timeout_connect = self._timing.timeout
        # a device file may refuse its settings, and a host may be no name
        with contextlib.suppress(OSError, ModbusException, termios.error, ValueError):
            await self._client.connect()
        if self._client.connected:
            if self._unclean and self._rtu:
                await self._silence()
            self._hush(max(self._timing.connect_pause, self._pause))
            await self._rest()
            self._unclean, self._silent = False, 0

    def _hush(self, seconds: float) -> None:
        self._rested = max(self._rested, asyncio.get_running_loop().time() + seconds)

    async def _rest(self) -> None:
        """The silence that is due before a frame. What comes meanwhile begins it anew, but not for ever."""
        loop = asyncio.get_running_loop()
        for _ in range(RESTLESS):
            if (left := self._rested - loop.time()) <= 0:
                return
            await asyncio.sleep(left)

    async def _silence(self) -> None:
        """Let everything pass that still comes for somebody else; a line that never rests is left after a while."""
        for _ in range(RESTLESS):
            self._length = 0
            await asyncio.sleep(QUIET)
            if self._length == 0:
                return

    async def _ask(self, question: Any, asked: Asked) -> ModbusPDU:  # noqa: ANN401  # pymodbus hides its type
        patience = self._patience.get(asked.unit)
        if patience is None:
            patience = self._patience[asked.unit] = Patience(self._timing.timeout)
        travel = on_wire(self._where, sum(asked.sizes) + 2 * _RTU)
        ctx = self._client.ctx
        ctx.comm_params.timeout_connect = patience.wait + travel
        self._asking, self._length, began = True, 0, asyncio.get_running_loop().time()
        self._numbered.foreign.clear()
        try:
            with stoppable():
                answer: ModbusPDU = await question
        except (ModbusException, OSError, struct.error, asyncio.IncompleteReadError) as wrong:
            patience.lost += 1
            self._may_come(asked)
            self._lost(wrong)
        except asyncio.CancelledError:
            self._may_come(asked)
            self._leave(ctx.request_transaction_id)
            raise
        finally:
            self._asking = False
        if self._lent:  # what has come may be one of those
            self._may_come(asked)
        self._compare(answer, asked, 1 if answer.isError() else asked.sizes[1])
        self._lent.came(asked)
        self._numbered.late = False
        code = answer.exception_code if answer.isError() else 0
        if code not in NOT_THERE:  # which a gateway says, soon
            patience.answered(max(0.0, asyncio.get_running_loop().time() - began - travel))
        if answer.isError():
            raise asked.declined(code)
        return answer

    def _may_come(self, asked: Asked) -> None:
        if self._rtu:
            self._lent.lost(asked, asyncio.get_running_loop().time(), self._patience[asked.unit].timeout)

    def _compare(self, answer: ModbusPDU, asked: Asked, body: int) -> None:
        """Raises Unreachable for an answer to another question. pymodbus looks at less."""
        if (answer.function_code & 0x7F, answer.dev_id) != (asked.function, asked.unit):
            came = f"{answer.function_code & 0x7F} of unit {answer.dev_id}"
            self._spoil(f"the answer to function {asked.function} of unit {asked.unit} is one to {came}")
        if answer.transaction_id != self._client.ctx.request_transaction_id:
            self._spoil(f"the answer belongs to another question (transaction {answer.transaction_id})")
        due = body + (_RTU if self._rtu else _MBAP)
        if self._length != due:
            self._spoil(f"an answer of {due} bytes was due, {self._length} came")

    def _lost(self, wrong: BaseException) -> NoReturn:
        """No answer that is one. Raises Unreachable."""
        why, ctx = in_words(wrong), self._client.ctx
        if why != NO_ANSWER:
            self._spoil(self._refusals.words or why, wrong)
        if foreign := self._numbered.foreign:
            came, own = foreign[-1], (ctx.request_transaction_id, ctx.request_dev_id)
            self._spoil(
                f"no answer to question {own[0]} of unit {own[1]}, but one to question {came.transaction} of unit "
                f"{came.unit}: it numbers its answers wrongly, or another one's came",
                wrong,
            )
        if self._echo:
            self._spoil("nothing came but what was sent: the line echoes, so turn the echo of its adapter off", wrong)
        if self._length:
            self._spoil(f"no answer that is whole and ours: {self._length} bytes came", wrong)
        self._silent += 1
        if self._numbered.late:
            why = (
                f"{why} within {ctx.comm_params.timeout_connect:.3g} s, and earlier ones came later: its line needs a "
            )
            why += "longer timeout"
        if self._silent >= DEAD:
            self.close()
            self._spoil(why, wrong)
        self._leave(ctx.request_transaction_id)
        raise Unreachable(why) from wrong

    def _leave(self, question: int) -> None:
        """Its answer may still come."""
        self._unclean |= self._rtu or self._length > 0
        self._numbered.lost(question)

    def _spoil(self, why: str, wrong: BaseException | None = None) -> NoReturn:
        """What comes on this connection can no longer be trusted. A serial line has no other one, and is kept.
        Raises Unreachable."""
        self._unclean = True
        if self._where.scheme != "rtu":
            self.close()
        raise Unreachable(why) from wrong

    # pymodbus' hooks ----------------------------------------------------------------------------

    def _heard(self, sending: bool, packet: bytes) -> bytes:
        """`packet` is everything that came since the question."""
        self._hush(self._pause)
        if sending:
            self._number, self._sent, self._echo = self._client.ctx.request_transaction_id, packet, False
        else:
            self._echo = self._asking and packet == self._sent
            self._silent = 0
            self._refusals.heard()
            ctx = self._client.ctx
            own = ctx.request_transaction_id if self._asking else None
            self._length = len(packet) if self._rtu else self._numbered.ours(packet, own, ctx.request_dev_id)
            self._unclean |= not self._asking and self._length > 0
            self._numbered.late |= self._rtu and not self._asking and bool(self._lent)
        return packet if self._asking or not self._rtu else b""  # what nobody asked for is not looked at

    def _connection(self, made: bool) -> None:
        """Who waits for an answer on a connection that is lost need not wait for the timeout."""
        if made:
            self._client.ctx.next_tid = self._number
            self._refusals.made()
        else:
            self._refusals.closed(asyncio.get_running_loop().time())
        waiting = self._client.ctx.response_future
        if not made and self._asking and not waiting.done():
            waiting.set_exception(ConnectionException("the connection was lost"))
