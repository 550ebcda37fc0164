"""What is too old goes while the archive is written to, without a scan; the file and its log stay small."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.file_size import PAGES, SPARE, give_back
from consumers.archive.oldest import HELD, ROWS, forget_older
from consumers.archive.retention import CHAIN
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.database import BUSY, LOG_KEPT, engine, writing
from runtime.heard import Heard
from schemas import tables
from schemas.messages import Telemetry
from schemas.retention import KEEPING
from schemas.topics import TELEMETRY
from tests.consumers.test_archive_rollups import SITE

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
ROW = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :rows - 1)
    INSERT INTO telemetry SELECT 'plant', 'device_' || (i % 4), strftime('%Y-%m-%d %H:%M:%S', '2026-06-01',
    '+' || (i / 4) || ' seconds') || '.000000', '00112233aabbccdd', i / 4, 0, :points, NULL FROM n"""
"""Of four devices, each second one row of 50 points."""
POINTS = "{" + ",".join(f'"p_{n}":{n * 7.3:.1f}' for n in range(50)) + "}"


@pytest.fixture
async def archive(sqlite_archive: str) -> AsyncIterator[AsyncEngine]:
    made = engine(sqlite_archive)
    yield made
    await made.dispose()


async def fill(archive: AsyncEngine, rows: int) -> None:
    async with writing(archive) as connection:
        await connection.execute(text(ROW), {"rows": rows, "points": POINTS})


async def left(archive: AsyncEngine) -> int:
    async with archive.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(tables.telemetry))).scalar_one()


def batch(number: int) -> list[Heard[Any]]:
    """Of now, as the hot path gets it."""
    at = datetime.now(UTC)
    said = [Telemetry(at=at, epoch="ffffffffffffffff", seq=4 * number + one + 1, values={"p": 1.0}) for one in range(4)]
    return [Heard(TELEMETRY, {"site": "plant", "device": "pcs"}, one, "", b"", False, 1) for one in said]


async def test_while_commits_come_each_50_ms_and_rollups_are_made_the_old_rows_go(archive: AsyncEngine) -> None:
    """Today's fault: 0 of 8 rounds deleted anything, and the file grew until the disk was full."""
    rows, kept = 40_000, 4_000
    await fill(archive, rows)
    told: list[str] = []
    store = Store(archive, told.append)
    waits = []

    async def storing() -> None:
        for number in range(100_000):
            began = time.monotonic()
            await store.keep(sort_out(batch(number), datetime.now(UTC))[0])
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async def rolling() -> None:
        roller = Roller(archive, SITE, store)
        while True:
            await roller.roll(datetime.now(UTC) + timedelta(hours=2))
            await asyncio.sleep(0.05)

    beside = [asyncio.create_task(work()) for work in (storing, rolling)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    gone = await forget_older(archive, tables.telemetry, "plant", BEGAN + timedelta(seconds=(rows - kept) // 4))
    took = time.monotonic() - began
    for task in beside:
        assert not task.done(), task.exception()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert gone == rows - kept
    assert gone / took > 1000, "4 devices at 1 Hz bring 4 rows/s"
    assert max(waits) < 2, waits
    assert [words for words in told if words] == []
    stored = kept + 4 * len(waits)
    assert await left(archive) in (stored, stored + 4), "a commit is not cut off"


async def test_rows_of_one_moment_and_of_another_site_and_what_is_young_enough(archive: AsyncEngine) -> None:
    rows = [
        {"site": site, "device": "pcs", "at": BEGAN + timedelta(seconds=at), "epoch": "00112233aabbccdd", "seq": seq}
        for site, at, seqs in (("plant", 0, 3 * ROWS), ("plant", 60, 1), ("other", 0, 1))
        for seq in range(seqs)
    ]
    async with writing(archive) as connection:
        await connection.execute(
            tables.telemetry.insert(), [one | {"historical": False, "points": "{}"} for one in rows]
        )
    assert await forget_older(archive, tables.telemetry, "plant", BEGAN + timedelta(seconds=60)) == 3 * ROWS
    assert await forget_older(archive, tables.telemetry, "plant", BEGAN + timedelta(seconds=60)) == 0
    assert await left(archive) == 2


@pytest.mark.parametrize(
    "table",
    [
        one
        for one in tables.metadata.sorted_tables
        if KEEPING[one.name].at == "at" and KEEPING[one.name].key != CHAIN and "at" in one.primary_key
    ],
    ids=lambda one: one.name,
)
async def test_no_statement_reads_a_whole_table(archive: AsyncEngine, table: Table) -> None:
    await fill(archive, 40)
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, words: str, parameters: object, *___: object) -> None:
        if words.startswith(("SELECT", "DELETE")):
            asked.append((words, parameters))

    async with writing(archive) as connection:
        if table is not tables.telemetry:
            await connection.execute(table.insert(), [_any(table, number) for number in range(3)])
    event.listen(archive.sync_engine, "before_cursor_execute", note)
    gone = await forget_older(archive, table, "plant", BEGAN + timedelta(days=1))
    event.remove(archive.sync_engine, "before_cursor_execute", note)
    assert gone == (40 if table is tables.telemetry else 3)
    async with archive.connect() as connection:
        for words, parameters in asked:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", parameters)).all()
            assert all(step.detail.startswith("SEARCH") for step in plan), (words, plan)


def _any(table: Table, number: int) -> dict[str, Any]:
    """A row with something in each column."""
    found: dict[str, Any] = {}
    for column in table.columns:
        moment = isinstance(column.type, tables.Moment)
        found[column.name] = BEGAN + timedelta(minutes=number) if moment else column.type.python_type(number)
    return found | {"site": "plant"} | {name: "{}" for name in ("points", "body") if name in found}


async def test_a_file_that_was_thinned_gives_the_disk_its_pages_back(archive: AsyncEngine, tmp_path: Path) -> None:
    await fill(archive, 50_000)
    await forget_older(archive, tables.telemetry, "plant", BEGAN + timedelta(days=1))
    await give_back(archive)
    async with archive.connect() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
    assert pages < SPARE + 2 * PAGES, "12 000 pages of the rows"
    async with writing(archive) as connection:
        assert (await connection.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"
    await archive.dispose()
    assert (tmp_path / "archive.db").stat().st_size < (SPARE + 2 * PAGES) * 4096


async def test_those_who_read_all_the_time_do_not_make_the_log_grow(archive: AsyncEngine, tmp_path: Path) -> None:
    log = tmp_path / "archive.db-wal"
    stop = asyncio.Event()

    async def reading(number: int) -> None:
        await asyncio.sleep(number * 0.05)
        while not stop.is_set():
            async with archive.connect() as connection:
                await connection.execute(text("SELECT count(*) FROM dirty"))
                await asyncio.sleep(0.15)

    readers = [asyncio.create_task(reading(number)) for number in range(3)]
    await asyncio.sleep(0.2)
    while log.stat().st_size <= LOG_KEPT:
        await fill(archive, 2_000)
        async with writing(archive) as connection:
            await connection.execute(tables.telemetry.delete())
    await give_back(archive)
    now = log.stat().st_size
    stop.set()
    await asyncio.gather(*readers)
    assert now == 0


async def test_the_log_is_not_taken_for_one_that_was_replaced(archive: AsyncEngine, tmp_path: Path) -> None:
    """SQLite removes it with the last connection to the file."""
    store = Store(archive, lambda words: pytest.fail(words) if words else None)
    await store.open()
    await store.keep(sort_out(batch(1), datetime.now(UTC))[0])
    async with archive.connect() as reader:
        await reader.execute(text("SELECT count(*) FROM dirty"))
        await fill(archive, 20_000)
    assert (tmp_path / "archive.db-wal").stat().st_size > LOG_KEPT
    await give_back(archive)
    assert (tmp_path / "archive.db-wal").stat().st_size == 0
    await store.keep(sort_out(batch(2), datetime.now(UTC))[0])
    assert store.replaced == 0
    async with archive.connect() as connection:
        assert (await connection.execute(text("PRAGMA busy_timeout"))).scalar_one() == BUSY


async def test_who_reads_for_long_holds_the_archive_up_for_no_longer_than_a_second(archive: AsyncEngine) -> None:
    """A backup, for example."""
    async with archive.connect() as reader:
        await reader.execute(text("SELECT count(*) FROM dirty"))
        await fill(archive, 20_000)
        began = time.monotonic()
        await give_back(archive)
        assert time.monotonic() - began < 2
        await fill_one(archive)
    await give_back(archive)


async def fill_one(archive: AsyncEngine) -> None:
    async with asyncio.timeout(HELD + 2), writing(archive) as connection:
        await connection.execute(text("DELETE FROM telemetry WHERE seq = 1"))
