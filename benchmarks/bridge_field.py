"""Devices that cost next to nothing: a raw asyncio Modbus TCP server with one port a device.

The first four registers hold the monotonic clock of this machine in microseconds, as it was when the answer left.
Usage: bridge_field.py FIRST_PORT DEVICES REGISTERS
"""

import asyncio
import struct
import sys
import time


class Answers(asyncio.Protocol):
    """One connection. Answers function 3 with as many registers as were asked for."""

    def __init__(self, number: int, registers: int) -> None:
        words = [(1000 + (number + place) % 200) & 0xFFFF for place in range(registers)]
        self._words = struct.pack(f">{registers}H", *words)
        self._turns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, frame: bytes) -> None:
        transaction, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", frame[:12])
        self._turns += 1
        now = struct.pack(">QH", time.monotonic_ns() // 1000, 1000 + self._turns % 200)
        body = (now + self._words[len(now) :])[2 * start : 2 * (start + count)]
        head = struct.pack(">HHHBBB", transaction, 0, 3 + len(body), unit, function, len(body))
        self._transport.write(head + body)


async def main(first: int, devices: int, registers: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(devices):
        await loop.create_server(lambda n=number: Answers(n, registers), "127.0.0.1", first + number)  # type: ignore[misc]
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in sys.argv[1:4])))
