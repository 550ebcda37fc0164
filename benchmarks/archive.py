"""How fast the archive stores, and how small, on the real MariaDB with durable commits.

`python -m benchmarks.archive --json` prints one line. A value is one point of one message; 50 points a message, as
devices at 1 Hz would send them. The archive is a process of its own; its CPU seconds are its own, rollups included.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import archive_backlog, archive_bare, archive_day, archive_page, archive_query
from consumers.archive.migrate import migrate
from joulebus.broker import prepare
from joulebus.mariadb import MariaDB
from joulebus.server import Server, free_port
from runtime.database import engine
from schemas.site_file import load_site
from schemas.tables import dirty, rollup_1h, rollup_1m, rollup_15m, telemetry
from schemas.units import utc_now

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 300.0
"""Seconds until something is broken, not slow."""
DAY = 2.0
"""Hours of words at full rhythm, scaled to a day."""
PROGRAM = (
    "import asyncio, sys; from pathlib import Path; from consumers.archive.service import run; "
    "from runtime.part import Part; from runtime.settings import read_settings; "
    "from schemas.site_file import load_site; "
    "asyncio.run(run(Part('archive', load_site(Path(sys.argv[1])), read_settings('archive'))))"
)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--messages", type=int, default=50_000, help="the backlog that is drained")
    parser.add_argument("--days", type=int, default=1, help="of telemetry that are queried; 30 are 2.6 million rows")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = MariaDB(Path(folder) / "mariadb")
        database.start()
        try:
            url = database.database()
            found = await measure(Path(folder), url, wish.messages)
            found |= size(database, url, wish.messages)
            found |= await queries(database, wish.days)
            found |= await archive_day.day_bytes_per_site(f"sqlite+aiosqlite:///{folder}/day.db", DAY)
            found |= await _forgetting(Path(folder))
            found |= await asyncio.to_thread(archive_page.measure, Path(folder))
        finally:
            database.stop()
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<24} {value}" for name, value in found.items()))


async def queries(database: MariaDB, days: int) -> dict[str, float]:
    """The reading side, in a database of its own, with a pool that a day of telemetry fits into."""
    database.sql(f"SET GLOBAL innodb_buffer_pool_size = {256 * 2**20}")
    url = database.database()
    await asyncio.to_thread(migrate, url)
    return await archive_query.measure(url, days)


async def measure(folder: Path, url: str, messages: int) -> dict[str, float]:
    """The writing side: fill the archive's session at the broker, start it, and watch it."""
    await asyncio.to_thread(migrate, url)
    secrets = prepare(folder / "broker", free_port())
    server = Server(secrets.command, secrets.env, secrets.port, folder / "broker.log")
    server.start()
    port = free_port()
    env = os.environ | {
        "JOULEBUS_BROKER": secrets.url("archive"), "JOULEBUS_DATABASE": url, "JOULEBUS_HEALTH": f"127.0.0.1:{port}",
        "JOULEBUS_STATE": str(folder),
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, str(REPOSITORY / "site.toml")]
    store = engine(url)
    try:
        site = load_site(REPOSITORY / "site.toml").site
        # It subscribes, so that the broker keeps the backlog for it.
        with subprocess.Popen(command, env=env) as first:  # noqa: ASYNC220
            await asyncio.to_thread(_listens, port)
            first.terminate()

        def backlog() -> None:
            asyncio.run(archive_backlog.publish(secrets.url("bridge"), site, messages))

        await asyncio.to_thread(backlog)
        with subprocess.Popen(command, env=env) as archive:  # noqa: ASYNC220
            try:
                found = await _drained(store, psutil.Process(archive.pid), messages)
            finally:
                archive.terminate()
        insert = await archive_bare.insert(store)
        reception = await asyncio.to_thread(archive_bare.reception, secrets.url("archive"), messages, backlog)
        both = 1 / (1 / insert + 1 / reception)
        return found | {
            "bare_insert_values_per_cpu_s": round(insert),
            "bare_reception_values_per_cpu_s": round(reception),
            "ratio_to_bare_insert": round(found["values_per_cpu_s"] / insert, 3),
            "ratio_to_bare_reception_and_insert": round(found["values_per_cpu_s"] / both, 3),
        }
    finally:
        await store.dispose()
        server.stop()


def _listens(port: int) -> None:
    """Returns when an archive is ready, and has had a moment to subscribe."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                time.sleep(2)
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("the archive does not start")


async def _forgetting(folder: Path) -> dict[str, float]:
    """Rows a second that retention deletes while the archive stores: what the embedded archive measures of itself."""
    if importlib.util.find_spec("benchmarks.archive_retention") is None:
        return {}
    found: dict[str, float] = await importlib.import_module("benchmarks.archive_retention").measure(
        f"sqlite+aiosqlite:///{folder}/forgets.db"
    )
    return found


async def _drained(store: AsyncEngine, process: psutil.Process, messages: int) -> dict[str, float]:
    """Until all is stored, then until the rollups are made; CPU time without that of the start."""
    began, cpu, most = 0.0, 0.0, 0.0
    before = 0.0
    deadline = time.monotonic() + PATIENCE
    while (stored := await _count(store, telemetry)) < messages:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{messages - stored} messages are not stored")
        most = max(most, process.memory_info().rss / 1e6)
        if stored == 0:
            began, before = time.monotonic(), _cpu(process)
        await asyncio.sleep(0.1)
    took = time.monotonic() - began
    deadline = time.monotonic() + 60
    while await _late(store) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    cpu = _cpu(process) - before
    return {
        "values_per_cpu_s": round(messages * archive_backlog.POINTS / cpu),
        "drain_messages_per_s": round(messages / took),
        "drain_rss_mb": round(most, 1),
    }


async def _late(store: AsyncEngine) -> int:
    """Minutes that are over and not rolled yet."""
    async with store.connect() as connection:
        over = select(func.count()).where(dirty.c.span == 60, dirty.c.at < utc_now() - timedelta(minutes=2))
        return int((await connection.execute(over)).scalar_one())


def size(database: MariaDB, url: str, messages: int) -> dict[str, float]:
    """Bytes on the disk (page compression is holes in files), by value, of the telemetry and with its rollups."""
    name = url.rpartition("/")[2]
    tables = [table.name for table in (telemetry, rollup_1m, rollup_15m, rollup_1h)]
    database.sql(f"USE {name}; FLUSH TABLES {', '.join(tables)} FOR EXPORT; UNLOCK TABLES;")
    every = {
        table: sum(file.stat().st_blocks * 512 for file in (database.data / name).glob(f"{table}*.ibd"))
        for table in tables
    }
    values = messages * archive_backlog.POINTS
    return {
        "bytes_per_value": round(every["telemetry"] / values, 2),
        "bytes_per_value_with_rollups": round(sum(every.values()) / values, 2),
    }


async def _count(store: AsyncEngine, table: Any) -> int:  # noqa: ANN401
    async with store.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system


if __name__ == "__main__":
    asyncio.run(main())
