"""One question and its answer at a time. What it gives was asked for: every other answer is an error.

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
from typing import Any, NoReturn

from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.client import NO_ANSWER, Client, client, in_words
from bridges.fieldbus.modbus.line import NOT_THERE
from bridges.fieldbus.modbus.numbered import Numbered
from bridges.fieldbus.modbus.owed import Owed
from bridges.fieldbus.modbus.question import Asked
from bridges.fieldbus.modbus.refusals import Refusals
from bridges.fieldbus.modbus.timing import Patience, on_wire, pause, strictest
from runtime.cancelled import stoppable
from schemas.address import parse_address
from schemas.profile import LineTiming

QUIET = 0.05
"""Seconds without a byte after which a serial line is clean: a gateway delivers late answers to the next connection."""

RESTLESS = 10
"""So many times a line may break its silence; then it is used all the same."""

DEAD = 3
"""So many questions in a row without a byte: the connection may be dead without anybody having said so."""

NUMBERS = range(65_000)
"""Where pymodbus' transaction numbers may begin."""

_RTU, _MBAP = 4, 8
"""Bytes around the body of an answer: unit, function and checksum; the header of Modbus TCP and the function."""


class NotConnected(Unreachable):
    """There is no connection: nothing was sent."""


class Exchange:
    """Over one connection to one address, for the units behind it."""

    def __init__(self, address: str, timeout: float, lent: Owed) -> None:
        """`address` as in the site file, `timeout` in s of the units that nothing else is known of."""
        self.address = address
        self.where = parse_address(address)
        self.client = client(self.where, timeout, trace_packet=self._heard, trace_connect=self._connection)
        self.rtu = self.where.scheme != "tcp"
        self._timing, self._patience = LineTiming(timeout=timeout), dict[int, Patience]()
        self._pause = pause(self.where, self._timing)
        self._rested = 0.0
        """When the silence is over that is due since the last byte, by the event loop's time."""
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
        self.lent = lent
        """RTU framing: answers that may still come."""
        self.refusals = Refusals(address)

    def expect(self, unit: int, timing: LineTiming) -> None:
        """A unit on this line, and what it needs: its own timeout, and the longest pauses of all."""
        known = self._patience.get(unit)
        self._patience[unit] = Patience(max(timing.timeout, known.timeout if known else 0.0))
        self._timing = strictest(self._timing, timing)
        self._pause = pause(self.where, self._timing)

    def close(self) -> None:
        """Drop the connection; the next question makes a new one."""
        self.client.close()

    async def connected(self) -> Client:
        """The client, connected and at rest: a question may be sent. Raises NotConnected."""
        await self._rest()
        if self.rtu:  # its answers bear no number: what came before the question must have been seen before it
            await asyncio.sleep(0)  # in this turn of the loop the bytes that wait are found,
            await asyncio.sleep(0)  # and in this one read
        if self._unclean and self.client.connected:
            if self.rtu:
                await self._silence()
                self._unclean = False
            else:
                self.close()
        if not self.client.connected:
            await self._connect()
        if not self.client.connected:
            self.refusals.left = True
            raise NotConnected(f"no connection to {self.address}")
        return self.client

    async def _connect(self) -> None:
        if self.refusals.wait(asyncio.get_running_loop().time()) > 0:
            raise NotConnected(self.refusals.words)
        self.client.ctx.comm_params.timeout_connect = self._timing.timeout
        # a device file may refuse its settings, and a host may be no name
        with contextlib.suppress(OSError, ModbusException, termios.error, ValueError):
            await self.client.connect()
        if self.client.connected:
            if self._unclean and self.rtu:
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

    async def ask(self, question: Any, asked: Asked) -> ModbusPDU:  # noqa: ANN401  # pymodbus hides its type
        """Send it and give the answer to it. Raises Unreachable, or Declined for an exception of the device."""
        patience = self._patience.get(asked.unit)
        if patience is None:
            patience = self._patience[asked.unit] = Patience(self._timing.timeout)
        travel = on_wire(self.where, sum(asked.sizes) + 2 * _RTU)
        ctx = self.client.ctx
        ctx.comm_params.timeout_connect = patience.wait + travel
        self._asking, self._length, began = True, 0, asyncio.get_running_loop().time()
        self._numbered.foreign.clear()
        try:
            with stoppable():
                answer: ModbusPDU = await question
        except (ModbusException, OSError, struct.error, asyncio.IncompleteReadError) as wrong:
            patience.lost += 1
            self.may_come(asked)
            self._lost(wrong)
        except asyncio.CancelledError:
            self.may_come(asked)
            self._leave(ctx.request_transaction_id)
            raise
        finally:
            self._asking = False
        if self.lent:  # what has come may be one of those
            self.may_come(asked)
        self._compare(answer, asked, 1 if answer.isError() else asked.sizes[1])
        self.lent.came(asked)
        self._numbered.late = False
        code = answer.exception_code if answer.isError() else 0
        if code not in NOT_THERE:  # which a gateway says, soon
            patience.answered(max(0.0, asyncio.get_running_loop().time() - began - travel))
        if answer.isError():
            raise asked.declined(code)
        return answer

    def may_come(self, asked: Asked) -> None:
        """An answer that looks like the one to this question may still come."""
        if self.rtu:
            self.lent.lost(asked, asyncio.get_running_loop().time(), self._patience[asked.unit].timeout)

    def _compare(self, answer: ModbusPDU, asked: Asked, body: int) -> None:
        """Raises Unreachable for an answer to another question. pymodbus looks at less."""
        if (answer.function_code & 0x7F, answer.dev_id) != (asked.function, asked.unit):
            came = f"{answer.function_code & 0x7F} of unit {answer.dev_id}"
            self.spoil(f"the answer to function {asked.function} of unit {asked.unit} is one to {came}")
        if answer.transaction_id != self.client.ctx.request_transaction_id:
            self.spoil(f"the answer belongs to another question (transaction {answer.transaction_id})")
        due = body + (_RTU if self.rtu else _MBAP)
        if self._length != due:
            self.spoil(f"an answer of {due} bytes was due, {self._length} came")

    def _lost(self, wrong: BaseException) -> NoReturn:
        """No answer that is one. Raises Unreachable."""
        why, ctx = in_words(wrong), self.client.ctx
        if why != NO_ANSWER:
            self.spoil(self.refusals.words or why, wrong)
        if foreign := self._numbered.foreign:
            came, own = foreign[-1], (ctx.request_transaction_id, ctx.request_dev_id)
            self.spoil(
                f"no answer to question {own[0]} of unit {own[1]}, but one to question {came.transaction} of unit "
                f"{came.unit}: it numbers its answers wrongly, or another one's came",
                wrong,
            )
        if self._echo:
            self.spoil("nothing came but what was sent: the line echoes, so turn the echo of its adapter off", wrong)
        if self._length:
            self.spoil(f"no answer that is whole and ours: {self._length} bytes came", wrong)
        self._silent += 1
        if self._numbered.late:
            why = (
                f"{why} within {ctx.comm_params.timeout_connect:.3g} s, and earlier ones came later: its line needs a "
            )
            why += "longer timeout"
        if self._silent >= DEAD:
            self.close()
            self.spoil(why, wrong)
        self._leave(ctx.request_transaction_id)
        raise Unreachable(why) from wrong

    def _leave(self, question: int) -> None:
        """Its answer may still come."""
        self._unclean |= self.rtu or self._length > 0
        self._numbered.lost(question)

    def spoil(self, why: str, wrong: BaseException | None = None) -> NoReturn:
        """What comes on this connection can no longer be trusted. A serial line has no other one, and is kept.
        Raises Unreachable."""
        self._unclean = True
        if self.where.scheme != "rtu":
            self.close()
        raise Unreachable(why) from wrong

    # pymodbus' hooks ----------------------------------------------------------------------------

    def _heard(self, sending: bool, packet: bytes) -> bytes:
        """`packet` is everything that came since the question."""
        self._hush(self._pause)
        if sending:
            self._number, self._sent, self._echo = self.client.ctx.request_transaction_id, packet, False
        else:
            self._echo = self._asking and packet == self._sent
            self._silent = 0
            self.refusals.heard()
            ctx = self.client.ctx
            own = ctx.request_transaction_id if self._asking else None
            came = len(packet) if self.rtu else self._numbered.ours(packet, own, ctx.request_dev_id)
            # one that comes with the answer, before that is looked at, adds to it
            self._length = came + (self._length if self._asking and ctx.response_future.done() else 0)
            self._unclean |= not self._asking and self._length > 0
            self._numbered.late |= self.rtu and not self._asking and bool(self.lent)
        return packet if self._asking or not self.rtu else b""  # what nobody asked for is not looked at

    def _connection(self, made: bool) -> None:
        """Who waits for an answer on a connection that is lost need not wait for the timeout."""
        if made:
            self.client.ctx.next_tid = self._number
            self.refusals.made()
        else:
            self.refusals.closed(asyncio.get_running_loop().time())
        waiting = self.client.ctx.response_future
        if not made and self._asking and not waiting.done():
            waiting.set_exception(ConnectionException("the connection was lost"))
