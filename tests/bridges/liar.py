"""A raw Modbus server that lies as it is told: every register holds its own address."""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

LATE = 0.3
"""Seconds after which a late answer comes: longer than the tests wait."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for registers."""

    transaction: int
    unit: int
    function: int
    start: int
    count: int
    rtu: bool

    def frame(self, body: bytes, **wrong: int) -> bytes:
        """An answer around `body` (function code included), right except for what is given."""
        unit = wrong.get("unit", self.unit)
        if self.rtu:
            frame = bytes([unit]) + body
            return frame + struct.pack("<H", crc(frame) ^ wrong.get("checksum", 0))
        transaction = wrong.get("transaction", self.transaction) & 0xFFFF
        length = wrong.get("length", len(body) + 1)
        return struct.pack(">HHHB", transaction, wrong.get("protocol", 0), length, unit) + body

    def registers(self, count: int | None = None, **wrong: int) -> bytes:
        """The answer with as many registers as were asked for, or another number of them."""
        count = self.count if count is None else count
        words = struct.pack(f">{count}H", *(self.start + place for place in range(count)))
        return self.frame(bytes([wrong.get("function", self.function), len(words)]) + words, **wrong)

    def exception(self, code: int) -> bytes:
        return self.frame(bytes([self.function | 0x80, code]))


def crc(frame: bytes) -> int:
    """CRC-16/MODBUS, bit by bit as the specification says it."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def parse(frame: bytes, *, rtu: bool) -> Asked:
    """What a request asks for."""
    transaction = 0 if rtu else int.from_bytes(frame[:2], "big")
    unit, function, start, count = struct.unpack_from(">BBHH", frame, 0 if rtu else 6)
    return Asked(transaction, unit, function, start, count, rtu)


Lie = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def say(make: Callable[[Asked], bytes]) -> Lie:
    """A lie in one frame."""

    async def lie(asked: Asked, out: asyncio.StreamWriter) -> None:
        out.write(make(asked))

    return lie


async def late(asked: Asked, out: asyncio.StreamWriter) -> None:
    await asyncio.sleep(LATE)
    out.write(asked.registers())


async def reset(asked: Asked, out: asyncio.StreamWriter) -> None:
    out.write(asked.registers()[:6])
    await asyncio.sleep(0.01)
    out.transport.abort()


async def drip(asked: Asked, out: asyncio.StreamWriter) -> None:
    for byte in asked.registers():
        out.write(bytes([byte]))
        await asyncio.sleep(0.001)


async def echo_later(asked: Asked, out: asyncio.StreamWriter) -> None:
    out.write(asked.registers())
    await asyncio.sleep(0.01)
    out.write(asked.registers())


async def silence(_asked: Asked, _out: asyncio.StreamWriter) -> None:
    """Says nothing."""


EXCEPTIONS = (1, 2, 3, 4, 5, 6, 10, 11, 99)
HONEST = say(lambda asked: asked.registers())
REFUSED: dict[str, Lie] = {
    "late": late,
    "wrong unit": say(lambda asked: asked.registers(unit=asked.unit + 1)),
    "truncated": say(lambda asked: asked.registers()[:-3]),
    "garbage": say(lambda _: b"\x00\xff\xa5\x5a" * 5),
    "other function code": say(lambda asked: asked.registers(function=7 - asked.function)),
    "unknown function code": say(lambda asked: asked.registers(function=99)),
    "exception to another function": say(lambda asked: asked.frame(bytes([0x86, 2]))),
    "fewer registers": say(lambda asked: asked.registers(asked.count - 1)),
    "more registers": say(lambda asked: asked.registers(asked.count + 1)),
    "no registers": say(lambda asked: asked.registers(0)),
    "reset in the middle": reset,
    "two answers at once": say(lambda asked: asked.registers() * 2),
    "silence": silence,
}
"""What never gives a value."""
TCP_ONLY: dict[str, Lie] = {
    "transaction id 0": say(lambda asked: asked.registers(transaction=0)),
    "transaction id + 1": say(lambda asked: asked.registers(transaction=asked.transaction + 1)),
    "wrong protocol id": say(lambda asked: asked.registers(protocol=1)),
    "huge length": say(lambda asked: asked.registers(length=0xFFFF)),
    "byte count against length": say(lambda asked: asked.frame(asked.registers()[7:] + b"\x00\x07")),
}
RTU_ONLY: dict[str, Lie] = {"wrong checksum": say(lambda asked: asked.registers(checksum=0x0101))}
TRUE: dict[str, Lie] = {"one byte at a time": drip, "a second answer later": echo_later}
"""What is strange and still says the truth, once."""


@dataclass
class Liar:
    """Serves on a free port while the block runs; `lie` is taken for each answer."""

    rtu: bool = False
    lie: Lie = HONEST
    choose: Callable[[Asked], Lie] | None = None
    """Decides for each request, instead of `lie`."""
    port: int = 0
    asked: int = 0
    newest: asyncio.StreamWriter = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"{'rtu+' if self.rtu else ''}tcp://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.newest = out
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    asked = parse(await source.readexactly(8 if self.rtu else 12), rtu=self.rtu)
                    self.asked += 1
                    await (self.choose(asked) if self.choose else self.lie)(asked, out)
        finally:
            out.close()
            self._tasks.discard(task)
