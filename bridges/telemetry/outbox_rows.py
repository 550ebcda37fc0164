"""The tables of an outbox, and what is asked of them. What has a connection raises sqlite3.Error.

SQLite has no checksums: what comes out of a damaged file may be of any type.
"""

import json
import re
import secrets
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bridges.telemetry import given_up
from runtime.kept import Transaction
from schemas.units import NAME

Key = tuple[str, str, int]
"""(epoch, device, seq)"""

Gone = tuple[Key, int, float]
"""A row that was deleted: its key, the bytes of its body, its time."""

LATEST = 250_000_000_000.0
"""Seconds since 1970, in the year 9892: no sample is younger."""

TABLES = f"""
CREATE TABLE IF NOT EXISTS outbox (
    epoch TEXT, device TEXT, seq INTEGER, at REAL NOT NULL, body BLOB NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (epoch, device, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON outbox (at);
CREATE TABLE IF NOT EXISTS counter (device TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS life (epoch TEXT NOT NULL, boot TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS served (device TEXT PRIMARY KEY) WITHOUT ROWID;
{given_up.TABLES}"""

_INSERT = "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)"
_COUNT = "INSERT INTO counter VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET seq = excluded.seq"
_OLDEST = "SELECT epoch, device, seq, at, body FROM outbox WHERE at >= ? ORDER BY at"
_SIZES = "SELECT epoch, device, seq, coalesce(length(body), 0) FROM outbox ORDER BY at"
_DELETE = """
DELETE FROM outbox WHERE epoch IS ? AND device IS ? AND seq IS ?
RETURNING epoch, device, seq, coalesce(length(body), 0), at"""
_DELETE_RANGE = """
DELETE FROM outbox WHERE epoch = ? AND device = ? AND seq BETWEEN ? AND ?
RETURNING epoch, device, seq, coalesce(length(body), 0), at"""
_DELETE_BEFORE = """
DELETE FROM outbox WHERE device = ? AND at < ?
RETURNING epoch, device, seq, coalesce(length(body), 0), at"""
_MARK = "UPDATE outbox SET sent = 1 WHERE epoch = ? AND device = ? AND seq = ? AND sent = 0"
_AMOUNTS = "SELECT device, count(*), coalesce(sum(length(body)), 0) FROM outbox GROUP BY device"


@dataclass(frozen=True, slots=True)
class Row:
    """A sample as it is kept."""

    key: Key
    at: float
    """Seconds since 1970."""
    body: bytes

    @property
    def is_whole(self) -> bool:
        """It is what was written: half a sample would be refused, and sent again, for ever."""
        epoch, device, seq = self.key
        if not (isinstance(self.body, bytes) and isinstance(self.at, float) and isinstance(device, str)):
            return False
        try:
            said = json.loads(self.body)
        except (ValueError, RecursionError):
            return False
        named = re.fullmatch(NAME, device) is not None and isinstance(said, dict)
        return named and 0 <= self.at <= LATEST and (said.get("epoch"), said.get("seq")) == (epoch, seq)


def insert(db: sqlite3.Connection, rows: Sequence[Row], epoch: str, *, sent: bool) -> bool:
    """All of them or none; the numbers of this epoch count on from there."""
    with Transaction(db):
        db.executemany(_INSERT, [(*row.key, row.at, row.body, sent) for row in rows])
        db.executemany(_COUNT, [row.key[1:] for row in rows if row.key[0] == epoch])
    return True


def oldest_first(db: sqlite3.Connection, begin: float = float("-inf")) -> Generator[Row, None, None]:
    """All rows from a time on. Close it when you do not read on to the end."""
    with closing(db.execute(_OLDEST, (begin,))) as rows:
        for epoch, device, seq, at, body in rows:
            yield Row((epoch, device, seq), at, body)


def past_the_cap(db: sqlite3.Connection, rows: int, size: int, overhead: int) -> list[Key]:
    """The oldest, so many that `rows` rows and `size` bytes become free."""
    gone: list[Key] = []
    with closing(db.execute(_SIZES)) as oldest:
        for epoch, device, seq, length in oldest:
            if rows <= 0 and size <= 0:
                break
            gone.append((epoch, device, seq))
            rows, size = rows - 1, size - length - overhead
    return gone


def delete(db: sqlite3.Connection, keys: Iterable[Key]) -> list[Gone]:
    """Gives those that were there."""
    return [gone for key in keys for gone in _gone(db.execute(_DELETE, key))]


def delete_range(db: sqlite3.Connection, epoch: str, device: str, first: int, last: int) -> list[Gone]:
    """Both ends included."""
    return _gone(db.execute(_DELETE_RANGE, (epoch, device, first, last)))


def delete_before(db: sqlite3.Connection, device: str, at: float) -> list[Gone]:
    """Of all epochs."""
    return _gone(db.execute(_DELETE_BEFORE, (device, at)))


def mark_sent(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """For those who look at the file from outside."""
    with Transaction(db):
        db.executemany(_MARK, [row.key for row in rows])


def amounts(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Rows and bytes that wait, by device."""
    found = {device: (rows, size) for device, rows, size in db.execute(_AMOUNTS).fetchall()}
    if not all(isinstance(device, str) for device in found):
        raise sqlite3.DatabaseError("it names devices by something that is no text")
    return found


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """The last number of each device in the epoch of the file."""
    found = dict(db.execute("SELECT device, seq FROM counter").fetchall())
    if not all(isinstance(device, str) and isinstance(seq, int) and seq >= 0 for device, seq in found.items()):
        raise sqlite3.DatabaseError("its counters are no numbers")
    return found


def epoch_of(db: sqlite3.Connection) -> str | None:
    """None for a new file, and after a restart of the machine: a power cut may have taken the last sequence numbers
    back, and no two samples may ever share an identity."""
    row = db.execute("SELECT epoch, boot FROM life").fetchone()
    return row[0] if row and row[1] == _boot() and re.fullmatch("[0-9a-f]{16}", str(row[0])) else None


def begin_epoch(db: sqlite3.Connection, epoch: str) -> bool:
    """Numbers start at 1 again."""
    with Transaction(db):
        db.execute("DELETE FROM life")
        db.execute("DELETE FROM counter")
        db.execute("INSERT INTO life VALUES (?, ?)", (epoch, _boot()))
    return True


def write_served(db: sqlite3.Connection, devices: Iterable[str]) -> None:
    """For those who look at the file from outside: which names the bridge has."""
    with Transaction(db):
        db.execute("DELETE FROM served")
        db.executemany("INSERT INTO served VALUES (?)", [(name,) for name in sorted(devices)])


def _gone(rows: Iterable[tuple[str, str, int, int, float]]) -> list[Gone]:
    return [((epoch, device, seq), length, at) for epoch, device, seq, length, at in rows]


def _boot() -> str:
    """Names this run of the machine; where the system does not tell, each start of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _PROCESS


_PROCESS = secrets.token_hex(8)
