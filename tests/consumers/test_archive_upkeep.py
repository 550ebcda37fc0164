"""What the archive does beside storing fails: all else goes on, somebody is told, it is over when it works again."""

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.alarms.catalog import load_catalog
from consumers.alarms.panel import Panel
from consumers.alarms.rules import Now
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from consumers.archive.upkeep import AGAIN, RETENTION, ROLL, Job
from runtime.database import writing
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import tables
from schemas.messages import AlarmState, Cause
from tests.consumers.test_archive_rollups import LATER, NOON, SITE, keep, said


@pytest.fixture
def part(tmp_path: Path) -> Part:
    broker = parse_broker("mqtt://archive:x@127.0.0.1:1", "archive", None, {})
    return Part("archive", SITE, Settings(broker, f"sqlite+aiosqlite:///{tmp_path}/archive.db", None, tmp_path))


async def test_a_device_whose_rollup_fails_does_not_stop_the_others(archive: AsyncEngine) -> None:
    store = Store(archive, lambda _: None)
    roller = Roller(archive, SITE, store)
    await keep(store, [said(n, n, {"p": 1.0}, device) for device in ("bms", "meter", "pcs") for n in range(1, 100)])
    await _spoil(archive, "[1]")  # no object: as only a mistake of ours could write it
    await roller.roll(LATER)
    assert set(roller.failed) == {"bms"}
    assert await _rolled(archive, tables.rollup_1h) == {"meter", "pcs"}
    await _spoil(archive, '{"p": 2.0}')
    await roller.roll(LATER)
    assert roller.failed == {}
    assert await _rolled(archive, tables.rollup_1h) == {"bms", "meter", "pcs"}, "its minutes were not forgotten"


async def _spoil(archive: AsyncEngine, points: str) -> None:
    async with writing(archive) as connection:
        words = {"points": points, "seq": 50}
        await connection.execute(
            text("UPDATE telemetry SET points = :points WHERE device = 'bms' AND seq = :seq"), words
        )


async def _rolled(archive: AsyncEngine, table: Table) -> set[str]:
    async with archive.connect() as connection:
        return {*(await connection.execute(select(table.c.device).distinct())).scalars()}


async def test_one_that_fails_twice_is_an_alarm_until_it_works_again(
    part: Part, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [OSError("the disk is full")] * 2

    async def work(_: datetime) -> None:
        if faults:
            raise faults.pop()

    job = Job("what is too old is not forgotten", RETENTION, work)
    assert await job.go(part, NOON) == AGAIN, "not only after six hours"
    assert part.causes.names == []
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert await job.go(part, NOON) == AGAIN
    assert part.status().causes == [Cause.UPKEEP]
    assert part.status().detail == "what is too old is not forgotten: the disk is full"
    assert part.causes.ready, "it stores"
    assert part.counts["upkeep_failed"] == 2
    panel = Panel({}, load_catalog().services, Now(0.0, NOON))
    panel.note_service("archive", part.status(), Now(1.0, NOON))
    ((name, alarm),) = panel.tick(Now(62.0, NOON + timedelta(seconds=61)))
    assert (name, alarm.state) == ("archive_upkeep-archive", AlarmState.UNACKNOWLEDGED)
    assert await job.go(part, NOON) == RETENTION
    assert part.status().causes == []


async def test_a_mistake_of_ours_is_in_the_log_once_with_where_it_was(
    part: Part, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(_: datetime) -> None:
        await asyncio.sleep(0)
        raise ExceptionGroup("those of bms", [AttributeError("list has no items")])

    job = Job("the rollups wait", ROLL, work)
    for _ in range(3):
        assert await job.go(part, NOON) == ROLL
    assert caplog.text.count("Traceback") == 1
    assert part.status().detail == "the rollups wait: those of bms: list has no items"
