"""The archive killed at the worst moment, and far behind; with JOULEBUS_CHAOS=full it is much farther behind."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from consumers.archive.migrate import migrate
from joulebus.mariadb import MariaDB
from runtime.bus import Bus
from schemas import messages as m
from schemas import topics
from tests.conftest import Broker
from tests.consumers.test_archive_service import (
    EPOCH,
    PROGRAM,
    START,
    Archive,
    bus,
    confirmed,
    ready,
    sample,
    until,
)
from tests.ear import Ear, ear
from tests.timed import FULL

BACKLOG = 50_000 if FULL else 3_000
MOST_MEMORY = 200e6
LIVE = 2.0
"""Seconds until what is measured now is heard by those who act on it, however far the archive is behind."""

DYING = (
    """
import os, signal
from runtime.bus import Bus
from schemas.topics import ARCHIVED, TELEMETRY
go_on = Bus.{door}
def die(self, first, *more, **place):
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)
    return go_on(self, first, *more, **place)
Bus.{door} = die
"""
    + PROGRAM
)
BEFORE_THE_ACKNOWLEDGEMENT = DYING.format(door="ack", when="any(one.topic is TELEMETRY for one in first)")
BEFORE_THE_CONFIRMATION = DYING.format(door="say", when="first is ARCHIVED")


@asynccontextmanager
async def on(broker: Broker, url: str, site: str, log: Path) -> AsyncIterator[Archive]:
    """An archive that is not started yet; the broker has forgotten earlier sessions."""
    async with bus(broker, "archive"):
        pass
    await asyncio.to_thread(migrate, url)
    made = Archive(broker, url, site, log)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


async def test_killed_between_commit_and_acknowledgement_it_loses_nothing_and_doubles_nothing(
    broker: Broker, mariadb: MariaDB, site_name: str, tmp_path: Path
) -> None:
    async with (
        on(broker, mariadb.database(), site_name, tmp_path / "log") as archive,
        bus(broker, "bridge") as bridge,
        confirmed(bridge, site_name) as heard,
    ):
        archive.command[2] = BEFORE_THE_ACKNOWLEDGEMENT
        archive.start()
        await ready(archive)
        for seq in range(1, 41):
            await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")
        await _has_died_after_a_commit(archive, site_name)
        archive.command[2] = BEFORE_THE_CONFIRMATION
        archive.start()  # and hears all of it again
        await _has_died_after_a_commit(archive, site_name)
        assert not heard
        archive.command[2] = PROGRAM
        archive.start()

        async def all_stored() -> bool:
            return await archive.stored(site_name) == [(1, 40)]

        await until(all_stored)
        # Without a confirmation the bridge sends again: what the broker was told to forget is then known already.
        for seq in range(1, 41):
            await bridge.say(topics.TELEMETRY, sample(seq), site=site_name, device="pcs")

        async def all_confirmed() -> bool:
            return len(heard) == 40

        await until(all_confirmed)
        async with archive.history() as history:
            counts = await history.counts(site_name, START)
        assert (counts.rows, counts.samples) == (40, 40)


async def _has_died_after_a_commit(archive: Archive, site: str) -> None:
    assert archive.process is not None
    assert await asyncio.to_thread(archive.process.wait, 30) == -signal.SIGKILL
    assert (await archive.stored(site))[0][0] == 1


@pytest.mark.slow
async def test_far_behind_it_catches_up_in_little_memory_and_holds_nobody_up(
    broker: Broker, mariadb: MariaDB, site_name: str, tmp_path: Path
) -> None:
    async with (
        on(broker, mariadb.database(), site_name, tmp_path / "log") as archive,
        bus(broker, "bridge") as bridge,
        ear(broker.url("scada"), topics.TELEMETRY.at(site=site_name, device="meter")) as scada,
    ):
        archive.start()
        await ready(archive)
        assert await asyncio.to_thread(archive.end, signal.SIGTERM) == 0
        await _backlog(bridge, site_name)
        archive.start()
        assert archive.process is not None
        process, most, live = psutil.Process(archive.process.pid), 0, 0
        end = time.monotonic() + 20 + BACKLOG / 500

        async with archive.history() as history:
            while (await history.counts(site_name, START)).rows < BACKLOG:
                assert time.monotonic() < end, "it does not catch up"
                live += 1
                await _is_heard(live, bridge, scada, site_name)
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.2)
            assert live > 2, "there was time for live samples"
            assert most < MOST_MEMORY

            async def all_stored() -> bool:
                return await history.sequences(site_name, EPOCH) == {"pcs": [(1, BACKLOG)], "meter": [(1, live)]}

            await until(all_stored)
        assert archive.health()["counts"].get("dead_letters", 0) == 0


async def _backlog(bridge: Bus, site: str) -> None:
    """What a day without an archive leaves at the broker."""
    address = topics.TELEMETRY.at(site=site, device="pcs")
    for first in range(1, BACKLOG + 1, 500):
        bodies = [sample(seq).model_dump_json().encode() for seq in range(first, first + 500)]
        await asyncio.gather(*(bridge.post(address, body) for body in bodies))


async def _is_heard(seq: int, bridge: Bus, scada: Ear, site: str) -> None:
    now = m.Telemetry(at=datetime.now(UTC), epoch=EPOCH, seq=seq, values={"p": 1.0})
    await bridge.say(topics.TELEMETRY, now, site=site, device="meter")
    await scada.until(topics.TELEMETRY, lambda one: one.seq == seq, LIVE)


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "another")], ids=["one machine", "two machines"])
async def test_of_two_with_one_name_the_second_waits_and_says_so_and_the_first_goes_on(
    broker: Broker, site_name: str, tmp_path: Path, folders: tuple[str, str]
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    places = [tmp_path / folder / f"log{number}" for number, folder in enumerate(folders)]
    for place in places:
        place.parent.mkdir(exist_ok=True)
    async with on(broker, url, site_name, places[0]) as first:
        first.start()
        await ready(first)
        before = _connects(broker)
        second = Archive(broker, url, site_name, places[1])
        second.start()
        assert second.process is not None
        try:

            async def waits() -> bool:
                said = await asyncio.to_thread(second.health)
                return bool(said) and not said["ready"] and said["causes"] == ["second_instance"]

            await until(waits)
            await ready(first)
            async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
                await bridge.say(topics.TELEMETRY, sample(1), site=site_name, device="pcs")

                async def stored() -> bool:
                    return heard == {1}

                await until(stored)

            async def told() -> bool:  # for the alarms: who waits has no voice
                return "second_instance" in (await asyncio.to_thread(first.health))["causes"]

            await until(told)
            await asyncio.sleep(10)
            assert _connects(broker) - before <= 2, "the second looked, and the first came back"
            first.end(signal.SIGTERM)
        finally:
            second.process.kill()
            second.process.wait()


def _connects(broker: Broker) -> int:
    """How often an archive came to the broker."""
    return broker.log.read_text(encoding="utf-8").count(" as archive (")
