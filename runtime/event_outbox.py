"""What a part said, kept on disk until the archive has committed it. No clock: `now` is the monotonic one."""

import secrets
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from runtime.kept import Transaction, begin_anew, damaged, open_or_set_aside

AGAIN = 10.0
"""Seconds without a confirmation after which the oldest event is sent again."""

_TABLES = """
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, at TEXT NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS life (epoch TEXT NOT NULL, boot TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is kept."""

    seq: int
    epoch: str
    at: str
    topic: str
    payload: bytes

    def body(self) -> bytes:
        """The message for the archive: schemas.messages.Event, with the payload as it was said."""
        head = f'{{"at":"{self.at}","epoch":"{self.epoch}","seq":{self.seq},"topic":"{self.topic}","payload":'
        return head.encode() + self.payload + b"}"


@dataclass
class EventOutbox:
    """Events on their way, in the order in which they were said. All methods may raise sqlite3.Error."""

    path: Path
    boot: str
    """Names this run of the machine: a power cut may take the last numbers back, and each is given once an epoch."""
    most_rows: int = 200_000
    most_bytes: int = 200_000_000
    """And never more than a tenth of what the disk has left at the start."""
    dropped: int = field(default=0, init=False)
    """The oldest that were given up because it was full."""
    damage: str = field(default="", init=False)
    """Where a damaged file was set aside to, and why."""
    epoch: str = field(default="", init=False)
    _sent: dict[int, float] = field(default_factory=dict, init=False)
    """When each was sent last on this connection."""
    _place: int = field(default=0, init=False)
    """All up to this one were sent on this connection."""
    _rows: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._open()
        self.most_bytes = min(self.most_bytes, self._bytes + shutil.disk_usage(self.path.parent).free // 10)

    def __len__(self) -> int:
        return self._rows

    def keep(self, at: datetime, topic: str, payload: bytes) -> int:
        """Write one down; gives its number."""
        with Transaction(self._db):
            sql = "INSERT INTO event (epoch, at, topic, payload) VALUES (?, ?, ?, ?)"
            seq = self._db.execute(sql, (self.epoch, at.isoformat(), topic, payload)).lastrowid
        self._rows += 1
        self._bytes += len(payload)
        if self._rows > self.most_rows or self._bytes > self.most_bytes:
            self._give_up()
        return seq or 0

    def due(self, now: float, most: int) -> list[Row]:
        """What was not sent on this connection yet, oldest first; and the oldest of all when its confirmation is late.

        Only that one: while there is no archive, the broker must not fill with copies.
        """
        found = self._read("seq > ?", self._place, most)
        if found:
            self._place = found[-1].seq
        found = [row for row in found if now - self._sent.get(row.seq, now - AGAIN) >= AGAIN]
        if not found:
            found = [row for row in self._read("seq >= ?", 0, 1) if now - self._sent.get(row.seq, now) >= AGAIN]
        self._sent |= {row.seq: now for row in found}
        return found

    def confirm(self, epoch: str, ranges: Iterable[tuple[int, int]], now: float) -> int:
        """The archive has these: forget them; gives how many. There is an archive: what is late is sent again."""
        gone = 0
        sql = "DELETE FROM event WHERE epoch = ? AND seq BETWEEN ? AND ? RETURNING seq, length(payload)"
        with Transaction(self._db):
            for first, last in ranges:
                for seq, size in self._db.execute(sql, (epoch, first, last)).fetchall():
                    self._forget(seq, size)
                    gone += 1
        late = [seq for seq, sent in self._sent.items() if now - sent >= AGAIN]
        if late:
            self._place = min(self._place, min(late) - 1)
        return gone

    def forget_sent(self) -> None:
        """The connection is new: whatever was on its way may be lost."""
        self._sent.clear()
        self._place = 0

    def begin_anew(self, why: sqlite3.Error) -> bool:
        """Whether the file was damaged and another one is in its place."""
        if not damaged(why):
            return False
        with suppress(sqlite3.Error):
            self._db.close()
        self._open(why)
        return True

    def checkpoint(self) -> None:
        """Move what was written from the log into the file. For a thread: it waits for the disk."""
        with closing(sqlite3.connect(self.path, timeout=0)) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self._db.close()

    def _open(self, why: sqlite3.Error | None = None) -> None:
        opened = begin_anew(self.path, _TABLES, why) if why else open_or_set_aside(self.path, _TABLES)
        self._db, self.damage = opened
        self._db.execute("PRAGMA wal_autocheckpoint=0")  # see checkpoint
        row = self._db.execute("SELECT epoch, boot FROM life").fetchone()
        self.epoch = str(row[0]) if row and row[1] == self.boot else self._renew()
        total = self._db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM event").fetchone()
        self._rows, self._bytes = total
        self.forget_sent()

    def _renew(self) -> str:
        epoch = secrets.token_hex(8)
        with Transaction(self._db):
            self._db.execute("DELETE FROM life")
            self._db.execute("INSERT INTO life VALUES (?, ?)", (epoch, self.boot))
        return epoch

    def _read(self, where: str, value: int, most: int) -> list[Row]:
        sql = f"SELECT seq, epoch, at, topic, payload FROM event WHERE {where} ORDER BY seq LIMIT ?"  # noqa: S608
        return [Row(*found) for found in self._db.execute(sql, (value, most))]

    def _give_up(self) -> None:
        """The oldest hundredth goes: not one at a time, each would be a commit more."""
        most = max(1, self._rows // 100)
        oldest = "SELECT seq FROM event ORDER BY seq LIMIT ?"
        sql = f"DELETE FROM event WHERE seq IN ({oldest}) RETURNING seq, length(payload)"  # noqa: S608
        with Transaction(self._db):
            gone = self._db.execute(sql, (most,)).fetchall()
        for seq, size in gone:
            self._forget(seq, size)
        self.dropped += len(gone)

    def _forget(self, seq: int, size: int) -> None:
        self._sent.pop(seq, None)
        self._rows -= 1
        self._bytes -= size
