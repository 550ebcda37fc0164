"""The archive's file is deleted or replaced under it, in each of the ways that happens: nothing confirmed is lost."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from consumers.archive.migrate import migrate
from runtime.bus import Bus
from runtime.database import engine
from runtime.history import History
from schemas import topics
from tests.conftest import Broker
from tests.consumers.test_archive_service import EPOCH, Archive, bus, confirmed, ready, sample, until

Crime = Callable[[Path], None]


def deleted(path: Path) -> None:
    """All of it, as a person cleans up."""
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def deleted_alone(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def log_deleted(path: Path) -> None:
    """What was committed stands there until a checkpoint."""
    path.with_name(f"{path.name}-wal").unlink()


def replaced(path: Path) -> None:
    """A backup is put in its place."""
    backup = path.with_name("backup.db")
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    backup.rename(path)


def replaced_by_an_empty_one(path: Path) -> None:
    new = path.with_name("new.db")
    new.touch()
    new.rename(path)


@pytest.fixture
async def archive(broker: Broker, site_name: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with bus(broker, "archive"):
        pass
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    made = Archive(broker, url, site_name, tmp_path / "log")
    made.start()
    await ready(made)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait()


@pytest.mark.parametrize(
    "crime",
    [deleted, deleted_alone, moved, log_deleted, replaced, replaced_by_an_empty_one],
    ids=lambda one: one.__name__,
)
async def test_what_is_confirmed_is_in_the_file_at_the_path(
    broker: Broker, archive: Archive, site_name: str, tmp_path: Path, crime: Crime
) -> None:
    path = tmp_path / "archive.db"
    async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
        await say(bridge, site_name, range(1, 21))
        await until(lambda: _is(heard, set(range(1, 21))))
        crime(path)
        await say(bridge, site_name, range(21, 61))
        await until(lambda: _is(heard, set(range(1, 61))))
        await asyncio.sleep(0.5)
        await say(bridge, site_name, range(61, 71))
        await until(lambda: _is(heard, set(range(1, 71))))
    assert set(range(21, 71)) <= stored(path), "confirmed, and not there"
    said = archive.health()
    assert said["ready"]
    assert said["causes"] == ["not_archived"]
    assert "was deleted or replaced" in said["detail"]
    assert archive.log.read_text(encoding="utf-8").count("the database is back") == 1


async def test_on_another_disk_no_new_one_is_made(broker: Broker, site_name: str, tmp_path: Path) -> None:
    """It is not mounted any more: a new archive in the empty folder would be hidden once the disk is back."""
    disk, away = tmp_path / "disk", Path("/dev/shm") / site_name  # noqa: S108  # the one other disk of every Linux
    if not _has_its_own_device(away.parent, tmp_path):
        pytest.skip("this machine has no second file system to write to")
    for folder in (away, tmp_path / "empty"):
        await asyncio.to_thread(folder.mkdir)
    _point(disk, away)
    url = f"sqlite+aiosqlite:///{disk}/archive.db"
    await asyncio.to_thread(migrate, url)
    archive = Archive(broker, url, site_name, tmp_path / "log")
    try:
        async with bus(broker, "archive"):
            pass
        archive.start()
        await ready(archive)
        async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
            await say(bridge, site_name, range(1, 6))
            await until(lambda: _is(heard, set(range(1, 6))))
            _point(disk, tmp_path / "empty")
            await say(bridge, site_name, range(6, 11))
            await until(lambda: _says(archive, "run: joulebus migrate"))
            assert heard == set(range(1, 6))
            _point(disk, away)
            await until(lambda: _is(heard, set(range(1, 11))))
        assert stored(away / "archive.db") == set(range(1, 11))
    finally:
        if archive.process is not None:
            archive.process.kill()
            archive.process.wait()
        await asyncio.to_thread(shutil.rmtree, away)


async def test_who_reads_it_reads_the_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    url = f"sqlite+aiosqlite:///{path}"
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    history = History(database)
    assert await history.sequences("plant", EPOCH) == {}
    other = tmp_path / "other.db"
    await asyncio.to_thread(migrate, f"sqlite+aiosqlite:///{other}")
    with sqlite3.connect(other) as changed:
        changed.execute(
            "INSERT INTO telemetry VALUES ('plant', 'pcs', '2026-06-01 12:00:00.000000', ?, 1, 0, '{}', NULL)", (EPOCH,)
        )
    changed.close()
    deleted(path)
    await asyncio.to_thread(other.rename, path)
    assert await history.sequences("plant", EPOCH) == {"pcs": [(1, 1)]}
    await database.dispose()


async def say(bridge: Bus, site: str, numbers: range) -> None:
    for seq in numbers:
        await bridge.say(topics.TELEMETRY, sample(seq), site=site, device="pcs")


def stored(path: Path) -> set[int]:
    with sqlite3.connect(path) as database:
        found = {seq for (seq,) in database.execute("SELECT seq FROM telemetry WHERE epoch = ?", (EPOCH,))}
    database.close()
    return found


def _has_its_own_device(folder: Path, other: Path) -> bool:
    return folder.is_dir() and folder.stat().st_dev != other.stat().st_dev


def _point(link: Path, to: Path) -> None:
    """At once, as a disk comes and goes."""
    new = link.with_name("new")
    new.symlink_to(to)
    new.rename(link)


async def _is(heard: set[int], wanted: set[int]) -> bool:
    return heard == wanted


async def _says(archive: Archive, words: str) -> bool:
    return words in (await asyncio.to_thread(archive.health)).get("detail", "")
