"""The only Modbus client. What it returns was asked for: every other answer is an error.

pymodbus accepts answers with fewer or more registers and with another function code; over RTU framing a late
answer is taken for the next request and shifts every later one. So each answer is compared with its request,
and after any failure the connection is made anew: a late answer dies with the old one.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import Sequence

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

TIMEOUT = 1.0
"""Seconds to wait for an answer; pymodbus' own retries would make it 12."""

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


class Unreachable(Exception):
    """No answer, or one that does not belong to the question."""


class Declined(Exception):
    """The device understood and said no: a Modbus exception."""


class Line:
    """One connection, shared by the units behind it, one request at a time."""

    def __init__(self, address: str, host: str, port: int, timeout: float = TIMEOUT) -> None:
        framer = FramerType.RTU if address.startswith("rtu+") else FramerType.SOCKET
        self.address = address
        self._client = AsyncModbusTcpClient(
            host, port=port, framer=framer, timeout=timeout, retries=0, reconnect_delay=0, name=address
        )
        self._turn = asyncio.Lock()

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """`count` registers from `start`. Raises Unreachable or Declined."""
        async with self._turn:
            client = await self._connected()
            ask = client.read_input_registers if function == 4 else client.read_holding_registers
            answer = await self._ask(ask(start, count=count, device_id=unit), function, unit)
            if len(answer.registers) != count:
                self.close()
                raise Unreachable(f"asked for {count} registers at {start}, {len(answer.registers)} came")
            return list(answer.registers)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Write registers with function 6 or 16; gives the monotonic time when the device had confirmed it.

        Never tried twice: a write that timed out may have happened.
        """
        async with self._turn:
            client = await self._connected()
            if function == 6:
                await self._ask(client.write_register(start, words[0], device_id=unit), 6, unit)
            else:
                await self._ask(client.write_registers(start, list(words), device_id=unit), 16, unit)
            return time.monotonic()

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        self._client.close()

    async def _connected(self) -> AsyncModbusTcpClient:
        if not self._client.connected:
            with contextlib.suppress(OSError, ModbusException):
                await self._client.connect()
        if not self._client.connected:
            raise Unreachable(f"no connection to {self.address}")
        return self._client

    async def _ask(self, question: "asyncio.Future[ModbusPDU] | object", function: int, unit: int) -> ModbusPDU:
        try:
            answer: ModbusPDU = await question  # type: ignore[misc]  # pymodbus declares its coroutines by a type variable
        except (ModbusException, OSError, struct.error, asyncio.IncompleteReadError) as wrong:
            self.close()
            raise Unreachable(_in_words(wrong)) from wrong
        except asyncio.CancelledError:
            self.close()  # a half-asked question must not be answered to the next one who asks
            raise
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Python 3.11's wait_for, inside pymodbus, forgets a cancellation that comes together with the answer.
            raise asyncio.CancelledError
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            raise Declined(f"the device {_EXCEPTIONS.get(code, 'answers with an exception')} (exception {code})")
        if answer.function_code != function or answer.dev_id not in (unit, 0):
            self.close()
            raise Unreachable(
                f"an answer to function {function} of unit {unit} came with {answer.function_code} of {answer.dev_id}"
            )
        return answer


async def walk(line: Line, unit: int, function: int = 3) -> dict[int, int]:
    """The addresses where a device's SunSpec models begin, by model number; the first of each.

    Raises Unreachable when there is no SunSpec marker at 40000, 0 or 50000.
    """
    for start in SUNSPEC_STARTS:
        with contextlib.suppress(Declined):
            if await line.read(unit, function, start, 2) == SUNS:
                return await _chain(line, unit, function, start + 2)
    raise Unreachable("no SunSpec marker at 40000, 0 or 50000")


async def _chain(line: Line, unit: int, function: int, address: int) -> dict[int, int]:
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
