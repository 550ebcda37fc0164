"""Two who write to one SQLite file: both get their turn, none is refused, and the log beside the file stays small."""

import ast
import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import engine, writing

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("schemas", "runtime", "optimizer", "bridges", "consumers", "simulator", "joulebus", "benchmarks")

OTHER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
end = time.monotonic() + float(sys.argv[2])
done = 0
while time.monotonic() < end:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO kept VALUES (1, ?)", (bytes(2000),))
    db.execute("COMMIT")
    done += 1
    time.sleep(0.003)
print(done)
"""
"""Another process that writes and needs some milliseconds to make its next rows, as the filling of the past does."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = engine(f"sqlite+aiosqlite:///{tmp_path}/archive.db")
    async with writing(made) as connection:
        await connection.execute(text("CREATE TABLE kept (who INTEGER, what BLOB)"))
    yield made
    await made.dispose()


async def test_who_reads_first_and_then_writes_is_not_refused_when_another_has_written_in_between(
    database: AsyncEngine,
) -> None:
    """SQLite refuses that at once: 17 rollups in 3 min, and "nothing is acknowledged" in 4 of 4 first starts."""

    async def work(who: int) -> None:
        for _ in range(20):
            async with writing(database) as connection:
                count = (await connection.execute(text("SELECT count(*) FROM kept"))).scalar_one()
                await asyncio.sleep(0)
                await connection.execute(text("INSERT INTO kept VALUES (:who, :count)"), {"who": who, "count": count})

    await asyncio.gather(*map(work, range(4)))
    async with database.connect() as connection:
        kept = (await connection.execute(text("SELECT what FROM kept ORDER BY what"))).scalars().all()
    assert kept == [*range(80)], "each saw what the one before had written"


async def test_writers_of_one_process_take_turns(database: AsyncEngine) -> None:
    """One that writes without a pause keeps nobody waiting for more than one of its transactions."""
    stop, busy = asyncio.Event(), 0

    async def upkeep() -> None:
        nonlocal busy
        while not stop.is_set():
            async with writing(database) as connection:
                await connection.execute(text("INSERT INTO kept VALUES (1, zeroblob(1000))"))
                await asyncio.sleep(0.02)
            busy += 1

    working = asyncio.create_task(upkeep())
    for number in range(1, 11):
        before = busy
        async with writing(database) as connection:
            await connection.execute(text("INSERT INTO kept VALUES (2, :number)"), {"number": number})
        assert busy - before <= 2
    stop.set()
    await working


async def test_another_process_that_writes_all_the_time_starves_nobody(database: AsyncEngine, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, f"{tmp_path}/archive.db", "1.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:  # noqa: ASYNC220
        done, waits = 0, [0.0]
        while other.poll() is None:
            began = time.monotonic()
            async with writing(database) as connection:
                await connection.execute(text("INSERT INTO kept VALUES (2, zeroblob(2000))"))
            waits.append(time.monotonic() - began)
            done += 1
            await asyncio.sleep(0.05)
        said, _ = await asyncio.to_thread(other.communicate)
    assert int(said) > 10
    assert done >= 5
    assert max(waits) < 4, waits


async def test_a_transaction_that_fails_is_rolled_back_and_leaves_the_turn_to_the_next(database: AsyncEngine) -> None:
    async def fail() -> None:
        async with writing(database) as connection:
            await connection.execute(text("INSERT INTO kept VALUES (1, 1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with asyncio.timeout(2), writing(database) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM kept"))).scalar_one() == 0


def test_nobody_begins_a_transaction_to_write_by_another_door() -> None:
    """`engine.begin()` reads first and is refused afterwards; whoever wants to write takes `writing`."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for room in ROOMS
        for path in (REPOSITORY / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "begin"
        and ast.unparse(node.func.value).rpartition(".")[2] in ("engine", "database", "store", "made")
    ]
    assert found == []


@pytest.mark.usefixtures("database")
def test_a_new_file_gives_pages_back(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "archive.db")) as file:
        assert file.execute("PRAGMA auto_vacuum").fetchone() == (2,), "incremental"
