"""The disk under the embedded archive, here a small tmpfs of a namespace of our own, fills up: it can still forget."""

import asyncio
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from consumers.archive.file_size import give_back
from consumers.archive.migrate import migrate
from consumers.archive.oldest import forget_older
from consumers.archive.rows import sort_out
from consumers.archive.store import LEAST_ROOM, Store
from runtime.database import engine, writing
from schemas import tables
from schemas.units import utc_now
from tests.consumers.test_archive_oldest import BEGAN, ROW, batch

REPOSITORY = Path(__file__).parents[2]
DISK, ROWS = 70, 100
"""MB, and rows of 10 kB in a transaction."""
LARGE = '{"text":"' + "x" * 10_000 + '"}'
MOUNT = f'mount -t tmpfs -o size={DISK}M tmpfs "$1" && echo mounted && exec "$2" -m {__name__} "$1"'


def test_a_disk_that_fills_up_is_said_in_time_and_retention_makes_room_again(tmp_path: Path) -> None:
    """A file that has filled its disk to the last byte can delete nothing: that is a write, too."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    command = [unshare, "-rm", "sh", "-c", MOUNT, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    if "mounted" not in done.stdout:
        pytest.skip(f"a namespace of our own is not permitted: {done.stderr}")
    assert done.stdout.splitlines()[1:] == ["told", "forgot", "stored", "gave back"], done.stderr


async def story(disk: Path) -> None:
    """On a small disk; prints what has happened."""
    url = f"sqlite+aiosqlite:///{disk}/archive.db"
    await asyncio.to_thread(migrate, url)
    database, told = engine(url), list[str]()
    store, turn = Store(database, told.append), 0
    await store.open()
    while shutil.disk_usage(disk).free > LEAST_ROOM:
        turn += 1
        async with writing(database) as connection:
            words = ROW.replace("00112233aabbccdd", f"{turn:016x}")
            await connection.execute(text(words), {"rows": ROWS, "points": LARGE})
    keeping = asyncio.create_task(store.keep(sort_out(batch(1), utc_now())[0]))
    await asyncio.sleep(0.3)
    assert not keeping.done()
    assert "has less than 34 MB left, and these are kept for forgetting" in told[0], told
    print("told")
    assert await forget_older(database, tables.telemetry, "plant", BEGAN + timedelta(days=1)) == turn * ROWS
    print("forgot")
    assert (await asyncio.wait_for(keeping, 20)).new["telemetry"] == 4, "in the pages that are free now"
    assert told[1:] == [""], told
    print("stored")
    await give_back(database)
    assert shutil.disk_usage(disk).free > LEAST_ROOM
    print("gave back")
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(story(Path(sys.argv[1])))
