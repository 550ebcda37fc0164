"""A whole site in processes that can be killed, frozen and robbed of their memory; only its devices live here."""

import asyncio
import math
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from consumers.archive.migrate import migrate
from joulebus.mariadb import MariaDB
from joulebus.server import Server, free_port
from schemas.site_file import load_site
from simulator.service import SimulatedSite
from tests.chaos.proxy import Line, Proxy
from tests.chaos.story import DEVICES, UNTOLD, Fault
from tests.conftest import Broker

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"
NAMES = ("database", "broker", "archive", "bridge")
"""In a good order to start."""


@dataclass
class Plant:
    """The parts by name, and what was done to them."""

    folder: Path
    simulated: SimulatedSite
    broker: Broker
    database: str
    parts: dict[str, Server]
    lines: dict[str, Proxy] = field(default_factory=dict)
    """Between a part and the broker, where a test wanted some."""
    away: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """When each part was away, on the monotonic clock."""
    untold: list[tuple[float, float]] = field(default_factory=list)
    """When nobody could tell the PCS anything."""
    _turn: dict[str, asyncio.Lock] = field(default_factory=lambda: {name: asyncio.Lock() for name in NAMES})

    @property
    def name(self) -> str:
        return self.simulated.site.site

    async def start(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self.parts[name].start)

    def become(self, line: Line) -> None:
        """From now on all lines are like that."""
        for one in self.lines.values():
            one.become(line)

    async def ready(self, name: str) -> bool:
        """What a part says of itself at /health."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.parts[name].port)
        writer.write(b"GET /health HTTP/1.1\r\n\r\n")
        status = await reader.readline()
        writer.close()
        return b" 200 " in status

    async def until(self, name: str, *, ready: bool, seconds: float) -> float:
        """Wait for a part to be ready, or to be it no more; gives how long that took. Raises TimeoutError."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while True:
                if await self.ready(name) is ready:
                    return time.monotonic() - began
                await asyncio.sleep(0.1)

    async def suffer(self, fault: Fault) -> None:
        """The fault and its end. A part that has not come back from its last fault has that one first."""
        if fault.part in DEVICES:
            await self._misbehave(fault)
            return
        async with self._turn[fault.part]:
            began = time.monotonic()
            await self._break(fault)
            await asyncio.sleep(fault.lasts)
            if fault.kind == "freeze":
                self.parts[fault.part].send(signal.SIGCONT)
            else:
                await self.start(fault.part)
            self.away[fault.part].append((began, time.monotonic()))

    async def _misbehave(self, fault: Fault) -> None:
        """A device, or its line."""
        name, began = f"{fault.part}:{fault.kind}", time.monotonic()
        self.simulated.faults.on(name)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            self.simulated.faults.off(name)
            if fault.part == "pcs" and fault.kind in UNTOLD:
                self.untold.append((began, time.monotonic()))

    async def _break(self, fault: Fault) -> None:
        part = self.parts[fault.part]
        if fault.kind == "freeze":
            part.send(signal.SIGSTOP)
            return
        await asyncio.to_thread(part.kill)
        if fault.kind == "wipe":
            self.forget()

    def forget(self) -> None:
        """All that the broker kept is gone."""
        for kept in (self.broker.secrets.folder / "data").iterdir():
            kept.unlink()

    def dead(self) -> list[str]:
        """Parts that ended by themselves."""
        return [n for n, part in self.parts.items() if part.process is None or part.process.poll() is not None]

    def numbered(self) -> tuple[str, dict[str, int]]:
        """The epoch of the bridge's outbox, and the last seq it gave to each device; nothing before it has begun."""
        if not (self.folder / f"outbox-{self.name}-bridge.db").is_file():
            return "", {}
        with sqlite3.connect(f"file:{self.folder}/outbox-{self.name}-bridge.db?mode=ro", uri=True, timeout=5) as outbox:
            if outbox.execute("SELECT 1 FROM sqlite_master WHERE name = 'life'").fetchone() is None:
                return "", {}  # it is being made
            life = outbox.execute("SELECT epoch FROM life").fetchone()
            if life is None:
                return "", {}  # its tables stand, its first life is not written
            return life[0], dict(outbox.execute("SELECT device, seq FROM counter"))


@asynccontextmanager
async def plant(
    folder: Path, name: str, *, embedded: bool = False, tls: bool = False, lines: bool = False
) -> AsyncIterator[Plant]:
    """All is prepared, the devices answer, and nothing else runs yet.

    `embedded`: the archive is a file, where the database is not what is tried. `tls`: bridge and archive come from
    outside, with certificates. `lines`: each of them over a line of its own.
    """
    demo = load_site(DEMO)
    site = demo.model_copy(update={"site": name})
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(SimulatedSite(site, soc=50.0, ramp=math.inf, free_ports=True))
        (folder / "site.toml").write_text(_site_file(simulated), encoding="utf-8")
        broker, parts = Broker(folder / "broker", tls=tls), dict[str, Server]()
        stack.callback(_end, parts)
        database = f"sqlite+aiosqlite:///{folder}/archive.db" if embedded else await _database(folder, parts)
        await asyncio.to_thread(migrate, database)
        if not embedded:
            await asyncio.to_thread(parts["database"].stop)
        parts["broker"] = broker
        it = Plant(folder, simulated, broker, database, parts)
        for kind in ("archive", "bridge"):
            port = broker.tls_port or broker.port
            if lines:
                it.lines[kind] = await stack.enter_async_context(Proxy(port))
                port = it.lines[kind].port
            parts[kind] = part(kind, folder, broker, database, port)
        yield it


async def _database(folder: Path, parts: dict[str, Server]) -> str:
    parts["database"] = mariadb = MariaDB(folder / "mariadb")
    await asyncio.to_thread(mariadb.start)
    return mariadb.database()


def _door(name: str, broker: Broker, port: int) -> dict[str, str]:
    """How a part gets in: with its password inside, with its certificate outside."""
    if broker.tls_port is None:
        return {"JOULEBUS_BROKER": f"mqtt://{name}:{broker.secrets.password(name)}@127.0.0.1:{port}"}
    kept = broker.secrets.folder / "secrets"
    files = {"CA": kept / "ca.crt", "CERT": kept / "clients" / f"{name}.crt", "KEY": kept / "clients" / f"{name}.key"}
    return {"JOULEBUS_BROKER": f"mqtts://127.0.0.1:{port}"} | {
        f"JOULEBUS_BROKER_{what}": str(path) for what, path in files.items()
    }


def _site_file(simulated: SimulatedSite) -> str:
    """The demo's site file, with the ports its devices really have."""
    text = DEMO.read_text(encoding="utf-8").replace('site = "demo"', f'site = "{simulated.site.site}"')
    for device in load_site(DEMO).device:
        text = text.replace(device.address, simulated.site.named(device.name).address)
    text = text.replace('tariff = "tariff.toml"', f'tariff = "{DEMO.parent / "tariff.toml"}"')
    return text.replace("ramp = 50_000", "ramp = 1e9")


def part(name: str, folder: Path, broker: Broker, database: str, door: int | None = None) -> Server:
    """One part as a process; `door` is the port it comes to the broker by."""
    port = free_port()
    env = os.environ | _door(name, broker, door or broker.tls_port or broker.port)
    env |= {
        "JOULEBUS_DATABASE": database,
        "JOULEBUS_HEALTH": f"127.0.0.1:{port}",
        "JOULEBUS_STATE": str(folder),
    }
    command = [sys.executable, "-m", "joulebus.cli", name, "--site", str(folder / "site.toml")]
    return Server(command, env, port, folder / f"{name}.log")


def _end(parts: dict[str, Server]) -> None:
    for part in reversed(parts.values()):
        part.send(signal.SIGCONT)
        part.kill()
