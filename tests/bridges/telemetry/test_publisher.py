"""The sending side of the bridge: full disks, clocks that jump, brokers that are away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridges.telemetry import publisher
from bridges.telemetry.outbox import Outbox
from bridges.telemetry.publisher import HISTORICAL, Publisher
from bridges.telemetry.send_window import SendWindow
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Archived, Cause, Telemetry
from schemas.site_file import load_site
from schemas.topics import TELEMETRY
from schemas.units import Quality
from tests.bridges.conftest import DEMO
from tests.bridges.telemetry.samples import overwrite
from tests.conftest import Broker
from tests.ear import Ear, ear

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A wall clock that is set by hand."""

    now: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    outgoing: Publisher
    clock: Clock
    hears: Ear

    def put(self, value: float) -> Telemetry:
        return self.outgoing.put("meter", {"p": value}, {})

    def kept(self) -> list[Telemetry]:
        self.outgoing.flush()
        return [Telemetry.model_validate_json(row.body) for row in self.outgoing.spool.backlog(1e9, 1000)]


@pytest.fixture
async def bench(broker: Broker, site_name: str, tmp_path: Path) -> AsyncIterator[Bench]:
    site = load_site(DEMO).model_copy(update={"site": site_name})
    settings = Settings(parse_broker(broker.url("bridge"), "bridge", None, {}), "", None, tmp_path)
    clock = Clock()
    outgoing = Publisher(Part("bridge", site, settings), Outbox(tmp_path / "outbox.db"), clock)
    async with ear(broker.url("admin"), f"ems/v1/{site_name}/#") as hears, ear(broker.url("bridge")) as speaks:
        outgoing.bus = speaks.bus
        yield Bench(outgoing, clock, hears)
        outgoing.close()


async def heard(bench: Bench, count: int) -> list[Telemetry]:
    await bench.hears.until(TELEMETRY, lambda _: len(bench.hears.all(TELEMETRY)) >= count, 30)
    return bench.hears.all(TELEMETRY)


async def test_what_is_sent_is_what_the_schema_says(bench: Bench) -> None:
    values = {"p": 1e16, "q": -0.1, "tiny": 5e-324, "state": "läuft", "alarms": ["a", "b"], "none": []}
    sample = bench.outgoing.put("meter", values, {"q": Quality.FROZEN})  # type: ignore[arg-type]
    [came] = await heard(bench, 1)
    assert came == Telemetry(
        at=NOON, epoch=sample.epoch, seq=1, values=values, quality={"q": Quality.FROZEN}  # type: ignore[arg-type]
    )  # fmt: skip
    assert bench.hears.heard[0].payload == came.model_dump_json().encode()


async def test_a_group_is_one_commit_and_keeps_its_order(bench: Bench) -> None:
    commits: list[str] = []
    bench.outgoing.spool.file._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    for value in range(20):
        bench.put(float(value))
    came = await heard(bench, 20)
    assert [sample.seq for sample in came] == [*range(1, 21)]
    assert commits == ["COMMIT"]


async def test_a_full_disk_stops_neither_the_readings_nor_the_live_values(bench: Bench) -> None:
    bench.put(1.0)
    bench.outgoing.flush()
    pages = bench.outgoing.spool.file._db.execute("PRAGMA page_count").fetchone()[0]
    bench.outgoing.spool.file._db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk does
    for value in range(2, 202):
        bench.put(float(value))
        bench.outgoing.flush()
    assert len(await heard(bench, 201)) == 201
    counts = bench.outgoing.part.counts
    assert 0 < counts["lost_samples"] == 201 - len(bench.outgoing.spool)
    assert "full" in bench.outgoing.trouble
    bench.outgoing.spool.file._db.execute("PRAGMA max_page_count = 100000")
    bench.put(0.0)
    bench.outgoing.flush()
    assert bench.outgoing.trouble == ""
    came = await heard(bench, 202)
    assert len({(one.epoch, one.seq) for one in came}) == 202, "none has the name of another"
    assert [sample.seq for sample in bench.kept()] == [*range(1, len(bench.outgoing.spool) + 1)], "no gap either"


async def test_a_file_that_breaks_stops_neither_the_readings_nor_the_live_values(bench: Bench) -> None:
    bus, bench.outgoing.bus = bench.outgoing.bus, None
    for _ in range(3000):
        bench.put(1.0)
    bench.outgoing.flush()
    bench.outgoing.bus = bus
    part, spool = bench.outgoing.part, bench.outgoing.spool
    spool.checkpoint()
    overwrite(spool.path)
    spool.file._db.execute("PRAGMA shrink_memory")  # a page of the file, not of our memory
    bench.outgoing.confirm("meter", Archived(epoch=spool.epoch, ranges=[(1, 3000)]))
    bench.put(2.0)
    await bench.hears.until(TELEMETRY, lambda one: one.number("p") == 2.0, 30)
    assert part.counts["lost_samples"] == 3000
    assert "was damaged" in bench.outgoing.trouble
    bench.put(3.0)
    assert {sample.number("p") for sample in bench.kept()} == {2.0, 3.0}, "and what comes now is kept"


async def test_that_a_file_was_set_aside_is_told_for_an_hour(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.outgoing.spool.file.aside = "it was damaged"
    bench.outgoing.flush()
    bench.outgoing.flush()
    assert bench.outgoing.trouble == "it was damaged"
    monkeypatch.setattr(publisher, "TOLD", -1.0)
    bench.outgoing.flush()
    bench.outgoing.flush()
    assert bench.outgoing.trouble == ""


async def test_without_a_folder_the_live_values_go_on_and_what_waits_is_sent(bench: Bench, tmp_path: Path) -> None:
    bench.outgoing.spool.close()
    bench.outgoing.spool = Outbox(tmp_path / "none" / "outbox.db")
    bus, bench.outgoing.bus = bench.outgoing.bus, None
    for value in range(5):
        bench.put(float(value))
    bench.outgoing.flush()
    assert "in memory only" in bench.outgoing.trouble
    bench.outgoing.bus = bus
    assert bus is not None
    backlog = asyncio.create_task(bench.outgoing.send_backlog(bus))
    assert [sample.number("p") for sample in await heard(bench, 5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    backlog.cancel()


async def test_a_sample_that_no_broker_takes_is_counted_and_holds_nobody_up(bench: Bench) -> None:
    assert bench.outgoing.bus is not None
    for _ in range(3):
        bench.outgoing.put("bms", {"text": "x" * 300_000}, {})
        bench.put(1.0)
        bench.outgoing.flush()
    backlog = asyncio.create_task(bench.outgoing.send_backlog(bench.outgoing.bus))
    assert [sample.seq for sample in await heard(bench, 3)] == [1, 2, 3]
    bench.put(2.0)
    assert [sample.number("p") for sample in await heard(bench, 4)] == [1.0, 1.0, 1.0, 2.0]
    assert not backlog.done()
    backlog.cancel()
    assert bench.outgoing.part.counts["too_large_samples"] == 3
    assert {row.key[1] for row in bench.outgoing.spool.backlog(1e9)} == {"meter"}, "nobody tries them again"


async def test_the_past_waits_while_the_line_is_slow(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bus, bench.outgoing.bus = bench.outgoing.bus, None
    assert bus is not None
    for _ in range(50):
        bench.put(1.0)
    bench.outgoing.flush()
    bench.outgoing.bus = bus
    monkeypatch.setattr(SendWindow, "past", 0)  # the broker owes all the answers it may owe
    backlog = asyncio.create_task(bench.outgoing.send_backlog(bus))
    bench.put(2.0)
    assert [sample.number("p") for sample in await heard(bench, 1)] == [2.0]
    await asyncio.sleep(0.1)
    assert len(bench.hears.all(TELEMETRY)) == 1
    monkeypatch.setattr(SendWindow, "past", 10)
    await heard(bench, 51)
    backlog.cancel()


async def test_a_confirmed_sample_is_forgotten_and_makes_room(bench: Bench) -> None:
    epoch = bench.put(1.0).epoch
    bench.put(2.0)
    bench.outgoing.flush()
    bench.outgoing.confirm("meter", Archived(epoch=epoch, ranges=[(1, 1)]))
    assert [sample.seq for sample in bench.kept()] == [2]
    assert bench.outgoing.part.counts["confirmed_samples"] == 1


STEPS = {
    "one hour ahead": [timedelta(hours=1)],
    "one hour back": [timedelta(hours=-1)],
    "back and forth": [timedelta(hours=-1), timedelta(hours=1), timedelta(seconds=-30)],
    "a little back": [timedelta(milliseconds=-300)],
    "a year back": [timedelta(days=-366)],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
async def test_time_and_number_agree_within_an_epoch(bench: Bench, steps: list[timedelta]) -> None:
    for step in [timedelta(), *steps]:
        bench.clock.now += step
        for _ in range(3):
            bench.clock.now += timedelta(milliseconds=100)
            bench.put(1.0)
    samples = bench.kept()
    assert len(samples) == 3 + 3 * len(steps), "none lost"
    assert len({(one.epoch, one.seq) for one in samples}) == len(samples), "none with the name of another"
    for epoch in {one.epoch for one in samples}:
        mine = sorted((one for one in samples if one.epoch == epoch), key=lambda one: one.seq)
        assert [one.seq for one in mine] == [*range(1, len(mine) + 1)]
        assert [one.at for one in mine] == sorted(one.at for one in mine)
    backwards = sum(step < timedelta(seconds=-1) for step in steps)
    assert len({one.epoch for one in samples}) == 1 + backwards


@pytest.mark.parametrize("moment", ["2026-10-25T00:59:59.9", "2028-02-28T23:59:59.9", "2026-12-31T23:59:59.9"])
async def test_calendars_do_not_matter(bench: Bench, moment: str) -> None:
    """The night summer time ends, the day before 29 February, the end of a year."""
    bench.outgoing._last = bench.clock.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    first = bench.put(1.0)
    bench.clock.now += timedelta(milliseconds=200)
    second = bench.put(2.0)
    assert (second.at - first.at, second.seq, second.epoch) == (timedelta(milliseconds=200), 2, first.epoch)


async def test_live_first_and_the_past_is_marked(bench: Bench) -> None:
    bus, bench.outgoing.bus = bench.outgoing.bus, None
    for _ in range(300):
        bench.put(1.0)
    bench.outgoing.flush()
    bench.clock.now += timedelta(seconds=HISTORICAL + 1)
    bench.outgoing.bus = bus
    assert bus is not None
    backlog = asyncio.create_task(bench.outgoing.send_backlog(bus))
    bench.put(2.0)
    came = await heard(bench, 301)
    backlog.cancel()
    live = next(place for place, sample in enumerate(came) if sample.number("p") == 2.0)
    assert live <= 200, "it did not wait for more than one window"
    assert [sample.historical for sample in came] == [place != live for place in range(301)]
    past = [sample.seq for sample in came if sample.historical]
    assert past == sorted(past)


async def test_the_lag_is_the_age_of_the_oldest_sample_that_waits(bench: Bench) -> None:
    tidy = asyncio.create_task(bench.outgoing.look_after())
    await asyncio.sleep(0.05)
    assert bench.outgoing.part.lag == 0.0
    bench.put(1.0)
    bench.outgoing.flush()
    bench.clock.now += timedelta(seconds=90)
    tidy.cancel()
    tidy = asyncio.create_task(bench.outgoing.look_after())
    await asyncio.sleep(0.05)
    assert bench.outgoing.part.lag == 90.0
    tidy.cancel()


@pytest.mark.parametrize(
    ("device", "polls", "says"), [("meter", 60, False), ("meter", 63, True), ("renamed", 90, False)]
)
async def test_more_than_a_minute_of_samples_that_wait_is_a_backlog(
    bench: Bench, device: str, polls: int, says: bool
) -> None:
    out = bench.outgoing
    out.bus = None
    poll = out.part.site.named("meter").poll
    samples = [out.put(device, {"p": 1.0}, {}) for _ in range(round(polls / poll))]
    out.flush()
    for gone in (False, True):
        tidy = asyncio.create_task(out.look_after())
        await asyncio.sleep(0.05)
        tidy.cancel()
        assert out.part.causes.names == [Cause.BACKLOG] * (says and not gone)
        assert out.part.causes.ready
        out.confirm(device, Archived(epoch=samples[0].epoch, ranges=[(1, len(samples))]))
        out.flush()


async def test_without_an_archive_the_brokers_word_is_enough(bench: Bench) -> None:
    part = bench.outgoing.part
    part.site = part.site.model_copy(update={"archive": False})
    bench.put(1.0)
    await heard(bench, 1)
    await asyncio.sleep(0.2)
    assert part.counts["confirmed_samples"] == 1
    assert len(bench.outgoing.spool) == 0
