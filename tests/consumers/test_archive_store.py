"""Rows into the real databases, and what these do to them."""

import asyncio
import itertools
import json
import signal
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.migrate import migrate
from consumers.archive.rows import Entry, sort_out
from consumers.archive.store import Store, finish
from joulebus.examples import EXAMPLES
from joulebus.mariadb import MariaDB
from runtime.database import code, engine
from runtime.heard import Heard
from schemas.alarm_name import alarm_name
from schemas.messages import Alarm, AlarmRequest, Telemetry
from schemas.tables import alarm, dead_letter, telemetry
from schemas.topics import ALARM, ALARM_REQUEST, TELEMETRY

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EPOCH = "00112233aabbccdd"


@pytest.fixture
def url(archive_url: str) -> str:
    return archive_url


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> str:
    fresh = mariadb.database()
    migrate(fresh)
    return fresh


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def store(url: str, told: list[str]) -> AsyncIterator[Store]:
    database = engine(url)
    yield Store(database, told.append)
    await database.dispose()


@pytest.fixture
async def mariadb_store(mariadb_url: str, told: list[str]) -> AsyncIterator[Store]:
    database = engine(mariadb_url)
    yield Store(database, told.append)
    await database.dispose()


def samples(*seqs: int, device: str = "pcs") -> list[Entry]:
    batch = []
    for seq in seqs:
        at = NOON + timedelta(seconds=seq, microseconds=seq)
        said = Telemetry(at=at, epoch=EPOCH, seq=seq, values={"p": float(seq), "state": "runs ünïversally 🔋"})
        place = {"site": "plant", "device": device}
        batch.append(Heard(TELEMETRY, place, said, "", said.model_dump_json().encode(), False, seq))
    return sort_out(batch, NOON + timedelta(days=1))[0]


async def stored(database: AsyncEngine) -> list[int]:
    async with database.connect() as connection:
        return sorted((await connection.execute(select(telemetry.c.seq))).scalars())


async def letters(database: AsyncEngine) -> list[Any]:
    async with database.connect() as connection:
        return list(await connection.execute(select(dead_letter).order_by(dead_letter.c.id)))


def heard_statements(database: AsyncEngine) -> list[str]:
    said: list[str] = []

    @event.listens_for(database.sync_engine, "before_cursor_execute")
    def _listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    return said


def heard_errors(database: AsyncEngine) -> list[int]:
    met: list[int] = []
    event.listen(database.sync_engine, "handle_error", lambda it: met.append(code(it.sqlalchemy_exception)))
    return met


async def test_a_row_comes_back_as_it_went_in(store: Store) -> None:
    await store.keep(samples(7))
    async with store.engine.connect() as connection:
        row = (await connection.execute(select(telemetry))).one()
    assert row.at == NOON + timedelta(seconds=7, microseconds=7)
    assert row.at.utcoffset() == timedelta(0)
    assert (row.site, row.device, row.epoch, row.seq, row.historical, row.quality) == (
        *("plant", "pcs", EPOCH, 7, False, None),
    )
    assert json.loads(row.points) == {"p": 7.0, "state": "runs ünïversally 🔋"}


async def test_duplicates_are_absorbed_and_counted(store: Store, told: list[str]) -> None:
    first = await store.keep(samples(1, 2, 3))
    again = await store.keep(samples(2, 3, 4, 5))
    assert (first.new["telemetry"], first.known["telemetry"]) == (3, 0)
    assert (again.new["telemetry"], again.known["telemetry"]) == (2, 2)
    assert await stored(store.engine) == [1, 2, 3, 4, 5]
    assert told == []


async def test_a_batch_larger_than_one_packet_of_the_driver_is_counted_rightly(store: Store) -> None:
    entries = samples(*range(1, 60))
    for entry in entries:
        entry.row["points"] = json.dumps({"text": "x" * 40_000})
    assert (await store.keep(entries)).new["telemetry"] == 59
    assert (await store.keep(entries)).known["telemetry"] == 59


@pytest.mark.parametrize("bad", [[0], [150], [299], [17, 18, 200]], ids=str)
async def test_poison_rows_are_found_in_few_statements_and_the_others_are_stored(store: Store, bad: list[int]) -> None:
    entries = samples(*range(1, 301))
    for place in bad:
        entries[place].row["points"] = '{"p": NaN'
    said = heard_statements(store.engine)
    kept = await store.keep(entries)
    inserts = [words for words in said if words.startswith("INSERT INTO telemetry")]
    assert len(inserts) <= 11 * len(bad)
    assert await stored(store.engine) == [seq for seq in range(1, 301) if seq - 1 not in bad]
    assert (kept.new["telemetry"], kept.new["dead_letter"], kept.known["telemetry"]) == (300 - len(bad), len(bad), 0)
    found = await letters(store.engine)
    assert [Telemetry.model_validate_json(letter.payload).seq - 1 for letter in found] == bad
    assert {letter.topic for letter in found} == {"ems/v1/plant/device/pcs/telemetry"}
    assert all("telemetry_points_is_json" in letter.reason or "telemetry.points" in letter.reason for letter in found)


async def test_when_every_row_is_poison_every_row_is_a_dead_letter(store: Store) -> None:
    entries = samples(1, 2, 3, 4, 5)
    for entry in entries:
        entry.row["seq"] = 2**70  # the driver itself may refuse it
    await store.keep(entries)
    assert await stored(store.engine) == []
    assert len(await letters(store.engine)) == 5


async def test_a_missing_column_is_waited_for_and_no_flood_of_dead_letters(store: Store, told: list[str]) -> None:
    await store.keep(samples(1))
    async with store.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE telemetry RENAME COLUMN historical TO hysterical"))
    keeping = asyncio.create_task(store.keep(samples(2, 3)))
    await asyncio.sleep(0.5)
    assert not keeping.done()
    assert len(told) == 1
    assert "historical" in told[0]
    assert "run: joulebus migrate" in told[0]
    assert await letters(store.engine) == []
    async with store.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE telemetry RENAME COLUMN hysterical TO historical"))
    await asyncio.wait_for(keeping, 10)
    assert told[1:] == [""]
    assert await stored(store.engine) == [1, 2, 3]


async def test_a_stop_waits_for_the_commit_that_runs() -> None:
    steps: list[str] = []

    async def commit() -> None:
        steps.append("began")
        await asyncio.sleep(0.2)
        steps.append("committed")

    task = asyncio.create_task(finish(commit()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["began", "committed"]


async def test_a_locked_sqlite_file_is_waited_for(tmp_path: Path, told: list[str]) -> None:
    file = tmp_path / "archive.db"
    await asyncio.to_thread(migrate, f"sqlite+aiosqlite:///{file}")
    database = engine(f"sqlite+aiosqlite:///{file}")
    event.listen(database.sync_engine, "connect", lambda made, _: made.execute("PRAGMA busy_timeout = 10"))
    errors = heard_errors(database)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    keeping = asyncio.create_task(Store(database, told.append).keep(samples(1)))
    await asyncio.sleep(1)
    assert not keeping.done()
    assert "locked" in told[0]
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(keeping, 10)
    assert errors
    assert told[-1] == ""
    assert await stored(database) == [1]
    await database.dispose()


async def test_a_full_sqlite_file_is_waited_for(tmp_path: Path, told: list[str]) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    async with database.connect() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
    most = [pages + 2]
    event.listen(database.sync_engine, "checkout", lambda made, *_: made.execute(f"PRAGMA max_page_count = {most[0]}"))
    entries = samples(*range(1, 200))
    keeping = asyncio.create_task(Store(database, told.append).keep(entries))
    async with asyncio.timeout(10):
        while not told:  # noqa: ASYNC110  # the store tells in a list
            await asyncio.sleep(0.01)
    assert "full" in told[0]
    most[0] = 10_000
    await asyncio.wait_for(keeping, 10)
    assert len(await stored(database)) == 199
    assert await letters(database) == []
    await database.dispose()


async def test_a_deadlock_is_tried_again_and_is_no_news(mariadb_store: Store, told: list[str]) -> None:
    store, errors = mariadb_store, heard_errors(mariadb_store.engine)
    await store.keep(samples(*range(100, 200), device="bms"))
    async with store.engine.connect() as other:
        # No gaps are locked, so ours can write aaa; the other transaction is the heavier one, so InnoDB ends ours.
        await other.execution_options(isolation_level="READ COMMITTED")
        await other.execute(text("UPDATE telemetry SET historical = 1 WHERE site = 'plant' AND device = 'bms'"))
        entries = samples(1, 2, device="aaa") + samples(150, device="bms")
        keeping = asyncio.create_task(store.keep(entries))
        await asyncio.sleep(0.5)  # ours has written aaa and waits for bms
        await other.execute(text("SELECT * FROM telemetry WHERE site = 'plant' AND device = 'aaa' FOR UPDATE"))
        await other.commit()
    kept = await asyncio.wait_for(keeping, 10)
    assert errors == [1213]
    assert (kept.new["telemetry"], kept.known["telemetry"]) == (2, 1)
    assert told == []


async def test_a_lock_that_is_held_too_long_is_tried_again(
    mariadb: MariaDB, mariadb_store: Store, told: list[str]
) -> None:
    mariadb.sql("SET GLOBAL innodb_lock_wait_timeout = 1")
    try:
        errors = heard_errors(mariadb_store.engine)
        await mariadb_store.keep(samples(1))
        async with mariadb_store.engine.connect() as other:
            await other.execute(select(telemetry).with_for_update())
            keeping = asyncio.create_task(mariadb_store.keep(samples(1, 2)))
            await asyncio.sleep(1.3)
            await other.rollback()
        await asyncio.wait_for(keeping, 10)
    finally:
        mariadb.sql("SET GLOBAL innodb_lock_wait_timeout = 50")
    assert errors == [1205]
    assert told == []
    assert await stored(mariadb_store.engine) == [1, 2]


async def test_a_read_only_server_is_waited_for(mariadb: MariaDB, mariadb_store: Store, told: list[str]) -> None:
    await mariadb_store.keep(samples(1))
    mariadb.sql("SET GLOBAL read_only = 1")
    try:
        keeping = asyncio.create_task(mariadb_store.keep(samples(2)))
        await asyncio.sleep(0.6)
        assert not keeping.done()
        assert "read-only" in told[0]
    finally:
        mariadb.sql("SET GLOBAL read_only = 0")
    await asyncio.wait_for(keeping, 10)
    assert told[1:] == [""]
    assert await letters(mariadb_store.engine) == []


async def test_cut_connections_are_no_news(mariadb: MariaDB, mariadb_store: Store, told: list[str]) -> None:
    await mariadb_store.keep(samples(1))
    for seq in range(2, 6):
        ours = mariadb.sql("SELECT id FROM information_schema.processlist WHERE user = 'joulebus'").split()
        mariadb.sql("".join(f"KILL {number};" for number in ours))
        await mariadb_store.keep(samples(seq))
    assert await stored(mariadb_store.engine) == [1, 2, 3, 4, 5]
    assert told == []


async def test_a_server_that_dies_loses_nothing(mariadb: MariaDB, mariadb_store: Store, told: list[str]) -> None:
    await mariadb_store.keep(samples(1))

    async def stream() -> None:
        for seq in range(2, 60):
            await mariadb_store.keep(samples(seq, seq + 1))

    streaming = asyncio.create_task(stream())
    for _ in range(2):
        await asyncio.sleep(0.1)
        mariadb.kill()
        await asyncio.sleep(0.5)
        mariadb.start()  # not in a thread: the server ends with the thread that started it
    await asyncio.wait_for(streaming, 30)
    assert await stored(mariadb_store.engine) == list(range(1, 61))
    news = [lost for lost, _ in itertools.groupby(told, bool)]  # each loss has a word, and another for a new reason
    assert news == [True, False] * (len(news) // 2)
    assert all("is it running" in words for words in told if words)


@pytest.mark.slow
async def test_a_server_that_freezes_is_given_up_and_waited_for(
    mariadb: MariaDB, mariadb_url: str, told: list[str]
) -> None:
    database = engine(mariadb_url, patience=1)
    lost = asyncio.Event()

    def tell(words: str) -> None:
        told.append(words)
        lost.set()

    store = Store(database, tell)
    await store.keep(samples(1))
    mariadb.send(signal.SIGSTOP)
    try:
        keeping = asyncio.create_task(store.keep(samples(2)))
        async with asyncio.timeout(15):
            await lost.wait()
        assert not keeping.done()
    finally:
        mariadb.send(signal.SIGCONT)
    await asyncio.wait_for(keeping, 20)
    assert told[0]
    assert told[-1] == ""
    async with database.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(telemetry))).scalar_one() == 2
    await database.dispose()


async def test_an_alarm_with_the_longest_names_is_a_row(store: Store) -> None:
    place = {"site": "plant", "alarm": alarm_name("r" * 64, "d" * 64)}
    said, wish = EXAMPLES[ALARM.name], EXAMPLES[ALARM_REQUEST.name]
    batch = [
        Heard(topic, place, one, "", one.model_dump_json().encode(), False, 1)
        for topic, one in ((ALARM, said), (ALARM_REQUEST, wish))
    ]
    assert isinstance(said, Alarm)
    assert isinstance(wish, AlarmRequest)
    entries, _ = sort_out(batch, max(said.at, wish.at))
    kept = await store.keep(entries)
    assert kept.new == {"alarm": 1, "control": 1}
    async with store.engine.connect() as connection:
        assert (await connection.execute(select(alarm.c.alarm))).scalar() == place["alarm"]
