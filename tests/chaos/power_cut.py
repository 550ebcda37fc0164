"""What a power cut may leave of a SQLite file and its log: what was synced, and of the rest whatever you like.

A commit is synced before the next one begins to be written (`PRAGMA synchronous = FULL`), so of the log at most the
last commit is in doubt. A page that stands in the log may be torn in the file: that is synced before the log is begun
anew.
The layout of the log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from struct import unpack_from

HEADER, FRAME = 32, 24
SECTOR = 512


@dataclass(frozen=True)
class Log:
    """The commits of a log, as the offsets where each ends, and the pages that each wrote."""

    commits: list[int]
    pages: list[set[int]]


def read_log(log: bytes | bytearray) -> Log:
    """Frames of an earlier turn of the log, behind the newest commit, have another salt: they do not count."""
    commits, pages, some = [], list[set[int]](), set[int]()
    if len(log) < HEADER:
        return Log([], [])
    (size,), salt = unpack_from(">I", log, 8), log[16:24]
    for start in range(HEADER, len(log) - FRAME - size + 1, FRAME + size):
        page, commit = unpack_from(">II", log, start)
        if log[start + 8 : start + 16] != salt:
            break
        some.add(page)
        if commit:
            commits.append(start + FRAME + size)
            pages.append(some)
            some = set()
    return Log(commits, pages)


def cut(database: Path, synced: int, dice: Random) -> None:
    """Leave of the log the first so many bytes, and any part of the rest; tear pages of the file that stand in it."""
    log = database.with_name(f"{database.name}-wal")
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    if not log.is_file():
        return
    words = bytearray(log.read_bytes())
    found = read_log(words)
    _tear(
        database,
        {page for end, some in zip(found.commits, found.pages, strict=True) if end <= synced for page in some},
        dice,
    )
    match dice.randrange(3):
        case 0:
            del words[dice.randint(synced, max(synced, len(words))) :]
        case 1:
            for start in range(synced, len(words), SECTOR):
                if dice.random() < 0.5:
                    words[start : start + SECTOR] = bytes(len(words[start : start + SECTOR]))
        case _:
            del words[synced:]
    log.write_bytes(words)


def _tear(database: Path, pages: set[int], dice: Random) -> None:
    size, end = 4096, database.stat().st_size
    with database.open("r+b") as file:
        for page in sorted(pages - {1}):  # the first begins with the header, a sector of its own
            if page * size <= end and dice.random() < 0.5:
                file.seek((page - 1) * size + dice.choice((0, size // 2)))
                file.write(dice.randbytes(size // 2))


def synced(database: Path, holds: Callable[[Path], bool]) -> int:
    """Bytes of the log that are sure: all but its last commit, and that too if without it something confirmed is gone.

    `holds`: whether all that was confirmed is in a file.
    """
    log = database.with_name(f"{database.name}-wal")
    words = log.read_bytes() if log.is_file() else b""
    commits = read_log(words).commits
    sure = commits[-2] if len(commits) > 1 else min(HEADER, len(words))
    trial = database.with_name("trial.db")
    shutil.copy(database, trial)
    trial.with_name("trial.db-wal").write_bytes(words[:sure])
    try:
        held = holds(trial)
    except sqlite3.DatabaseError:  # pages of the last commit are in the file already: its log was synced before that
        held = False
    return sure if held or not commits else commits[-1]


def whole(database: Path) -> str:
    """SQLite's own word about a file; `ok` when it can be opened and nothing in it is wrong."""
    with closing(sqlite3.connect(database)) as file:
        (found,) = file.execute("PRAGMA integrity_check(1)").fetchone()
    return str(found)
