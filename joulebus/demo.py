"""`joulebus demo`: a battery site that lives on measured data, with everything that belongs to it.

Nothing is asked and nothing outside of its folder is touched: an own broker with generated passwords, an SQLite
file as the archive, the simulated site, and every part as a process of its own.
"""

import asyncio
import contextlib
import json
import logging
import shutil
import signal
import sqlite3
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from joulebus import neighbours
from joulebus.broker import Secrets, prepare
from joulebus.checkout import whole
from joulebus.live_line import fitted
from joulebus.observer import Observer
from joulebus.parts import SERVICES
from joulebus.server import answers, free_port, is_free
from joulebus.supervisor import Supervisor
from joulebus.up import command, parts_of, watched
from runtime.bus import Bus
from runtime.database import describe, engine, unreachable
from runtime.history import History
from runtime.log import set_up
from runtime.settings import parse_broker
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import utc_now

PAST = 7.0
"""Days."""
DRAIN = 60.0
"""Seconds the archive gets to take what the bridge still holds."""

log = logging.getLogger("demo")


@dataclass(frozen=True)
class Wish:
    """What the person at the terminal wants."""

    site: Path
    folder: Path
    port: int
    seconds: float | None
    json: bool
    weather: datetime | None = None
    """The moment whose load and sun the simulated site begins with."""
    past: float = PAST
    """Days of its own past that it looks back on."""


async def run(wish: Wish) -> int:
    """The demo until Ctrl-C, or for some seconds. Raises Trouble for what a person must put right."""
    set_up("demo", "WARNING" if wish.json else "INFO")
    demo = Demo(wish, load_site(wish.site))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await demo.start()
        watching = asyncio.create_task(demo.watch(), name="demo.watch")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wish.seconds):
                await stop.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if wish.json:
            print(json.dumps(await demo.closing_line()))  # the line other programs read
        else:
            below = "\n" if sys.stdout.isatty() else ""  # the live line
            print(f"{below}stopping", flush=True)
    finally:
        await demo.supervisor.close()
    if not wish.json:
        print(await demo.last_words())
    return 0


@dataclass
class Demo:
    """Everything that runs, and what was seen of it."""

    wish: Wish
    site: Site
    supervisor: Supervisor = field(init=False)
    observer: Observer = field(init=False)
    started: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        self.folder = self.wish.folder.resolve()
        self.supervisor = Supervisor(self.folder / "log")
        self.observer = Observer(self.site.site)
        self.database = f"sqlite+aiosqlite:///{self.folder / 'joulebus.db'}"
        needed = ("simulate", *parts_of(self.site))
        self.ports = {part: self.wish.port + 1 + turn for turn, part in enumerate(SERVICES) if part in needed}
        """Of the health endpoints."""

    async def start(self) -> None:
        """Ports, passwords, tables, a past to look back on, and then every process."""
        whole()
        self._check_ports()
        shutil.rmtree(self.folder / "log", ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.broker = prepare(self.folder / "broker", free_port())
        except neighbours.Missing as missing:
            raise Trouble(str(missing)) from missing
        log.info("preparing the archive in %s", self.folder)
        await self._prepare_archive()
        self._before = _counters(self._outbox())
        self.supervisor.start("broker", self.broker.command, self.broker.env)
        page = f"127.0.0.1:{self.wish.port}"
        for part in ("simulate", *parts_of(self.site)):
            words = [*command(part, self.wish.site.resolve(), page), *self._weather(part)]
            self.supervisor.start(part, words, self._env(part, self.broker))
        log.info("the page is at http://%s   logs in %s   Ctrl-C stops it", page, self.supervisor.folder)
        passwords = self.broker.password_file("operator").parent
        log.info(
            "the broker is at 127.0.0.1:%d: users scada, operator and engineer, passwords in %s",
            self.broker.port,
            passwords,
        )

    def _check_ports(self) -> None:
        for name, port in [("the status page", self.wish.port), *self.ports.items()]:
            if answers(port):
                raise Trouble(f"port {port} for {name} is in use; give another one: joulebus demo --port 8180")
            if not is_free(port):
                why = ", below 1024 only root may" if port < 1024 else ""
                raise Trouble(f"port {port} for {name} cannot be opened{why}; give another --port")
        for device in self.site.device:
            if answers(device.endpoint[1]):
                raise Trouble(f"port {device.endpoint[1]} of device {device.name} is in use; is another demo running?")

    def _weather(self, part: str) -> list[str]:
        given = self.wish.weather
        return ["--weather", given.isoformat()] if part == "simulate" and given is not None else []

    def _env(self, part: str, broker: Secrets) -> dict[str, str]:
        return {
            "JOULEBUS_HEALTH": f"127.0.0.1:{self.ports[part]}",
            "JOULEBUS_STATE": str(self.folder),
            "JOULEBUS_DATABASE": self.database,
            **broker.variables(part),
            **watched(part, {"the demo": self.folder}, {}),
        }

    async def _prepare_archive(self) -> None:
        """Tables, and the site's own past, so that there is something to forecast from and to look at."""
        from joulebus.past import Wish as PastWish  # noqa: PLC0415  # alembic and numpy are needed only here
        from joulebus.past import remember  # noqa: PLC0415  # as above

        begin = self.started - timedelta(days=self.wish.past)
        env = {"JOULEBUS_STATE": str(self.folder)}  # where fetched prices are kept
        past = PastWish(self.site, self.wish.site, begin, self.started, env)
        memory = self.folder / f"simulated-{self.site.site}.json"
        await asyncio.to_thread(remember, self.database, past, memory)

    async def watch(self) -> None:
        """Listen like any subscriber, and say every two seconds how the site is."""
        broker = parse_broker(self.broker.url("admin"), "admin", None, {})
        talking = asyncio.create_task(self._talk(), name="demo.line") if not self.wish.json else None
        try:
            while True:
                with contextlib.suppress(Exception):  # the broker is one of the processes that may die here
                    async with Bus(broker, identifier="admin") as bus:
                        await self.observer.listen(bus)
                await asyncio.sleep(0.3)
        finally:
            if talking is not None:
                talking.cancel()

    async def _talk(self) -> None:
        while True:
            await asyncio.sleep(2)
            seen = self.observer.seen(self.site.grid.meter, self.site.battery, self.site.pv_points)
            line = fitted(seen, shutil.get_terminal_size().columns - 1)  # the cursor stands behind it
            live = sys.stdout.isatty()
            print(f"\r{line}\x1b[K" if live else line, end="" if live else "\n", flush=True)

    async def closing_line(self) -> dict[str, Any]:
        """What the whole run comes to, counted in the outbox and in the database, not in memory."""
        services = self.observer.service_states(time.monotonic())
        services = {part: services.get(part, "silent") for part in parts_of(self.site)}
        await self.supervisor.stop("dispatch", "optimize")
        await self.supervisor.stop("simulate")
        await asyncio.sleep(1.2)  # one more cycle: what was read last is on its way
        waiting = await self._drained()
        await self.supervisor.stop(*(part for part in parts_of(self.site) if part not in ("dispatch", "optimize")))
        published = _published(self._before, _counters(self._outbox()))
        store = engine(self.database)
        counts = await History(store).counts(self.site.site, self.started)
        await store.dispose()
        return {
            "published": published,
            "archived": counts.samples,
            "lost": published - counts.samples - waiting,
            "duplicated": counts.rows - counts.instants,
            "waiting": waiting,
            "alarms": self.observer.active_alarms(),
            "plan_age_s": self.observer.plan_age(utc_now()),
            "commands": {name: self.observer.commands[name] for name in ("sent", "applied", "verified", "refused")},
            "round_trip_ms": self.observer.round_trip_ms(),
            "services": services,
            "failed": self.supervisor.failures(),
        }

    async def last_words(self) -> str:
        """Counted once all has stopped."""
        published = _published(self._before, _counters(self._outbox()))
        store = engine(self.database)
        try:
            counts = await History(store).counts(self.site.site, self.started)
        except (OSError, SQLAlchemyError) as wrong:
            return f"stopped; nobody can say what is kept: {unreachable(describe(self.database), wrong)}"
        finally:
            await store.dispose()
        return kept_words(published, counts.samples, _waiting(self._outbox()))

    async def _drained(self) -> int:
        """Samples that are still in the outbox once the archive had time to take them."""
        end = time.monotonic() + DRAIN
        while time.monotonic() < end and _waiting(self._outbox()):  # noqa: ASYNC110  # another process empties it
            await asyncio.sleep(0.2)
        return _waiting(self._outbox())

    def _outbox(self) -> Path:
        return self.folder / f"outbox-{self.site.site}-bridge.db"


def kept_words(published: int, archived: int, waiting: int) -> str:
    """How it ends: what was measured is in the archive, or waits for it on the disk."""
    if (lost := published - archived - waiting) > 0:
        return f"stopped, and {lost} of {published} samples are lost"
    if waiting:
        return f"stopped, all kept: {archived} samples are archived, {waiting} more in the outbox for the next start"
    return f"stopped, all kept: {archived} samples are archived"


def _counters(outbox: Path) -> dict[tuple[str, str], int]:
    """The last sequence number of each (epoch, device)."""
    rows = _ask(outbox, "SELECT epoch || ' ' || device, seq FROM counter, life")
    return {(key.split()[0], key.split()[1]): int(seq) for key, seq in rows}


def _published(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]) -> int:
    """How many samples were taken in between."""
    return sum(seq - before.get(key, 0) for key, seq in after.items())


def _waiting(outbox: Path) -> int:
    rows = _ask(outbox, "SELECT count(*), 0 FROM outbox")
    return int(rows[0][0]) if rows else 0


def _ask(outbox: Path, question: str) -> list[tuple[Any, Any]]:
    if not outbox.is_file():
        return []
    with contextlib.closing(sqlite3.connect(outbox, timeout=5)) as db:
        return db.execute(question).fetchall()
