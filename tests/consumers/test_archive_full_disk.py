"""F22: the disk under MariaDB is full, here a tmpfs of a namespace of our own, and has room again.

Only with JOULEBUS_CHAOS=full: a MariaDB without room neither stores nor ends, but spins; it costs 40 s.
"""

import asyncio
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumers.archive.migrate import migrate
from joulebus.mariadb import MariaDB
from runtime.bus import Bus
from schemas import messages as m
from schemas import topics
from tests.conftest import Broker
from tests.consumers.test_archive_faults import on
from tests.consumers.test_archive_service import EPOCH, START, Archive, bus, confirmed, ready, sample, until
from tests.timed import FULL

DISK = 60
"""MB; an empty MariaDB of ours takes 30."""
MOUNT = f"""
mount -t tmpfs -o size={DISK}M tmpfs "$1" && cp -a "$2/." "$1" && echo ready && exec sleep 600
"""
LARGE = 25_000
"""Bytes of a text that no page compression makes smaller."""


@contextmanager
def small_disk(mariadb: MariaDB) -> Iterator[Path]:
    """From now on the server's data lie on it; the path leads there from outside."""
    unshare, enter = shutil.which("unshare"), shutil.which("nsenter")
    if unshare is None or enter is None:
        pytest.skip("there is no unshare and nsenter")
    disk = mariadb.data.parent / "disk"
    disk.mkdir()
    command = [unshare, "-rm", "sh", "-c", MOUNT, "sh", str(disk), str(mariadb.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stderr is not None
            if holder.stdout.readline() != "ready\n":
                pytest.skip(f"a namespace of our own is not permitted: {holder.stderr.read()}")
            inside = [enter, f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials", "--"]
            mariadb.command = [*inside, *(word.replace(str(mariadb.data), str(disk)) for word in mariadb.command)]
            yield Path(f"/proc/{holder.pid}/root{disk}")
        finally:
            mariadb.kill()
            holder.kill()


def fill(disk: Path) -> Path:
    """Leave nothing."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(100_000)):
                pass
        except OSError:
            return ballast
    raise AssertionError("it is never full")


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="40 s of a busy database: JOULEBUS_CHAOS=full")
async def test_a_full_disk_under_mariadb_is_waited_for_and_nothing_is_lost(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    mariadb = MariaDB(tmp_path / "mariadb")
    await asyncio.to_thread(mariadb.start)
    url = mariadb.database()
    await asyncio.to_thread(migrate, url)
    await asyncio.to_thread(mariadb.stop)
    with small_disk(mariadb) as disk:
        await asyncio.to_thread(mariadb.start)
        async with (
            on(broker, url, site_name, tmp_path / "log") as archive,
            bus(broker, "bridge") as bridge,
            confirmed(bridge, site_name) as heard,
        ):
            archive.start()
            await ready(archive)
            await bridge.say(topics.TELEMETRY, sample(1), site=site_name, device="pcs")

            async def first() -> bool:
                return heard == {1}

            await until(first)
            ballast = fill(disk)
            last = await _until_it_hurts(bridge, archive, site_name)
            known = set(heard)
            assert known < set(range(1, last + 1))
            ballast.unlink()
            if mariadb.process is not None and mariadb.process.poll() is not None:  # it may abort, or wait
                await asyncio.to_thread(mariadb.start)

            async def all_confirmed() -> bool:
                return heard == set(range(1, last + 1))

            await until(all_confirmed, 60)
            assert await archive.stored(site_name) == [(1, last)]
            async with archive.history() as history:
                counts = await history.counts(site_name, START)
            assert (counts.rows, counts.samples) == (last, last)
            assert archive.health()["counts"].get("dead_letters", 0) == 0
            assert archive.end(signal.SIGTERM) == 0


async def _until_it_hurts(bridge: Bus, archive: Archive, site: str) -> int:
    """Large samples until the archive says that the database is lost; the number of the last."""
    for seq in range(2, 600):
        values: dict[str, m.Value] = {"p": 1.0, "text": secrets.token_hex(LARGE)}
        large = m.Telemetry(at=sample(seq).at, epoch=EPOCH, seq=seq, values=values)
        await bridge.say(topics.TELEMETRY, large, site=site, device="pcs")
        if not archive.health()["ready"]:
            return seq
        await asyncio.sleep(0.1)
    raise AssertionError("the database never says that its disk is full")
