"""A line without sockets: what a bridge asks goes straight to the simulated devices, so that time may be virtual.

It behaves as the Modbus client does: one request at a time, a busy device is asked once more, an answer that is not
one is no answer, and what a late device was told happens all the same.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from pymodbus.constants import ExcCodes

from bridges.fieldbus.contract import Declined, Unreachable
from simulator.device import Answers
from simulator.lies import SAYS, knows

T = TypeVar("T")

TIMEOUT = 1.0
"""Seconds it waits for an answer."""
BUSY_PAUSE = 0.05
"""Seconds until a busy device is asked once more."""
SPEAKS = {
    ExcCodes.ILLEGAL_FUNCTION: "does not know this function",
    ExcCodes.ILLEGAL_ADDRESS: "has no such register",
    ExcCodes.ILLEGAL_VALUE: "does not accept this value",
    ExcCodes.DEVICE_FAILURE: "has failed inside",
    ExcCodes.DEVICE_BUSY: "is busy",
}


class Wire:
    """The devices behind one address, by their units."""

    def __init__(self, devices: Mapping[int, Answers], *, rtu: bool = False, timeout: float = TIMEOUT) -> None:
        self.devices, self.timeout = dict(devices), timeout
        self._rtu = rtu
        self._turn = asyncio.Lock()

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """`count` registers from `start`. Raises Unreachable or Declined."""
        async with self._turn:
            try:
                return await self._read(unit, function, start, count)
            except Declined as no:
                if no.code != ExcCodes.DEVICE_BUSY:
                    raise
            await asyncio.sleep(BUSY_PAUSE)
            return await self._read(unit, function, start, count)

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Write registers with function 6 or 16; gives the loop's time when the device had confirmed it.

        Raises Declined, or Unreachable, after which it may have happened.
        """
        async with self._turn:
            device = self._device(unit)
            await self._ask(device, partial(device.write, function, start, list(words)))
            return asyncio.get_running_loop().time()

    def close(self) -> None:
        """There is nothing to let go of."""

    async def _read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        device = self._device(unit)
        words = await self._ask(device, partial(device.read, function, start, count))
        if "wrong_register_count" in device.on:
            raise Unreachable(f"asked for {count} registers at {start}, {count - 1 or 2} came")
        return words

    async def _ask(self, device: Answers, question: Callable[[], T | ExcCodes]) -> T:
        """What the device answers, in its time. A late one does what it was told all the same."""
        wait = device.delay()
        if "silent" in device.on or wait > self.timeout:
            if wait:
                asyncio.get_running_loop().call_later(wait, question)
            await asyncio.sleep(self.timeout)
            raise Unreachable("no answer")
        if wait:
            await asyncio.sleep(wait)
        answer = question()
        if isinstance(answer, ExcCodes):
            words = SPEAKS.get(answer, "answers with an exception")
            raise Declined(f"the device {words} (exception {answer:d})", answer)
        lies = [name for name in device.on if knows(name, rtu=self._rtu)]
        if lies:
            raise Unreachable(f"{device.name} {SAYS[lies[0]]}")
        return answer

    def _device(self, unit: int) -> Answers:
        if unit not in self.devices:
            raise Unreachable(f"no unit {unit} on this line")
        return self.devices[unit]
