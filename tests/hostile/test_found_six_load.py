"""Under load and over time: what a counter says of a healthy site, what a round costs, who waits for whom."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event, insert

from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.service import Archive
from consumers.archive.store import Kept, Store
from consumers.status.answers import MOST
from consumers.status.archive import PATIENCE
from consumers.status.curves import Curves
from consumers.status.series import Asked
from consumers.status.state import State
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import topics
from schemas.billing import BilledComponent
from schemas.messages import Event, Outcome, OutcomeState, Plan, Telemetry
from schemas.site_file import load_site
from schemas.tables import dirty
from tests.virtual import virtual

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = load_site(Path(__file__).parents[1] / "one_battery.toml")
DEVICE = {"site": SITE.site, "device": "pcs"}


def heard(topic: topics.Topic[Any], place: dict[str, str], message: Any) -> Heard[Any]:
    return Heard(topic, place, message, "", message.model_dump_json().encode(), False, 1)


def test_what_is_told_as_an_event_too_is_no_duplicate_of_a_sample(tmp_path: Path) -> None:
    """On a healthy site a third of all samples seemed to come twice: each command and outcome was counted as one, which
    is said live and as an event. A line that is so bad that samples are sent again was not seen beside them."""
    outcome = Outcome(id="c1", at=NOON, state=OutcomeState.APPLIED, applied={"p_set": 5.0})
    said = topics.OUTCOME.at(**DEVICE)
    event = Event(at=NOON, epoch="0" * 16, seq=7, topic=said, payload=outcome.model_dump(mode="json"))
    sample = Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"p": 1.0})
    batch = [
        heard(topics.TELEMETRY, DEVICE, sample),
        heard(topics.TELEMETRY, DEVICE, sample),
        heard(topics.OUTCOME, DEVICE, outcome),
        heard(topics.SERVICE_EVENT, {"site": SITE.site, "service": "bridge"}, event),
    ]
    broker = parse_broker("mqtt://archive:x@127.0.0.1:1", "archive", None, {})
    part = Part("archive", SITE, Settings(broker, f"sqlite+aiosqlite:///{tmp_path}/archive.db", None, tmp_path))
    entries, twins = sort_out(batch, NOON)
    assert [entry.table.name for entry in entries] == ["outcome", "telemetry"]
    Archive(part, None)._count(batch, Kept(), twins)  # type: ignore[arg-type]  # it stores nothing here
    assert part.counts["duplicates"] == 1


def test_a_word_about_billing_whose_window_is_no_window_is_refused() -> None:
    """The page adds `minutes` to a moment: one retained message with a length of millions of years, from a program with
    a mistake, and no reader saw the page again until somebody cleared the topic."""
    said = {
        "name": "demand",
        "minutes": 2**50,
        "window_start": NOON,
        "window_end": NOON,
        "imported": 0.0,
        "covered": 0.0,
    }
    said |= {
        "imported": 0.0,
        "covered": 0.0,
        "per": "month",
        "period_start": NOON,
        "period_end": NOON,
        "price": 1.0,
        "currency": "EUR",
    }
    with pytest.raises(ValidationError, match="minutes"):
        BilledComponent.model_validate(said)
    assert BilledComponent.model_validate(said | {"minutes": 15}).minutes == 15


class Frozen(History):
    """Of a database that takes questions and is silent, until somebody wakes it."""

    def __init__(self) -> None:
        super().__init__(engine("sqlite+aiosqlite:///frozen.db"))
        self.awake = asyncio.Event()

    async def means(self, *_: Any) -> list[tuple[datetime, float]]:  # the span and the point are all the same to it
        await self.awake.wait()
        return []

    async def plans_at(self, *_: Any) -> AsyncIterator[tuple[Plan, list[datetime]]]:
        await self.awake.wait()
        return
        yield  # pragma: no cover


@virtual
async def test_while_the_archive_is_silent_the_readers_of_other_spans_are_told_soon() -> None:
    """MariaDB stood still (SIGSTOP): of sixteen spans the last was told so after 160 s, each waited for all before."""
    history = Frozen()
    curves, loop = Curves(State(SITE, broker=True), history), asyncio.get_running_loop()
    found = await asyncio.gather(*(curves.over(Asked(1.0 + n)) for n in range(MOST)))
    assert {one["fault"] for one in found} == {"the archive cannot be read"}
    assert loop.time() < 60
    history.awake.set()
    assert (await curves.over(Asked(50.0)))["fault"] == ""
    # a large span that takes its time has it again
    history.awake.clear()
    loop.call_later(PATIENCE - 1, history.awake.set)
    assert (await curves.over(Asked(51.0)))["fault"] == ""


async def test_the_next_spans_are_read_off_the_key_however_many_wait(sqlite_archive: str) -> None:
    """When the bridges of a large site sent a month that the archive had missed, each 60 spans took a look at all
    650 000 marks that waited: 0.23 s of CPU at first, 20 minutes in all, and no bill had anything new meanwhile."""
    database, asked = engine(sqlite_archive), list[tuple[str, Any]]()

    def note(_connection: object, _cursor: object, words: str, given: object, *_: object) -> None:
        asked.append((words, given))

    event.listen(database.sync_engine, "before_cursor_execute", note)
    async with database.begin() as connection:
        row = {"site": SITE.site, "device": "pcs", "span": 60, "at": NOON, "turn": 1}
        await connection.execute(insert(dirty), row)
    assert await Roller(database, SITE, Store(database, lambda _: None)).roll(NOON + timedelta(hours=2)) == 3
    looks = [(words, given) for words, given in asked if "FROM dirty" in words and "LIMIT" in words]
    assert looks
    async with database.connect() as connection:
        for words, given in looks:
            steps = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", given)).all()
            ((*_, how),) = steps  # neither all marks nor a table of its own to sort them
            assert "(site=? AND device=? AND span=? AND at<?)" in how
    await database.dispose()
