"""What docs/backup.md says, done: on the real MariaDB, and on a SQLite file while it is being written."""

import asyncio
import re
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus import neighbours
from joulebus.backup import backup
from joulebus.mariadb import MariaDB
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from schemas.messages import Telemetry
from schemas.topics import TELEMETRY
from schemas.troubles import Trouble
from schemas.units import utc_now

EPOCH = "00112233aabbccdd"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """An archive that goes on storing samples 1, 2, 3...; what it gives waits until so many are in."""
    database = engine(url)
    store, stored = Store(database, lambda words: pytest.fail(words) if words else None), 0

    async def work() -> None:
        nonlocal stored
        while True:
            seqs = range(stored + 1, stored + 21)
            said = [
                Telemetry(at=START + timedelta(seconds=n / 100), epoch=EPOCH, seq=n, values={"p": 1.0}) for n in seqs
            ]
            place = {"site": "plant", "device": "pcs"}
            heard: list[Heard[Any]] = [Heard(TELEMETRY, place, one, "", b"", False, 1) for one in said]
            await store.keep(sort_out(heard, utc_now())[0])
            stored += 20
            await asyncio.sleep(0.01)

    async def until(count: int) -> None:
        end = time.monotonic() + 20
        while stored < count:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)

    task = asyncio.create_task(work())
    try:
        yield until
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.dispose()


async def stored(url: str) -> list[tuple[int, int]]:
    database = engine(url)
    found = await History(database).sequences("plant", EPOCH)
    await database.dispose()
    return found["pcs"]


async def test_the_embedded_archive_is_copied_while_it_is_written(tmp_path: Path) -> None:
    url, copy = f"sqlite+aiosqlite:///{tmp_path}/archive.db", tmp_path / "copy.db"
    await asyncio.to_thread(migrate, url)
    async with writing(url) as until:
        await until(400)
        said = await asyncio.to_thread(backup, url, copy)
        await until(600)
    assert "copy.db holds" in said
    ((first, last),) = await stored(f"sqlite+aiosqlite:///{copy}")
    ((_, end),) = await stored(url)
    assert (first, last % 20) == (1, 0), "one moment of the archive: whole commits and no hole"
    assert 400 <= last < end


def test_a_copy_of_an_older_file_gives_the_pages_of_deleted_rows_back_to_the_disk(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.execute("CREATE TABLE kept (what)")
        assert old.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    for source, copy in ("old", "copy"), ("copy", "again"):
        backup(f"sqlite+aiosqlite:///{tmp_path}/{source}.db", tmp_path / f"{copy}.db")
        with closing(sqlite3.connect(tmp_path / f"{copy}.db")) as made:
            assert made.execute("PRAGMA auto_vacuum").fetchone() == (2,), "incremental"


def test_what_cannot_be_backed_up_is_said_in_words(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    with pytest.raises(Trouble, match="does not exist"):
        backup(url, tmp_path / "copy.db")
    (tmp_path / "archive.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(Trouble, match="could not be copied"):
        backup(url, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))
    (tmp_path / "copy.db").touch()
    with pytest.raises(Trouble, match="exists already"):
        backup(url, tmp_path / "copy.db")
    with pytest.raises(Trouble, match="mariadb-dump --single-transaction"):
        backup("mariadb+asyncmy://u:hush@h/joulebus", tmp_path / "x.sql")


@pytest.mark.slow
async def test_mariadb_is_restored_to_the_moment_before_an_accident(tmp_path: Path) -> None:
    server = MariaDB(tmp_path / "server")
    server.command += ["--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"]
    server.start()
    try:
        url = server.database("joulebus")
        await asyncio.to_thread(migrate, url)
        async with writing(url) as until:
            await until(400)
            dump = await asyncio.to_thread(client, server, "mariadb-dump", "--single-transaction", "--quick",
                                           "--master-data=2", "joulebus")  # fmt: skip
            await until(800)
        before = await stored(url)
        moment = utc_now() + timedelta(seconds=1)
        await asyncio.sleep(2.1)
        server.sql("FLUSH BINARY LOGS; USE joulebus; DELETE FROM telemetry WHERE seq % 3 = 0;")
        assert await stored(url) != before

        server.sql("DROP DATABASE joulebus; CREATE DATABASE joulebus CHARACTER SET utf8mb4;")
        server.sql(f"USE joulebus;\n{dump}")
        assert 400 <= (await stored(url))[0][1] < before[0][1], "the dump alone is older"
        replay(server, dump, moment)
        assert await stored(url) == before
    finally:
        server.stop()


def replay(server: MariaDB, dump: str, until: datetime) -> None:
    """What was written between the dump and a moment."""
    found = re.search(r"MASTER_LOG_FILE='(\S+)', MASTER_LOG_POS=(\d+)", dump)
    assert found
    logs = sorted(file.name for file in server.data.glob("binlog.0*") if file.name >= found[1])
    moment = f"{until:%Y-%m-%d %H:%M:%S}"
    program = neighbours.program("mariadb-client", "mariadb-binlog")
    command = [str(program.path), "--no-defaults", f"--start-position={found[2]}", f"--stop-datetime={moment}", *logs]
    changes = subprocess.run(
        command, cwd=server.data, env=program.env | {"TZ": "UTC"}, check=True, capture_output=True, text=True
    ).stdout
    server.sql(changes)


def client(server: MariaDB, name: str, *options: str) -> str:
    """What one of MariaDB's own programs says, run as the server's owner."""
    program = neighbours.program("mariadb-client", name)
    command = [str(program.path), "--no-defaults", "--socket=mariadb.sock", "--user=root", *options]
    return subprocess.run(command, cwd=server.data, env=program.env, check=True, capture_output=True, text=True).stdout
