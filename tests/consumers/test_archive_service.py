"""The archive as a process of its own, between a real broker and real databases."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select, text

from consumers.alarms.catalog import load_catalog
from consumers.alarms.panel import Panel
from consumers.alarms.rules import Now
from consumers.archive.migrate import migrate
from consumers.archive.rows import ranges
from joulebus.mariadb import MariaDB
from joulebus.server import free_port
from runtime.bus import Bus
from runtime.database import engine
from runtime.history import History
from runtime.settings import parse_broker
from schemas import messages as m
from schemas import tables, topics
from tests.conftest import Broker

EPOCH = "00112233aabbccdd"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)

PROFILES = {"meter": "janitza_umg96rme", "pcs": "sinexcel_pws2", "bms": "pylontech_powercube_m2"}

PROGRAM = """
import asyncio, sys
from consumers.archive.service import run
from runtime import log
from runtime.part import Part
from runtime.settings import read_settings
from schemas.site import Site
log.set_up("archive")
asyncio.run(run(Part("archive", Site.model_validate_json(sys.argv[1]), read_settings("archive"))))
"""


class Archive:
    """The process, as a supervisor sees it."""

    def __init__(self, broker: Broker, database: str, site: str, log: Path) -> None:
        words = {
            "site": site,
            "retention": {"raw_days": 0},
            "tariff": "tariff.toml",
            "grid": {"meter": "meter", "import_limit": 1000, "export_limit": 0},
            "battery": {"pcs": "pcs", "bms": "bms", "energy": 1000},
            "device": [
                {"name": name, "profile": profile, "address": "tcp://127.0.0.1:502", "unit": unit, "rated_power": 1000}
                for unit, (name, profile) in enumerate(PROFILES.items())
            ],
        }
        self.port = free_port()
        self.env = os.environ | {
            "JOULEBUS_BROKER": broker.url("archive"),
            "JOULEBUS_DATABASE": database,
            "JOULEBUS_HEALTH": f"127.0.0.1:{self.port}",
            "JOULEBUS_STATE": str(log.parent),
        }
        self.command = [sys.executable, "-c", PROGRAM, json.dumps(words)]
        self.log = log
        self.database = database
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.env, stderr=log)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    def health(self) -> dict[str, Any]:
        """What it says of itself; nothing while it is not there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                found = json.load(answer)
        except OSError:
            return {}
        return found

    @asynccontextmanager
    async def history(self) -> AsyncIterator[History]:
        database = engine(self.database)
        yield History(database)
        await database.dispose()

    async def stored(self, site: str) -> list[tuple[int, int]]:
        async with self.history() as history:
            return (await history.sequences(site, EPOCH)).get("pcs", [])


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    mariadb: MariaDB = request.getfixturevalue("mariadb")
    return mariadb.database()


@pytest.fixture
async def archive(broker: Broker, url: str, site_name: str, tmp_path: Path) -> AsyncIterator[Archive]:
    """Not started yet; the broker has forgotten the sessions of earlier ones."""
    async with bus(broker, "archive"):
        pass
    made = Archive(broker, url, site_name, tmp_path / "archive.log")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def bus(broker: Broker, role: str) -> Bus:
    return Bus(parse_broker(broker.url(role), role, None, {}), identifier=role)


def sample(seq: int) -> m.Telemetry:
    return m.Telemetry(at=START + timedelta(seconds=seq / 100), epoch=EPOCH, seq=seq, values={"p": float(seq)})


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.05)


async def ready(archive: Archive) -> None:
    async def is_ready() -> bool:
        assert archive.process is not None
        assert archive.process.poll() is None, f"the archive ended: {archive.log.read_text(encoding='utf-8')[-2000:]}"
        return bool((await asyncio.to_thread(archive.health)).get("ready"))

    await until(is_ready, 60)


@asynccontextmanager
async def confirmed(bridge: Bus, site: str) -> AsyncIterator[set[int]]:
    """The samples that the archive has confirmed so far."""
    heard: set[int] = set()

    async def listen() -> None:
        async for batch in bridge.listen(topics.ARCHIVED.at(site=site)):
            for one in batch:
                assert one.message is not None
                assert one.message.epoch == EPOCH
                heard.update(n for low, high in one.message.ranges for n in range(low, high + 1))
            bridge.ack(batch)

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_killed_in_mid_stream_it_loses_nothing_and_doubles_nothing(
    broker: Broker, archive: Archive, site_name: str
) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    count = 1500

    async def publish(bridge: Bus) -> None:
        for seq in range(1, count + 1):
            await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")

    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        publishing = asyncio.create_task(publish(bridge))
        for pause in (0.3, 0.8, 0.5):
            await asyncio.sleep(pause)
            assert archive.end(signal.SIGKILL) == -signal.SIGKILL
            archive.start()
            await ready(archive)
        await publishing

        async def all_stored() -> bool:
            return await archive.stored(site_name) == [(1, count)]

        await until(all_stored)
        async with archive.history() as history:
            counts = await history.counts(site_name, START)
        assert (counts.rows, counts.samples, counts.instants) == (count, count, count)
        await asyncio.sleep(0.3)
        missing = set(range(1, count + 1)) - heard
        # A confirmation may die with the process: the bridge sends such a sample again, and then it is confirmed.
        for seq in missing:
            await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")

        async def all_confirmed() -> bool:
            return ranges(heard) == [(1, count)]

        await until(all_confirmed)
        assert await archive.stored(site_name) == [(1, count)]


async def test_nothing_is_acknowledged_before_the_commit(broker: Broker, archive: Archive, site_name: str) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    database = engine(archive.database)
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        async with database.connect() as other:
            if database.dialect.name == "sqlite":
                await other.execution_options(sqlite_begin="BEGIN IMMEDIATE")
                await other.execute(text("SELECT 1"))
            else:
                await other.execute(select(tables.telemetry).with_for_update())
            for seq in range(1, 6):
                await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")
            await asyncio.sleep(1)
            assert heard == set()
            archive.end(signal.SIGKILL)  # what it had in hand dies with it
            await other.rollback()
        assert await archive.stored(site_name) == []
        archive.start()

        async def all_confirmed() -> bool:
            return heard == {1, 2, 3, 4, 5}

        await until(all_confirmed)
    assert await archive.stored(site_name) == [(1, 5)]
    await database.dispose()


async def test_without_the_right_schema_nothing_is_acknowledged_and_it_says_what_to_run(
    broker: Broker, archive: Archive, site_name: str
) -> None:
    archive.start()

    async def says_so() -> bool:
        found = await asyncio.to_thread(archive.health)
        return "run: joulebus migrate" in found.get("detail", "") and not found["ready"]

    await until(says_so)
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        await bridge.say(topics.TELEMETRY, sample(1), site=site_name, device="pcs")
        await asyncio.sleep(0.7)
        assert heard == set()
        await asyncio.to_thread(migrate, archive.database)

        async def all_confirmed() -> bool:
            # again and again, as the outbox does: the first may have come before the archive had subscribed
            await bridge.say(topics.TELEMETRY, sample(1), site=site_name, device="pcs")
            return heard == {1}

        await until(all_confirmed)
    assert archive.health()["ready"]
    words = archive.log.read_text()
    assert words.count("joulebus migrate") == 1
    assert words.count("the database is back") == 1
    assert archive.end(signal.SIGTERM) == 0


GARBAGE = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"null",
    b"[1, 2]",
    b'{"at":"2026-06-01T12:00:00","epoch":"00112233aabbccdd","seq":1,"values":{}}',  # no zone
    b'{"at":"0001-01-01T00:00:00+14:00","epoch":"00112233aabbccdd","seq":1,"values":{}}',  # before the year 1
    b'{"at":"2026-06-01T12:00:00Z","epoch":"00112233aabbccdd","seq":"1","values":{}}',
    b'{"at":"2026-06-01T12:00:00Z","epoch":"00112233aabbccdd","seq":1,"values":{"p":NaN}}',
    b'{"at":"2026-06-01T12:00:00Z","epoch":"00112233aabbccdd","seq":1,"values":{"p":1e999}}',
    b'{"at":"2026-06-01T12:00:00Z","epoch":"00112233aabbccdd","seq":1,"values":{"p":"\\ud800"}}',
    b'{"at":"2026-06-01T12:00:00Z","epoch":"00112233aabbccdd","seq":9999999999999999999,"values":{"p":1}}',
    b"[" * 50_000,
    b"x" * 200_000,
]


async def test_each_garbage_payload_is_one_dead_letter_and_the_stream_goes_on(
    broker: Broker, archive: Archive, site_name: str
) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    address = topics.TELEMETRY.at(site=site_name, device="pcs")
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        for payload in GARBAGE:
            await bridge.send(address, payload)
            await bridge.say(topics.TELEMETRY, sample(len(heard) + 100), site=site_name, device="pcs")
        await bridge.say(topics.TELEMETRY, sample(1000), site=site_name, device="pcs")

        async def last_confirmed() -> bool:
            return 1000 in heard

        await until(last_confirmed)
    database = engine(archive.database)
    async with database.connect() as connection:
        letters = list(
            await connection.execute(select(tables.dead_letter).where(tables.dead_letter.c.topic == address))
        )
    await database.dispose()
    assert sorted(letter.payload for letter in letters) == sorted(payload[:4096] for payload in GARBAGE)
    assert all(letter.reason for letter in letters)
    assert archive.health()["counts"]["dead_letters"] == len(GARBAGE)
    assert archive.process is not None
    assert archive.process.poll() is None


async def test_what_is_said_and_done_is_journalled(broker: Broker, archive: Archive, site_name: str) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    later = START + timedelta(seconds=10)
    step = m.Step(
        at=START, seconds=900, power=1, soc=50, grid=1, load=2, pv=0, price_import=0.3, price_export=0.1,
        marginal_value=0.2, reason="cheap",
    )  # fmt: skip
    plan = m.Plan(id="p1", at=START, until=later, currency="EUR", steps=[step], cost=1, cost_idle=2)
    alarm = m.Alarm(
        at=START, state=m.AlarmState.UNACKNOWLEDGED, priority=m.AlarmPriority.HIGH, device="pcs", point="t",
        text="too hot", since=START,
    )  # fmt: skip
    command = m.Command(
        id="c1", at=START, until=later, source="dispatch", authority=m.Authority.PLAN, values={"p_set": 5.0}, reason="x"
    )
    answer = m.RequestOutcome(id="r1", at=START, followed=True, who="Zoë", wish="ack")
    site: dict[str, Any] = {"site": site_name}
    sayings: list[tuple[str, topics.Topic[Any], Any, dict[str, Any]]] = [
        ("optimize", topics.PLAN, plan, site),
        ("alarms", topics.ALARM, alarm, site | {"alarm": "hot"}),
        ("dispatch", topics.COMMAND, command, site | {"device": "pcs"}),
        ("dispatch", topics.CONTROL_MODE, m.ControlMode(at=START, mode=m.Mode.AUTO, who="dispatch"), site),
        (
            "bridge",
            topics.OUTCOME,
            m.Outcome(id="c1", at=START, state=m.OutcomeState.APPLIED),
            site | {"device": "pcs"},
        ),
        ("operator", topics.CONTROL_REQUEST, m.ControlRequest(at=START, mode=m.Mode.AUTO, who="Zoë"), site),
        ("operator", topics.ALARM_REQUEST, m.AlarmRequest(at=START, action="ack", who="Zoë"), site | {"alarm": "hot"}),
        ("alarms", topics.ALARM_OUTCOME, answer, site | {"alarm": "hot"}),
        ("dispatch", topics.CONTROL_OUTCOME, answer, site),
        (
            "bridge",
            topics.DEVICE_STATUS,
            m.DeviceStatus(at=START, state=m.DeviceState.ONLINE),
            site | {"device": "pcs"},
        ),
        ("bridge", topics.TELEMETRY, sample(1), site | {"device": "pcs"}),
    ]
    for role, topic, message, place in sayings:
        async with bus(broker, role) as speaker:
            await speaker.say(topic, message, **place)
            if topic.retain:
                await speaker.say(topic, None, **place)  # clears it: no row

    async def all_there() -> bool:
        return await archive.stored(site_name) == [(1, 1)]

    await until(all_there)
    database = engine(archive.database)
    async with database.connect() as connection:
        count = {
            table.name: (await connection.execute(select(func.count()).where(table.c.site == site_name))).scalar_one()
            for table in tables.metadata.sorted_tables
            if "site" in table.c
        }
        who = (await connection.execute(select(tables.control.c.topic, tables.control.c.who))).all()
    await database.dispose()
    kept = {"telemetry": 1, "command": 1, "outcome": 1, "alarm": 1, "plan": 1, "control": 5, "journal": 2}
    kept["device_status"] = 1
    made_of_them = ("dirty", "rollup_1m", "rollup_15m", "rollup_1h", "horizon")
    assert {name: number for name, number in count.items() if number and name not in made_of_them} == kept
    assert ("control.request", "Zoë") in [tuple(row) for row in who]
    async with archive.history() as history:
        assert await history.plans(site_name, START, later) == [plan]
        assert await history.alarms(site_name, START, later) == [("hot", alarm)]
    assert archive.health()["counts"].get("dead_letters", 0) == 0


async def test_stopped_under_load_it_ends_at_once_and_goes_on_where_it_was(
    broker: Broker, archive: Archive, site_name: str
) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    async with bus(broker, "bridge") as bridge:
        await asyncio.gather(
            *(bridge.say(topics.TELEMETRY, sample(n), site=site_name, device="pcs") for n in range(1, 801))
        )
        began = time.monotonic()
        assert await asyncio.to_thread(archive.end, signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
        archive.start()

        async def all_stored() -> bool:
            return await archive.stored(site_name) == [(1, 800)]

        await until(all_stored)
    assert "Traceback" not in archive.log.read_text()


async def test_it_loads_nothing_it_does_not_need(broker: Broker, archive: Archive, site_name: str) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        for seq in range(1, 20):
            await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")

        async def all_confirmed() -> bool:
            return len(heard) == 19

        await until(all_confirmed)
    assert archive.process is not None
    process = psutil.Process(archive.process.pid)
    files = {Path(mapped.path).name for mapped in process.memory_maps()}
    assert not [name for name in files if name.startswith(("_multiarray", "libscipy"))]
    assert ("asyncmy" in " ".join(map(str, process.memory_maps()))) == archive.database.startswith("mariadb")


async def test_a_broker_that_restarts_loses_nothing(broker: Broker, archive: Archive, site_name: str) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    for first in (1, 51):
        async with bus(broker, "bridge") as bridge:
            for seq in range(first, first + 50):
                await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")
        broker.restart()

    async def all_stored() -> bool:
        return await archive.stored(site_name) == [(1, 100)]

    await until(all_stored)
    await ready(archive)
    assert "Traceback" not in archive.log.read_text()


async def test_without_a_database_at_the_start_it_ends_and_says_so(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with bus(broker, "archive"):
        pass
    alone = Archive(broker, "mariadb+asyncmy://joulebus:hush@127.0.0.1:1/joulebus", site_name, tmp_path / "log")
    alone.start()
    assert alone.process is not None
    assert await asyncio.to_thread(alone.process.wait, 20) != 0
    words = alone.log.read_text()
    assert "is it running? JOULEBUS_DATABASE says where" in words
    assert "hush" not in words


async def test_samples_from_the_future_are_kept_aside_and_the_alarm_hears_of_it(
    broker: Broker, archive: Archive, site_name: str
) -> None:
    await asyncio.to_thread(migrate, archive.database)
    archive.start()
    await ready(archive)
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        wrong = sample(1).model_copy(update={"at": datetime.now(UTC) + timedelta(hours=1)})
        await bridge.say(topics.TELEMETRY, wrong, site=site_name, device="pcs")

        async def confirmed_too() -> bool:
            return heard == {1}

        await until(confirmed_too)
    said = archive.health()
    assert said["causes"] == ["clock_quarantine"]
    assert said["counts"]["quarantined"] == 1
    panel = Panel({}, load_catalog().services, Now(0.0, START))
    status = m.ServiceStatus(state="online", causes=said["causes"])
    ((name, alarm),) = panel.note_service("archive", status, Now(1.0, START))
    assert (name, alarm.state) == ("clock_quarantine-archive", m.AlarmState.UNACKNOWLEDGED)
