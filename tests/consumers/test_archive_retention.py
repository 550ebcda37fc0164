"""What is forgotten and what is kept: every table has a class, on both databases, alone and beside another site."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.migrate import migrate
from consumers.archive.partitions import DAY, WEEK, partitions, prepare, splits, wanted, width
from consumers.archive.retention import CHAIN, forget
from joulebus.mariadb import MariaDB
from runtime.database import engine
from schemas import tables
from schemas.retention import KEEPING, days, oldest, thinned
from schemas.site_retention import Retention
from tests.consumers.test_archive_rollups import NOON

NEVER = dict.fromkeys(Retention.model_fields, 0)
SHORT = Retention(raw_days=20, minute_days=30, years=1, action_days=40, plan_days=3, event_years=2, doubt_days=10)


@pytest.fixture(params=["sqlite", "mariadb"])
async def archive(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    fresh = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    if request.param == "mariadb":
        fresh = request.getfixturevalue("mariadb").database()
    await asyncio.to_thread(migrate, fresh)
    database = engine(fresh)
    yield database
    await database.dispose()


@pytest.fixture
async def shared(mariadb: MariaDB) -> AsyncIterator[AsyncEngine]:
    url = mariadb.database()
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    yield database
    await database.dispose()


def row(table: Any, at: datetime, site: str = "plant", **given: Any) -> dict[str, Any]:
    """Any table's, with its own column of time."""
    found: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type.python_type
        if isinstance(column.type, tables.Moment):
            found[column.name] = at
        elif column.name in ("body", "points"):
            found[column.name] = "{}"
        elif not column.nullable and column.name != "id":
            found[column.name] = kind(1) if kind in (int, float, bool) else b"" if kind is bytes else column.name[:3]
    found |= {"site": site} if "site" in table.c else {"topic": f"ems/v1/{site}/telemetry/pcs"}
    if "seq" in table.c:
        found["seq"] = int(at.timestamp())
    if "id" in table.c and table.c.id.type.python_type is str:
        found["id"] = f"{at:%d%H%M%S}"
    return found | given


async def write(database: AsyncEngine, table: Any, *rows: dict[str, Any]) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(table), list(rows))


async def times(database: AsyncEngine, table: Any, site: str = "plant") -> list[datetime]:
    at = table.c[KEEPING[table.name].at]
    mine = table.c.site == site if "site" in table.c else table.c.topic.contains(f"/{site}/")
    async with database.connect() as connection:
        return list((await connection.execute(select(at).where(mine).order_by(at))).scalars())


def test_every_table_has_a_class_and_each_key_a_table() -> None:
    """Who adds a table says how long it is kept, or it grows for ever."""
    assert {table.name for table in tables.metadata.sorted_tables} <= set(KEEPING)
    assert {one.key for one in KEEPING.values()} | {"plan_days", ""} == {*Retention.model_fields, ""}
    for table in tables.metadata.sorted_tables:
        assert KEEPING[table.name].at in table.c


def test_the_keys_of_before_mean_what_they_meant() -> None:
    kept = Retention(raw_days=7, minute_days=8, years=0)
    assert [days(kept, KEEPING[name].key) for name in ("telemetry", "rollup_1m", "flow", "alarm")] == [7, 8, 0, 0]
    assert days(Retention(years=0, event_years=3), "event_years") == 3 * 365.25
    assert thinned(Retention(plan_days=0), NOON) is None
    with pytest.raises(KeyError):
        oldest(kept, "no such table", NOON)


async def test_each_table_forgets_what_is_older_than_its_class_and_nothing_else(archive: AsyncEngine) -> None:
    await prepare(archive, NOON - 25 * DAY, SHORT)
    kept = {}
    for table in tables.metadata.sorted_tables:
        first = oldest(SHORT, table.name, NOON)
        if first is None or KEEPING[table.name].key == CHAIN:
            continue
        kept[table] = [first + timedelta(minutes=1), NOON]
        await write(archive, table, *(row(table, at) for at in [first - 2 * DAY, *kept[table]]))
        await write(archive, table, row(table, first - 2 * DAY, "other"))
    await prepare(archive, NOON, SHORT)
    assert await forget(archive, "plant", Retention(**NEVER), NOON) == 0
    await forget(archive, "plant", SHORT, NOON)
    for table, expected in kept.items():
        assert await times(archive, table) == expected, table.name
        assert len(await times(archive, table, "other")) == 1, table.name


async def test_of_old_plans_the_first_of_each_hour_is_left(archive: AsyncEngine) -> None:
    begin = NOON - 10 * DAY
    made = [begin + timedelta(minutes=5 * n) for n in range(10 * 288)]
    await write(archive, tables.plan, *(row(tables.plan, at) for at in made))
    for _ in range(2):
        await forget(archive, "plant", SHORT, NOON)
    full = NOON - 3 * DAY
    assert await times(archive, tables.plan) == [at for at in made if at >= full or at.minute == 0]


@given(start=st.integers(0, 2000), steps=st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 7, 59, 60, 400]))))
def test_partitions_follow_each_other_and_the_setting(start: int, steps: list[tuple[int, int]]) -> None:
    """However long the archive was stopped and however often the setting changed."""
    now, ends = datetime(2024, 1, 1, 5, tzinfo=UTC) + start * DAY, list[datetime]()
    for pause, raw in steps:
        now += pause * DAY
        size = width(Retention(raw_days=raw))
        assert size == (DAY if raw in (7, 59) else WEEK)
        for end, parts in splits(ends, now, size).items():
            assert parts[-1] == end
            ends = sorted({*ends, *parts})
        ends += wanted(ends, now, size)
        assert ends == sorted(set(ends))
        ahead = [one for one in ends if one > now]
        assert ahead[-1] - now > 6 * DAY
        later = pairwise(ahead)
        assert all(timedelta() < end - begin <= size for begin, end in later if begin > now)
        assert wanted(ends, now, size) == []
        assert splits(ends, now, size) == {}
        assert len(ends) <= 28 * (1 + len(steps))  # however long it was away


async def _partitioned(shared: AsyncEngine, *sites: str) -> int:
    """40 days of telemetry of each, an hour between two samples; how many partitions there are."""
    for day in range(-40, 1, 4):
        await prepare(shared, NOON + day * DAY, Retention(raw_days=20))
    for site in sites:
        hours = [NOON - timedelta(hours=n) for n in range(40 * 24)]
        await write(shared, tables.telemetry, *(row(tables.telemetry, at, site, epoch="0" * 16) for at in hours))
    return len(await partitions(shared))


async def test_partitions_by_day_go_at_once_and_no_row_is_deleted(shared: AsyncEngine) -> None:
    """A round deleted each row that was too old before its week was: nothing was left to drop but empty weeks."""
    before = await _partitioned(shared, "plant")
    assert await forget(shared, "plant", Retention(raw_days=20), NOON) == 0
    assert len(await partitions(shared)) == before - 20
    left = await times(shared, tables.telemetry)
    assert NOON - 21 * DAY <= left[0] <= NOON - 20 * DAY


async def test_sites_that_keep_equally_long_drop_together(shared: AsyncEngine) -> None:
    """Whoever looks first waits for the other: no row of either is deleted."""
    before = await _partitioned(shared, "plant", "other")
    gone = 0
    for site, hours in (("other", -6), ("plant", 0), ("other", 0)):
        gone += await forget(shared, site, Retention(raw_days=20), NOON + timedelta(hours=hours))
    assert gone <= 20 * 24  # of the first round alone, that found no word of the other
    for day in range(1, 4):
        for site, hours in (("other", 0), ("plant", 3)):
            gone += await forget(shared, site, Retention(raw_days=20), NOON + day * DAY + timedelta(hours=hours))
    assert gone <= 20 * 24
    assert len(await partitions(shared)) == before - 23


async def test_a_site_that_keeps_less_forgets_its_own_rows(shared: AsyncEngine) -> None:
    before = await _partitioned(shared, "plant", "other")
    await forget(shared, "other", Retention(raw_days=0), NOON)
    assert await forget(shared, "plant", Retention(raw_days=20), NOON) == 19 * 24 + 11
    assert len(await partitions(shared)) == before
    assert len(await times(shared, tables.telemetry, "other")) == 40 * 24
    assert await forget(shared, "plant", Retention(raw_days=20), NOON) == 0
    assert (await times(shared, tables.telemetry))[0] >= NOON - 21 * DAY


async def test_the_setting_is_changed_over_on_a_real_table(shared: AsyncEngine) -> None:
    await prepare(shared, NOON, Retention(raw_days=90))
    weeks = sorted(await partitions(shared))
    await write(shared, tables.telemetry, row(tables.telemetry, NOON, epoch="0" * 16))
    await prepare(shared, NOON, Retention(raw_days=30))
    both = sorted(await partitions(shared))
    assert set(weeks) < set(both)
    assert {end - begin for begin, end in pairwise(both)} == {DAY}
    await prepare(shared, both[-1] - DAY, Retention(raw_days=90))
    assert max(await partitions(shared)) - both[-1] == 4 * WEEK - DAY or both[-1].weekday() == 0
    async with shared.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(tables.telemetry))).scalar() == 1
