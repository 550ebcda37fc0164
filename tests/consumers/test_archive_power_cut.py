"""The power fails while the archive stores: nothing that it confirmed is lost, it opens, the next start goes on."""

import asyncio
import secrets
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import psutil

from consumers.archive.migrate import migrate
from consumers.archive.rows import ranges, sort_out
from consumers.archive.store import Store
from runtime.bus import Bus
from runtime.database import engine
from runtime.heard import Heard
from schemas import messages as m
from schemas import topics
from schemas.units import utc_now
from tests.chaos.power_cut import cut, read_log, synced, whole
from tests.conftest import Broker
from tests.consumers.test_archive_file import stored
from tests.consumers.test_archive_service import EPOCH, Archive, bus, confirmed, ready, sample, until

MOMENTS, BEFORE = 6, 10
LARGE = 2500
"""Bytes of a text: some seconds fill the log, so that it is also cut while it goes into the file."""


async def publish(bridge: Bus, site: str) -> None:
    for seq in range(1, 100_000):
        values: dict[str, m.Value] = {"p": 1.0, "text": secrets.token_hex(LARGE)}
        large = m.Telemetry(at=sample(seq).at, epoch=EPOCH, seq=seq, values=values)
        await bridge.say(topics.TELEMETRY, large, site=site, device="pcs")


async def frozen_copy(archive: Archive, source: Path, target: Path, heard: set[int]) -> set[int]:
    """The file and its log as they stand at one moment of the process; what was confirmed until then."""
    assert archive.process is not None
    archive.process.send_signal(signal.SIGSTOP)
    try:
        while psutil.Process(archive.process.pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(0.001)
        target.parent.mkdir()
        for end in ("", "-wal"):
            if source.with_name(source.name + end).is_file():
                shutil.copy(source.with_name(source.name + end), target.with_name(target.name + end))
        await asyncio.sleep(0.2)  # what it has said is on its way
        return set(heard)
    finally:
        archive.process.send_signal(signal.SIGCONT)


async def cut_before(url: str, path: Path, dice: Random) -> None:
    """The power failed before, in the midst of commits."""
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    store = Store(database, lambda _: None)
    for seq in range(1, BEFORE + 1):
        heard = Heard(topics.TELEMETRY, {"site": "other", "device": "pcs"}, sample(seq), "", b"", False, 1)
        await store.keep(sort_out([heard], utc_now())[0])
    left = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal")}
    await database.dispose()
    for end, words in left.items():
        path.with_name(path.name + end).write_bytes(words)
    cut(path, read_log(left["-wal"]).commits[-1], dice)


async def test_at_six_moments_nothing_confirmed_is_lost_and_the_file_opens(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """200 moments of all processes at once, with their next starts: tests/chaos/test_power_cut.py (`make faults`)."""
    dice, path = Random(1), tmp_path / "archive.db"
    url = f"sqlite+aiosqlite:///{path}"
    await cut_before(url, path, dice)
    async with bus(broker, "archive"):
        pass
    archive = Archive(broker, url, site_name, tmp_path / "log")
    archive.start()
    try:
        await ready(archive)  # it goes on with the file that is there
        async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
            publishing = asyncio.create_task(publish(bridge, site_name))
            await until(lambda: _true(len(heard) > 20))
            for moment in range(MOMENTS):
                await asyncio.sleep(dice.uniform(0.05, 0.3))
                copy = tmp_path / str(moment) / "archive.db"
                known = await frozen_copy(archive, path, copy, heard)
                _judge(copy, known, dice)
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
        assert archive.health()["causes"] == []
    finally:
        assert archive.process is not None
        archive.process.kill()
        archive.process.wait()
    _judge(path, set(heard), dice)
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM telemetry WHERE site = 'other'").fetchone() == (BEFORE,)


def _judge(file: Path, known: set[int], dice: Random) -> None:
    cut(file, synced(file, lambda trial: known <= stored(trial)), dice)
    assert whole(file) == "ok"
    assert known <= stored(file), f"confirmed, and lost: {ranges(known - stored(file))}"


async def _true(what: bool) -> bool:
    return what


def test_a_cut_that_takes_what_was_synced_would_be_seen(tmp_path: Path) -> None:
    """The judge itself: a log that loses its first commit loses a row."""
    path = tmp_path / "archive.db"
    with sqlite3.connect(path, isolation_level=None) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE telemetry (epoch, seq)")
        for seq in range(3):
            file.execute("INSERT INTO telemetry VALUES (?, ?)", (EPOCH, seq))
        copy = tmp_path / "copy.db"
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    file.close()
    first, *_, last = read_log((tmp_path / "copy.db-wal").read_bytes()).commits
    assert first < synced(copy, lambda _: True) < synced(copy, lambda _: False) == last
    cut(copy, last, Random(2))
    assert stored(copy) == {0, 1, 2}
