"""Of two processes with one name one works and the other waits; whatever ends the first lets the second begin."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.single import lock_folder, wait_for_folder
from tests.timed import in_time, timed

WORKER = """
import asyncio, sys, time
from pathlib import Path
from runtime.single import wait_for_folder
async def main():
    await wait_for_folder(Path(sys.argv[1]), "bridge", lambda words: print("waits:", words, flush=True))
    print("works", flush=True)
    while True:
        await asyncio.sleep(1)
asyncio.run(main())
"""


def worker(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE, text=True)


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@timed
async def test_a_killed_one_is_followed_within_two_seconds(tmp_path: Path) -> None:
    with worker(tmp_path) as first, worker_after(first, tmp_path) as second:
        told = heard(second)
        assert told == f"waits: another process (number {first.pid}) holds {tmp_path / 'bridge'}; we wait for its end"
        first.send_signal(signal.SIGKILL)
        began = time.monotonic()
        assert heard(second) == "works"
        took = time.monotonic() - began
        second.kill()
    in_time(took < 2.0, took)


def worker_after(first: "subprocess.Popen[str]", folder: Path) -> "subprocess.Popen[str]":
    assert heard(first) == "works"
    return worker(folder)


def test_the_lock_is_of_a_name_and_released_in_good_order(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path, "bridge")
    assert lock is not None
    assert lock_folder(tmp_path, "bridge") is None, "also in one process"
    other = lock_folder(tmp_path, "dispatch")
    assert other is not None
    lock.release()
    again = lock_folder(tmp_path, "bridge")
    assert again is not None
    again.release()
    other.release()


async def test_who_works_knows_that_another_waits(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path, "bridge")
    assert lock is not None
    assert not lock.contended
    words: list[str] = []
    waiting = asyncio.create_task(wait_for_folder(tmp_path, "bridge", words.append))
    await asyncio.sleep(0.6)
    assert lock.contended
    assert len(words) == 1, "it says so once"
    assert str(os.getpid()) in words[0]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not lock.contended, "it has given up"
    waiting = asyncio.create_task(wait_for_folder(tmp_path, "bridge", words.append))
    await asyncio.sleep(0)
    lock.release()
    (await waiting).release()


def test_a_deleted_lock_is_taken_again_or_is_lost(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path, "bridge")
    assert lock is not None
    lock.path.unlink()
    assert lock.held(), "and made again"
    assert lock_folder(tmp_path, "bridge") is None
    lock.path.unlink()
    rival = lock_folder(tmp_path, "bridge")
    assert rival is not None
    assert not lock.held(), "who deletes it lets another in, and that is known"
    rival.release()
    lock.release()


def test_where_no_lock_can_be_had_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        lock_folder(tmp_path / "no" / "folder", "bridge")
