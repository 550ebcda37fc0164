"""Looks whether the disks on which a part keeps something become full.

Below `least` a part says so while it still works: the archive stops at 34 MB, an outbox takes half of what is free.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from runtime.causes import Causes
from schemas.messages import Cause

LOOK = 60.0
"""Seconds between two looks: the fastest archive of the benchmarks writes 3 MB a minute."""
SHARE, LEAST = 1 / 20, 500e6
"""Of a disk, and bytes of it, whichever is more: some weeks of an archive, so that there is time to make room."""
OF_A_SMALL, MOST = 1 / 5, 10e9
"""But never more than this share, or these bytes: 500 MB are half of a small partition and no trouble there, and a
twentieth of a large disk is more than years fill."""
CLEAR = 1.1
"""The trouble is over above so many times of it: a log that is rotated is no news each time."""


def least(size: float) -> float:
    """Bytes that should be free on a disk of this size."""
    return min(max(SHARE * size, LEAST), OF_A_SMALL * size, MOST)


async def watch_disks(folders: Mapping[str, Path], causes: Causes) -> None:
    """For ever. `folders` by a name for people; they may become more meanwhile."""
    while True:
        for device, (names, folder) in (await asyncio.to_thread(by_disk, dict(folders))).items():
            look(names, folder, causes, about=str(device))
        await asyncio.sleep(LOOK)


def by_disk(folders: Mapping[str, Path]) -> dict[int, tuple[str, Path]]:
    """Of the folders on one disk the first, with the names of all: one disk that is full is one trouble. A folder that
    is not there is a trouble of who keeps something in it."""
    found: dict[int, tuple[str, Path]] = {}
    for name, folder in folders.items():
        try:
            device = folder.stat().st_dev
        except OSError:
            continue
        names, first = found.get(device, ("", folder))
        found[device] = (f"{names}, {name}" if names else name), first
    return found


def look(names: str, folder: Path, causes: Causes, *, about: str = "") -> None:
    """Once."""
    try:
        seen = os.statvfs(folder)
    except OSError:
        return
    size, free = seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize
    judge(f"{names}: the disk of {folder}", size, free, causes, about=about)


def judge(what: str, size: float, free: float, causes: Causes, *, about: str = "") -> None:
    """Bytes of a disk, and what is left of them for who is not root."""
    if size > 0 and free < least(size):
        words = f"{what} is nearly full: {free / 1e9:.1f} GB of {size / 1e9:.1f} GB are left"
        causes.add(Cause.DISK, words, about=about)
    elif free >= CLEAR * least(size):
        causes.clear(Cause.DISK, about=about, words=f"{what} has room again")
