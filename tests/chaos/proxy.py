"""A TCP line that can be as bad as lines get, between a part and its broker; what it is like is changed as it runs.

It carries on in the test's own process. What it holds back arrives when it passes again, as TCP does it.
"""

import asyncio
import math
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from random import Random
from typing import Self

CHUNK = 1024
AHEAD = 8
"""Chunks on their way at most: who sends more must wait, as on a real line."""


@dataclass(frozen=True)
class Line:
    """What a line is like. `up` is towards the server."""

    up: bool = True
    down: bool = True
    """Whether bytes pass. Where one way is dead, no connection is made either."""
    refuse: bool = False
    """Nobody gets a new connection."""
    latency: float = 0.0
    """Seconds each way."""
    rate: float = math.inf
    """Bytes in a second, each way and for each connection."""
    corrupt: float = 0.0
    """Share of the bytes that arrive as others."""


GOOD = Line()


@dataclass
class Proxy:
    """Listens on a free port while the block runs, and carries what comes to the server on `target`."""

    target: int
    random: Random = field(default_factory=lambda: Random(0))
    line: Line = GOOD
    made: int = 0
    """Connections so far."""
    spoiled: int = 0
    """Bytes that arrived as others."""
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _carrying: set[asyncio.Task[None]] = field(default_factory=set)
    _better: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        # small buffers: a line has few bytes on it, and what waits must wait at its sender
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0, limit=CHUNK)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * CHUNK)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for one in self._carrying:
            one.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def become(self, line: Line) -> None:
        """From now on it is like that."""
        self.line = line
        self._better.set()
        self._better = asyncio.Event()

    def cut(self) -> None:
        """Every connection ends with a reset, for both sides."""
        for end in self._ends:
            _reset(end)

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.create_task(self._accept(reader, writer))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not (self.line.up and self.line.down):
            await self._better.wait()
        if self.line.refuse or _gave_up(writer):
            _reset(writer)
            return
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        self.made += 1
        self._ends |= {writer, onward}
        await asyncio.gather(self._carry(reader, onward, "up"), self._carry(there, writer, "down"))
        self._ends -= {writer, onward}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        coming: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD)
        taking = asyncio.create_task(self._take(reader, coming))
        try:
            while (chunk := await self._arrival(coming, way)) and not writer.is_closing():
                await asyncio.sleep(len(chunk) / self.line.rate)
                writer.write(self._spoil(chunk))
                await writer.drain()
        except OSError:
            pass  # the other side is gone
        finally:
            taking.cancel()
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, coming: "asyncio.Queue[tuple[float, bytes]]") -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = await reader.read(CHUNK)
            except OSError:
                chunk = b""
            await coming.put((time.monotonic() + self.line.latency, chunk))

    async def _arrival(self, coming: "asyncio.Queue[tuple[float, bytes]]", way: str) -> bytes:
        """The next chunk, at its time; nothing when the sender has ended."""
        due, chunk = await coming.get()
        await asyncio.sleep(due - time.monotonic())
        while not getattr(self.line, way):
            await self._better.wait()
        return chunk

    def _spoil(self, chunk: bytes) -> bytes:
        if not self.line.corrupt:
            return chunk
        spoiled = bytearray(chunk)
        for at in range(len(spoiled)):
            if self.random.random() < self.line.corrupt:
                spoiled[at] ^= self.random.randrange(1, 256)
                self.spoiled += 1
        return bytes(spoiled)


def _gave_up(writer: asyncio.StreamWriter) -> bool:
    """Whether who wanted to connect has left meanwhile: then nothing of his was ever sent."""
    look = select.poll()
    look.register(writer.get_extra_info("socket"), select.POLLRDHUP)
    return bool(look.poll(0))


def _reset(writer: asyncio.StreamWriter) -> None:
    line = writer.get_extra_info("socket")
    if not writer.is_closing():
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
