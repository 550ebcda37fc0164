"""A raw Modbus server that holds these registers and no others, with the manners of devices in the field."""

import asyncio
import contextlib
import struct
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.site_lines import modbus_devices
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.site import Site
from schemas.site_device import Device
from schemas.site_file import load_site
from tests.bridges.conftest import DEMO
from tests.bridges.liar import crc

Registers = dict[tuple[int, int], int]
"""(function, address) -> word; what can be written stands under function 3."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `at` is when its last byte had come."""

    at: float
    unit: int
    function: int
    start: int
    words: tuple[int, ...]
    """To write; of a reading their number alone."""


@dataclass
class Bare:
    """Serves on a free port while the block runs."""

    registers: Registers
    rtu: bool = False
    quiet: float = 0.0
    """Seconds after a new connection in which nothing is heard."""
    deaf: float = 0.0
    """Seconds after an answer in which nothing is heard."""
    delay: float = 0.0
    """Before each answer."""
    delays: Mapping[int, float] = field(default_factory=dict)
    """The same of single units."""
    away: bool = False
    """It serves another client: each connection is closed at once."""
    most: int = 125
    """Registers of one request."""
    refuses: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """(function, address) -> exception, whatever is asked there."""
    always: int = 0
    """The exception with which everything is answered."""
    lacks: int = 2
    """The exception with which it says that it does not have a register."""
    lost: Callable[[Asked], bool] = lambda _: False
    """Whether a request gets no answer."""
    before: Callable[[], None] = lambda: None
    """Called before each answer is made up."""
    asked: list[Asked] = field(default_factory=list)
    connected: int = 0

    @property
    def address(self) -> str:
        return f"{'rtu+' if self.rtu else ''}tcp://127.0.0.1:{self.port}"

    @property
    def written(self) -> list[tuple[int, tuple[int, ...]]]:
        """The writes that were asked for, whatever became of them."""
        return [(one.start, one.words) for one in self.asked if one.function in (6, 16)]

    async def __aenter__(self) -> Self:
        self._tasks = set[asyncio.Task[None]]()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
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
        self.connected += 1
        if self.away:
            out.close()
        loop = asyncio.get_running_loop()
        hears = loop.time() + self.quiet
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    number, asked = await self._next(source)
                    self.asked.append(asked)
                    if loop.time() < hears or self.lost(asked):
                        continue
                    await asyncio.sleep(self.delays.get(asked.unit, self.delay))
                    self.before()
                    out.write(self._frame(number, asked, self._answer(asked)))
                    hears = loop.time() + self.deaf
        finally:
            out.close()
            self._tasks.discard(task)

    async def _next(self, source: asyncio.StreamReader) -> tuple[int, Asked]:
        number = 0 if self.rtu else struct.unpack(">H4x", await source.readexactly(6))[0]
        unit, function, start, word = struct.unpack(">BBHH", await source.readexactly(6))
        words: tuple[int, ...] = (word,) if function == 6 else (0,) * word
        if function == 16:
            size = (await source.readexactly(1))[0]
            words = struct.unpack(f">{size // 2}H", await source.readexactly(size))
        if self.rtu:
            await source.readexactly(2)
        return number, Asked(asyncio.get_running_loop().time(), unit, function, start, words)

    def _answer(self, asked: Asked) -> bytes:
        table = 4 if asked.function == 4 else 3
        places = [(table, asked.start + place) for place in range(len(asked.words))]
        refused = [self.refuses[asked.function, at] for _, at in places if (asked.function, at) in self.refuses]
        if self.always:
            return bytes([asked.function | 0x80, self.always])
        if refused or len(places) > self.most or any(place not in self.registers for place in places):
            return bytes([asked.function | 0x80, refused[0] if refused else self.lacks])
        if asked.function in (6, 16):
            self.registers.update(zip(places, asked.words, strict=True))
            last = asked.words[0] if asked.function == 6 else len(asked.words)
            return struct.pack(">BHH", asked.function, asked.start, last)
        words = [self.registers[place] for place in places]
        return struct.pack(f">BB{len(words)}H", asked.function, 2 * len(words), *words)

    def _frame(self, number: int, asked: Asked, body: bytes) -> bytes:
        if self.rtu:
            frame = bytes([asked.unit]) + body
            return frame + struct.pack("<H", crc(frame))
        return struct.pack(">HHHB", number, 0, len(body) + 1, asked.unit) + body


def held(start: int, words: Iterable[int], function: int = 3) -> Registers:
    """Registers from `start` on."""
    return {(function, start + place): word & 0xFFFF for place, word in enumerate(words)}


def made(points: str, more: str = "", *, kind: str = "pcs") -> Profile:
    """A profile from lines of TOML, refused when a file with them would be."""
    with tempfile.TemporaryDirectory() as folder:
        head = f'make = "A"\nmodel = "B"\nkind = "{kind}"\nsource = "test"\n'
        (Path(folder) / "one.toml").write_text(f"{head}{more}\n[points]\n{points}", encoding="utf-8")
        return load_profile("one", Path(folder))


def device(profile: Profile, address: str, *, rated: float | None = None, writable: bool = True) -> ModbusDevice:
    """The device of a profile at an address, as the bridge makes it."""
    one = Device(name="pcs", profile="one", address=address, rated_power=rated)
    site: Site = load_site(DEMO).model_copy(update={"device": [one]})
    site.__dict__["profiles"] = {"pcs": profile.rated(rated)}  # as if it lay beside the site file
    return modbus_devices(site, watched=not writable)[0]
