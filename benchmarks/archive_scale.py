"""Whether one archive process keeps up with 100 devices of 50 points at 1 Hz on half a core, rollups included.

`python -m benchmarks.archive_scale --json` prints one line. A real broker, the real MariaDB with durable commits, the
archive as a process of its own; a whole minute is measured, so that one minute of every device is rolled up in it.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, select

from consumers.archive.migrate import migrate
from joulebus.broker import prepare
from joulebus.mariadb import MariaDB
from joulebus.server import Server, free_port
from runtime.bus import Bus
from runtime.database import engine
from runtime.settings import parse_broker
from schemas.messages import Telemetry, Value
from schemas.tables import rollup_1m, telemetry
from schemas.topics import TELEMETRY
from schemas.units import utc_now

SITE = "scale"
EPOCH = "00112233aabbccdd"
PROGRAM = (
    "import asyncio, sys; from consumers.archive.service import run; from runtime.part import Part; "
    "from runtime.settings import read_settings; from schemas.site import Site; "
    "asyncio.run(run(Part('archive', Site.model_validate_json(sys.argv[1]), read_settings('archive'))))"
)
ROLLED = 15.0
"""Seconds after the run in which the last minute's rollups are made."""


@dataclass
class Load:
    """Devices that speak once a second, one after the other."""

    devices: list[str]
    points: int
    seq: int = 0
    sent: int = 0
    waiting: list["asyncio.Future[int]"] = field(default_factory=list)

    async def past(self, bus: Bus, seconds: int) -> None:
        """What they said before, as a backlog."""
        now = utc_now()
        for second in range(seconds, 0, -1):
            self.seq += 1
            for device in self.devices:
                self._say(bus, device, now - timedelta(seconds=second), historical=True)
            await asyncio.gather(*self.waiting)
            self.waiting.clear()

    async def speak(self, bus: Bus, seconds: float) -> None:
        """In time, whatever the broker does."""
        began, turn = time.monotonic(), 0
        while (until := began + turn / len(self.devices)) < began + seconds:
            await asyncio.sleep(until - time.monotonic())
            self.seq += turn % len(self.devices) == 0
            self._say(bus, self.devices[turn % len(self.devices)], utc_now(), historical=False)
            turn += 1
        await asyncio.gather(*self.waiting)

    def _say(self, bus: Bus, device: str, at: datetime, *, historical: bool) -> None:
        values: dict[str, Value] = {
            f"p_{n}": round(5000 + 37.3 * ((self.seq * (n + 3)) % 97), 1) if n % 3 == 0 else float(20 + n)
            for n in range(self.points)
        }
        said = Telemetry(at=at, epoch=EPOCH, seq=self.seq, historical=historical, values=values)
        self.waiting.append(bus.post(TELEMETRY.at(site=SITE, device=device), said.model_dump_json().encode()))
        self.sent += 1


@dataclass
class Watched:
    """A process, and what it said of its lag."""

    process: psutil.Process
    lags: list[float] = field(default_factory=list)
    rss: int = 0

    def cpu(self) -> float:
        """Seconds it has used."""
        used = self.process.cpu_times()
        return used.user + used.system

    async def work(self, port: int) -> None:
        """Once a second, until it is cancelled."""
        while True:
            self.rss = max(self.rss, self.process.memory_info().rss)
            self.lags.append(await asyncio.to_thread(_lag, port))
            await asyncio.sleep(1)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--devices", type=int, default=100, help="at 1 Hz each")
    parser.add_argument("--points", type=int, default=50, help="of each device")
    parser.add_argument("--seconds", type=float, default=60.0, help="less than 60 may hold no rollup")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = MariaDB(Path(folder) / "mariadb")
        database.start()
        try:
            found = await measure(Path(folder), database, wish)
        finally:
            database.stop()
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<24} {value}" for name, value in found.items()))


async def measure(folder: Path, database: MariaDB, wish: argparse.Namespace) -> dict[str, float]:
    """Start everything, let it run in, and look at one minute."""
    url = database.database()
    await asyncio.to_thread(migrate, url)
    secrets, port = prepare(folder / "broker", free_port()), free_port()
    server = Server(secrets.command, secrets.env, secrets.port, folder / "broker.log")
    server.start()
    env = os.environ | {
        "JOULEBUS_BROKER": secrets.url("archive"),
        "JOULEBUS_DATABASE": url,
        "JOULEBUS_HEALTH": f"127.0.0.1:{port}",
    }
    load = Load([f"d{n}" for n in range(wish.devices)], wish.points)
    store = Server([sys.executable, "-c", PROGRAM, site(load.devices)], env, port, folder / "archive.log")
    store.start()
    try:
        watched = [Watched(psutil.Process(one.process.pid)) for one in (store, database) if one.process]
        async with Bus(parse_broker(secrets.url("bridge"), "bridge", None, {}), identifier="bridge") as bus:
            return await _minute(bus, load, watched, port=port, url=url, seconds=wish.seconds)
    finally:
        store.stop()
        server.stop()


async def _minute(
    bus: Bus, load: Load, watched: list[Watched], *, port: int, url: str, seconds: float
) -> dict[str, float]:
    archive, _ = watched
    await load.past(bus, 120)  # so that the minute that ends while we look is a whole one
    await load.speak(bus, ROLLED)
    before, began, sent = [one.cpu() for one in watched], time.monotonic(), load.sent
    first = await _stored(url)
    looking = asyncio.create_task(archive.work(port))
    await load.speak(bus, seconds)
    took = time.monotonic() - began
    used = [(one.cpu() - cpu) / took for one, cpu in zip(watched, before, strict=True)]
    last = await _stored(url)
    looking.cancel()
    return {
        "devices": len(load.devices),
        "points": load.points,
        "offered_messages_per_s": round((load.sent - sent) / took, 1),
        "stored_messages_per_s": round((last[0] - first[0]) / took, 1),
        "rolled_minutes": last[1] - first[1],
        "archive_cpu_share": round(used[0], 3),
        "mariadb_cpu_share": round(used[1], 3),
        "worst_lag_s": round(max(archive.lags), 2),
        "archive_rss_mb": round(archive.rss / 1e6, 1),
    }


def site(devices: list[str]) -> str:
    """A site file, as JSON."""
    kinds = ("janitza_umg96rme", "sinexcel_pws2", "pylontech_powercube_m2")
    return json.dumps(
        {
            "site": SITE,
            "tariff": "tariff.toml",
            "grid": {"meter": devices[0], "import_limit": 1000, "export_limit": 0},
            "battery": {"pcs": devices[1], "bms": devices[2], "energy": 1000},
            "device": [
                {"name": name, "profile": kinds[min(n, 2) if n < 3 else 0], "address": f"tcp://127.0.0.1:{n + 1}"}
                | ({"rated_power": 1000} if n == 1 else {})
                for n, name in enumerate(devices)
            ],
        }
    )


async def _stored(url: str) -> tuple[int, int]:
    """Messages, and minutes of a device that are rolled up."""
    database = engine(url)
    async with database.connect() as connection:
        counts = [
            int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
            for table in (telemetry, rollup_1m)
        ]
    await database.dispose()
    return counts[0], counts[1]


def _lag(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        lag: float = json.load(answer)["lag"]
    return lag


if __name__ == "__main__":
    asyncio.run(main())
