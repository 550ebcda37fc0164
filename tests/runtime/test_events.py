"""Said, lost on the way, and in the archive all the same: with a real broker that is killed and a real archive."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from consumers.archive.migrate import migrate
from runtime import event_outbox
from runtime.bus import LARGEST, Bus
from runtime.database import engine
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import messages as m
from schemas import tables, topics
from schemas.site_file import load_site
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_archive_service import Archive, ready
from tests.ear import ear

SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")


@pytest.fixture
def mortal(tmp_path: Path) -> Any:
    """A broker of one's own, to be killed."""
    broker = Broker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def archive(mortal: Broker, site_name: str, tmp_path: Path) -> AsyncIterator[Archive]:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    made = Archive(mortal, url, site_name, tmp_path / "archive.log")
    made.start()
    await ready(made)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@asynccontextmanager
async def speaking(broker: Broker, name: str, site: str, folder: Path, **change: Any) -> AsyncIterator[Part]:
    """A part that only speaks."""

    async def work(_: Bus) -> None:
        await asyncio.Event().wait()

    settings = Settings(parse_broker(broker.url(name), name, None, {}), "", None, folder)
    part = Part(name, SITE.model_copy(update={"site": site} | change), settings)
    running = asyncio.create_task(part.run(work))
    try:
        await until(lambda: part.events.bus is not None)
        yield part
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def until(true: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not (found if isinstance(found := true(), bool) else await found):
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.05)


async def rows(url: str, table: Table, site: str) -> list[Any]:
    database = engine(url)
    async with database.connect() as connection:
        found = list(await connection.execute(select(table).where(table.c.site == site)))
    await database.dispose()
    return found


def outcome(number: int) -> m.Outcome:
    return m.Outcome(id=f"c{number}", at=utc_now(), state=m.OutcomeState.APPLIED)


async def test_what_is_said_while_the_broker_is_away_is_archived_once(
    mortal: Broker, archive: Archive, site_name: str, tmp_path: Path
) -> None:
    async with speaking(mortal, "bridge", site_name, tmp_path) as part:
        for number in range(30):
            if number == 10:
                await asyncio.to_thread(mortal.kill)
                await until(lambda: part.events.bus is None)
            if number == 20:
                await asyncio.to_thread(mortal.start)
            part.events.post(topics.OUTCOME, outcome(number), site=site_name, device="pcs")
            await asyncio.sleep(0.01)

        async def all_there() -> bool:
            return len(await rows(archive.database, tables.outcome, site_name)) == 30

        await until(all_there)
        await until(lambda: part.counts["confirmed_events"] == 30)
    assert [row.id for row in await rows(archive.database, tables.outcome, site_name)] == [f"c{n}" for n in range(30)]


async def test_what_a_broker_had_acknowledged_and_forgot_is_archived(
    mortal: Broker, archive: Archive, site_name: str, tmp_path: Path
) -> None:
    """The archive stood still, the broker kept all of it for the archive, and is killed before it wrote that down."""
    async with speaking(mortal, "alarms", site_name, tmp_path) as part:
        assert archive.process is not None
        archive.process.send_signal(signal.SIGSTOP)
        raised = m.Alarm(
            at=utc_now(), since=utc_now(), state=m.AlarmState.UNACKNOWLEDGED, priority=m.AlarmPriority.HIGH,
            device="pcs", point="t", text="too hot",
        )  # fmt: skip
        await part.events.say(topics.ALARM, raised, site=site_name, alarm="hot")
        await asyncio.to_thread(mortal.kill)
        for kept in (mortal.secrets.folder / "data").iterdir():
            kept.unlink()
        await asyncio.to_thread(mortal.start)
        archive.process.send_signal(signal.SIGCONT)

        async def there() -> bool:
            return [row.alarm for row in await rows(archive.database, tables.alarm, site_name)] == ["hot"]

        await until(there)


async def test_what_is_sent_again_for_the_archive_is_never_said_again_to_who_obeys(
    mortal: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_outbox, "AGAIN", 0.3)
    place = {"site": site_name, "device": "pcs"}
    command = m.Command(
        id="c1", at=utc_now(), until=utc_now() + timedelta(seconds=10), source="dispatch",
        authority=m.Authority.PLAN, values={"p_set": 5.0}, reason="x",
    )  # fmt: skip
    everything = f"ems/v1/{site_name}/#"
    async with (
        ear(mortal.url("admin"), everything) as admin,
        speaking(mortal, "dispatch", site_name, tmp_path) as part,
    ):
        await part.events.say(topics.COMMAND, command, expiry=10.0, **place)
        await until(lambda: len(admin.all(topics.SERVICE_EVENT)) >= 3)  # no archive confirms it
    assert admin.all(topics.COMMAND) == [command]
    (event,) = {(one.epoch, one.seq): one for one in admin.all(topics.SERVICE_EVENT)}.values()
    assert event.topic == topics.COMMAND.at(**place)
    assert m.Command.model_validate(event.payload, strict=False) == command


async def test_what_no_broker_takes_holds_nothing_up(
    mortal: Broker, archive: Archive, site_name: str, tmp_path: Path
) -> None:
    async with speaking(mortal, "bridge", site_name, tmp_path) as part:
        huge = outcome(1).model_copy(update={"reason": "x" * LARGEST})
        with pytest.raises(ValueError, match="are more than"):
            part.events.post(topics.OUTCOME, huge, site=site_name, device="pcs")
        part.events.post(topics.OUTCOME, outcome(2), site=site_name, device="pcs")
        await until(lambda: part.counts["confirmed_events"] == 1)
        assert part.counts["too_large_events"] == 1
    assert [row.id for row in await rows(archive.database, tables.outcome, site_name)] == ["c2"]


async def test_without_an_archive_nothing_is_kept(mortal: Broker, site_name: str, tmp_path: Path) -> None:
    async with (
        ear(mortal.url("admin"), f"ems/v1/{site_name}/#") as admin,
        speaking(mortal, "bridge", site_name, tmp_path, archive=False) as part,
    ):
        part.events.post(topics.OUTCOME, outcome(1), site=site_name, device="pcs")
        await admin.until(topics.OUTCOME)
    assert admin.all(topics.SERVICE_EVENT) == []
    assert await asyncio.to_thread(lambda: [*tmp_path.glob("events-*")]) == []


async def test_a_folder_that_cannot_be_written_to_stops_nobody(mortal: Broker, site_name: str, tmp_path: Path) -> None:
    async with (
        ear(mortal.url("admin"), f"ems/v1/{site_name}/#") as admin,
        speaking(mortal, "bridge", site_name, tmp_path / "missing") as part,
    ):
        part.events.post(topics.OUTCOME, outcome(1), site=site_name, device="pcs")
        await admin.until(topics.OUTCOME)
        assert part.status().causes == ["outbox"]
