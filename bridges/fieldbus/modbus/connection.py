"""The only Modbus client. What it returns was asked for: every other answer is an error.

pymodbus accepts answers with fewer or more registers, with another function code and with transaction id 0; over
RTU framing, which has no transaction ids, a late or doubled answer is taken for the next request and shifts every
later one. So each answer is compared with its request down to its length, bytes that nobody asked for end the
connection, and after any failure it is made anew: a late answer dies with the old one.
"""

import asyncio
import contextlib
import struct
import termios
import time
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

from runtime.cancelled import stoppable

TIMEOUT = 1.0
"""Seconds to wait for an answer; pymodbus' own retries would make it 12."""

SHORT = 0.2
"""The same for a unit that was silent the last time: it must not hold up the others on its line."""

FULL_TRY = 8
"""Every so many tries a silent unit gets the whole time: one that wakes up slow is found again."""

QUIET = 0.05
"""Seconds without a byte after which a serial line is clean: a gateway delivers late answers to the next connection."""

BUSY, BUSY_PAUSE = 6, 0.05
"""A busy device is asked once more after some seconds."""

SUNS = [0x5375, 0x6E53]
SUNSPEC_STARTS = (40000, 0, 50000)
_EXCEPTIONS = {
    1: "does not know this function",
    2: "has no such register",
    3: "does not accept this value",
    4: "has failed inside",
    6: "is busy",
    10: "cannot be reached by the gateway",
    11: "did not answer the gateway",
}
_RTU, _MBAP = 4, 8
"""Bytes around the body of an answer: unit, function and checksum; the header of Modbus TCP and the function."""


class Unreachable(Exception):
    """No answer, or one that does not belong to the question."""


class Declined(Exception):
    """The device understood and said no: a Modbus exception."""

    def __init__(self, words: str, code: int = 0) -> None:
        super().__init__(words)
        self.code = code


class Connection:
    """One connection, shared by the units behind it, one request at a time."""

    def __init__(self, address: str, timeout: float = TIMEOUT) -> None:
        """`address` as in the site file. A unit that does not answer is later waited for `SHORT` seconds only."""
        self.address = address
        self._client = _client(address, timeout, trace_packet=self._heard, trace_connect=self._connection)
        self._timeout = timeout
        self._rtu = not address.startswith("tcp://")
        self._turn = asyncio.Lock()
        self._silent: dict[int, int] = {}
        """Tries in a row that a unit has not answered."""
        self._asking = False
        self._length = 0
        """Bytes that have come since the question."""
        self._unclean = False
        """Bytes came that nobody had asked for, or an answer is still owed."""

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """`count` registers from `start`. Raises Unreachable or Declined."""
        async with self._turn:
            try:
                return await self._read(unit, function, start, count)
            except Declined as no:
                if no.code != BUSY:
                    raise
            await asyncio.sleep(BUSY_PAUSE)
            return await self._read(unit, function, start, count)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Write registers with function 6 or 16; gives the monotonic time when the device had confirmed it.

        Never tried twice: a write that timed out may have happened.
        """
        async with self._turn:
            client = await self._connected()
            if function == 6:
                question = client.write_register(start, words[0], device_id=unit)
                answer = await self._ask(question, function, unit, 4)
                same = answer.address == start and list(answer.registers) == [words[0]]
            else:
                answer = await self._ask(client.write_registers(start, list(words), device_id=unit), 16, unit, 4)
                same = answer.address == start and answer.count == len(words)
            if not same:
                self._spoil(f"the answer to a write of {start} confirms another one, of {answer.address}")
            return time.monotonic()

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        self._client.close()

    async def _read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        client = await self._connected()
        ask = client.read_input_registers if function == 4 else client.read_holding_registers
        answer = await self._ask(ask(start, count=count, device_id=unit), function, unit, 1 + 2 * count)
        if len(answer.registers) != count:
            self._spoil(f"asked for {count} registers at {start}, {len(answer.registers)} came")
        return list(answer.registers)

    async def _connected(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._rtu:  # its answers bear no number: what came before the question must have been seen before it
            await asyncio.sleep(0)  # in this turn of the loop the bytes that wait are found,
            await asyncio.sleep(0)  # and in this one read
        if self._unclean and self._client.connected:
            self.close()
        if not self._client.connected:
            with contextlib.suppress(OSError, ModbusException, termios.error):  # a device file may refuse its settings
                await self._client.connect()
            if self._unclean and self._rtu:
                await self._silence()
            self._unclean = False
        if not self._client.connected:
            raise Unreachable(f"no connection to {self.address}")
        return self._client

    async def _silence(self) -> None:
        """Let everything pass that still comes for somebody else; a line that never rests is left after a while."""
        for _ in range(10):
            self._length = 0
            await asyncio.sleep(QUIET)
            if self._length == 0:
                return

    async def _ask(self, question: Any, function: int, unit: int, body: int) -> ModbusPDU:  # noqa: ANN401  # pymodbus hides its type
        """`body`: bytes the answer has after its function code."""
        ctx, tries = self._client.ctx, self._silent.get(unit, 0)
        ctx.comm_params.timeout_connect = min(SHORT, self._timeout) if tries % FULL_TRY else self._timeout
        self._asking, self._length = True, 0
        try:
            with stoppable():
                answer: ModbusPDU = await question
        except (ModbusException, OSError, struct.error, asyncio.IncompleteReadError) as wrong:
            self._silent[unit] = tries + 1
            self._spoil(_in_words(wrong), wrong)
        except asyncio.CancelledError:
            self._unclean = True  # a half-asked question must not be answered to the next one who asks
            self.close()
            raise
        finally:
            self._asking = False
        self._silent.pop(unit, None)
        self._compare(answer, function, unit, 1 if answer.isError() else body)
        if answer.isError():
            code = answer.exception_code
            raise Declined(f"the device {_EXCEPTIONS.get(code, 'answers with an exception')} (exception {code})", code)
        return answer

    def _compare(self, answer: ModbusPDU, function: int, unit: int, body: int) -> None:
        """Raises Unreachable for an answer to another question. pymodbus looks at less."""
        if (answer.function_code & 0x7F, answer.dev_id) != (function, unit):
            came = f"{answer.function_code & 0x7F} of unit {answer.dev_id}"
            self._spoil(f"the answer to function {function} of unit {unit} is one to {came}")
        if answer.transaction_id != self._client.ctx.request_transaction_id:
            self._spoil(f"the answer belongs to another question (transaction {answer.transaction_id})")
        due = body + (_RTU if self._rtu else _MBAP)
        if self._length != due:
            self._spoil(f"an answer of {due} bytes was due, {self._length} came")

    def _spoil(self, why: str, wrong: BaseException | None = None) -> NoReturn:
        """This connection can no longer be trusted. Raises Unreachable."""
        self._unclean = True
        self.close()
        raise Unreachable(why) from wrong

    # pymodbus' hooks ----------------------------------------------------------------------------

    def _heard(self, sending: bool, packet: bytes) -> bytes:
        """`packet` is everything that came since the question."""
        if not sending:
            self._length = len(packet)
            self._unclean |= not self._asking
        return packet

    def _connection(self, made: bool) -> None:
        """Who waits for an answer on a connection that is lost need not wait for the timeout."""
        waiting = self._client.ctx.response_future
        if not made and self._asking and not waiting.done():
            waiting.set_exception(ConnectionException("the connection was lost"))


def _client(address: str, timeout: float, **hooks: Any) -> AsyncModbusTcpClient | AsyncModbusSerialClient:  # noqa: ANN401  # as above
    """pymodbus' client for an address. It neither tries twice nor reconnects by itself: we do."""
    parts = urlsplit(address)
    if parts.scheme == "rtu":
        asked = {"baud": "9600", "parity": "N", "stop": "1"} | dict(parse_qsl(parts.query))
        return AsyncModbusSerialClient(
            parts.path, baudrate=int(asked["baud"]), parity=asked["parity"], stopbits=int(asked["stop"]),
            timeout=timeout, retries=0, reconnect_delay=0, name=address, **hooks,
        )  # fmt: skip
    return AsyncModbusTcpClient(
        parts.hostname or "", port=parts.port or 502, timeout=timeout, retries=0, reconnect_delay=0, name=address,
        framer=FramerType.SOCKET if parts.scheme == "tcp" else FramerType.RTU, **hooks,
    )  # fmt: skip


async def walk(line: Connection, unit: int, function: int = 3) -> dict[int, int]:
    """The addresses where a device's SunSpec models begin, by model number; the first of each.

    Raises Unreachable when there is no SunSpec marker at 40000, 0 or 50000.
    """
    for start in SUNSPEC_STARTS:
        with contextlib.suppress(Declined):
            if await line.read(unit, function, start, 2) == SUNS:
                return await _chain(line, unit, function, start + 2)
    raise Unreachable("no SunSpec marker at 40000, 0 or 50000")


async def _chain(line: Connection, unit: int, function: int, address: int) -> dict[int, int]:
    bases: dict[int, int] = {}
    while address < 65534:
        model, length = await line.read(unit, function, address, 2)
        if model == 0xFFFF or length == 0:
            break
        bases.setdefault(model, address)
        address += 2 + length
    return bases


def _in_words(wrong: BaseException) -> str:
    text = str(wrong)
    return "no answer" if "No response" in text or not text else text.removeprefix("Modbus Error: ")
