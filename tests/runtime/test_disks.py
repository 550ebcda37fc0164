"""Whether a disk is nearly full: how much is little, and how it is said."""

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from runtime import disks
from runtime.causes import Causes
from runtime.disks import by_disk, judge, least
from schemas.messages import Cause

M, G = 1e6, 1e9


@pytest.mark.parametrize(
    ("size", "needs"), [(100 * M, 20 * M), (1 * G, 200 * M), (4 * G, 500 * M), (32 * G, 1.6 * G), (1000 * G, 10 * G)]
)
def test_how_much_should_be_free(size: float, needs: float) -> None:
    assert least(size) == pytest.approx(needs)


def test_it_is_said_once_and_ends_with_room() -> None:
    causes = Causes(logging.getLogger("test"))
    for free, said in ((2 * G, False), (1.5 * G, True), (1.7 * G, True), (1.8 * G, False), (1.7 * G, False)):
        judge("what it keeps: the disk of /var/lib/joulebus", 32 * G, free, causes)
        assert causes.names == [Cause.DISK] * said
        assert causes.ready
    judge("broker: the disk of /data", 32 * G, 0.1 * G, causes)
    assert causes.words == "broker: the disk of /data is nearly full: 0.1 GB of 32.0 GB are left"


def test_folders_of_one_disk_are_one_trouble_and_one_that_is_absent_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    other = Path("/dev/shm")  # noqa: S108  # the one other disk of every Linux
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system")
    named = {"state": tmp_path, "broker": tmp_path / "data", "gone": tmp_path / "none", "memory": other}
    assert [*by_disk(named).values()] == [("state, broker", tmp_path), ("memory", other)]


async def test_a_real_disk_is_looked_at_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would have to be empty: of each some bytes are taken."""
    monkeypatch.setattr(disks, "least", lambda size: size)
    causes = Causes(logging.getLogger("test"))
    watching = asyncio.create_task(disks.watch_disks({"state": tmp_path, "gone": tmp_path / "none"}, causes))
    async with asyncio.timeout(5):
        while not causes.names:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watching.cancel()
    size = shutil.disk_usage(tmp_path).total / 1e9
    assert causes.words.startswith(f"state: the disk of {tmp_path} is nearly full: ")
    assert causes.words.endswith(f" GB of {size:.1f} GB are left")
