"""What a part said, kept on disk until the archive has committed it. No clock: `now` is the monotonic one."""

import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runtime.kept import Transaction
from runtime.kept_file import KeptFile

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


class EventOutbox:
    """Events on their way, in the order in which they were said. Nothing here raises for the file's sake."""

    def __init__(
        self, path: Path, boot: str, *, most_rows: int = 200_000, most_bytes: int = 200_000_000, share: int = 10
    ) -> None:
        """`boot` names this run of the machine: a power cut may take the last numbers back, and each is given once an
        epoch. The caps: so many events, bytes of them, and that part of what the disk has left at the start.
        """
        self.boot, self.epoch = boot, ""
        self.most_rows, self.most_bytes = most_rows, most_bytes
        self.dropped = 0
        """The oldest that were given up because it was full."""
        self._sent: dict[int, float] = {}
        """When each was sent last on this connection."""
        self._place = self._rows = self._bytes = 0
        self.file = KeptFile("the outbox of what is said", path, _TABLES, self._use)
        if self.file.on_disk:
            self.most_bytes = min(most_bytes, self._bytes + shutil.disk_usage(path.parent).free // share)

    def __len__(self) -> int:
        return self._rows

    def keep(self, at: datetime, said: Sequence[tuple[str, bytes]]) -> bool:
        """Write down what was said at some topics, in this order, or nothing of it; whether that could be."""

        def insert(db: sqlite3.Connection) -> bool:
            with Transaction(db):
                sql = "INSERT INTO event (epoch, at, topic, payload) VALUES (?, ?, ?, ?)"
                db.executemany(sql, [(self.epoch, at.isoformat(), topic, payload) for topic, payload in said])
            return True

        if not self.file.attempt("keep it", insert):
            return False
        self._rows += len(said)
        self._bytes += sum(len(payload) for _, payload in said)
        while self._rows > self.most_rows or self._bytes > self.most_bytes:
            if not self._give_up():
                break
        return True

    def due(self, now: float, most: int) -> list[Row]:
        """What was not sent on this connection yet, oldest first; and the oldest of all when its confirmation is late.

        Only that one: while there is no archive, the broker must not fill with copies.
        """
        found = self._read("seq > ?", self._place, most)
        if found:
            self._place = found[-1].seq
        found = [row for row in found if row.seq not in self._sent or self._late(row.seq, now)]
        if not found:
            found = [row for row in self._read("seq >= ?", 0, 1) if row.seq in self._sent and self._late(row.seq, now)]
        self._sent |= {row.seq: now for row in found}
        return found

    def confirm(self, epoch: str, ranges: Iterable[tuple[int, int]], now: float) -> int:
        """The archive has these: forget them; gives how many. There is an archive: what is late is sent again."""
        sql = "DELETE FROM event WHERE epoch = ? AND seq BETWEEN ? AND ? RETURNING seq, length(payload)"

        def delete(db: sqlite3.Connection) -> list[tuple[int, int]]:
            with Transaction(db):
                return [row for first, last in ranges for row in db.execute(sql, (epoch, first, last)).fetchall()]

        gone = self.file.attempt("forget what is archived", delete) or []
        self._forget(gone)
        late = [seq for seq in self._sent if self._late(seq, now)]
        if late:
            self._place = min(self._place, min(late) - 1)
        return len(gone)

    def forget_sent(self) -> None:
        """The connection is new: whatever was on its way may be lost."""
        self._sent.clear()
        self._place = 0

    def close(self) -> None:
        self.file.close()

    def _use(self, db: sqlite3.Connection, before: sqlite3.Connection | None) -> None:
        """A file was opened; what was kept elsewhere meanwhile moves into it, and gets new numbers."""
        with Transaction(db):
            row = db.execute("SELECT epoch, boot FROM life").fetchone()
            self.epoch = str(row[0]) if row and row[1] == self.boot else secrets.token_hex(8)
            db.execute("DELETE FROM life")
            db.execute("INSERT INTO life VALUES (?, ?)", (self.epoch, self.boot))
            if before is not None:
                moved = before.execute("SELECT ?, at, topic, payload FROM event ORDER BY seq", (self.epoch,))
                db.executemany("INSERT INTO event (epoch, at, topic, payload) VALUES (?, ?, ?, ?)", moved)
        if before is not None:
            before.close()
        self._rows, self._bytes = db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM event").fetchone()
        self.forget_sent()

    def _read(self, where: str, value: int, most: int) -> list[Row]:
        sql = f"SELECT seq, epoch, at, topic, payload FROM event WHERE {where} ORDER BY seq LIMIT ?"  # noqa: S608
        found = self.file.attempt("be read", lambda db: db.execute(sql, (value, most)).fetchall())
        return [Row(*row) for row in found or []]

    def _give_up(self) -> int:
        """The oldest hundredth goes: not one at a time, each would be a commit more. Gives how many went."""
        oldest = "SELECT seq FROM event ORDER BY seq LIMIT ?"
        sql = f"DELETE FROM event WHERE seq IN ({oldest}) RETURNING seq, length(payload)"  # noqa: S608

        def delete(db: sqlite3.Connection) -> list[tuple[int, int]]:
            with Transaction(db):
                return db.execute(sql, (max(1, self._rows // 100),)).fetchall()

        gone = self.file.attempt("give up the oldest", delete) or []
        self._forget(gone)
        self.dropped += len(gone)
        return len(gone)

    def _late(self, seq: int, now: float) -> bool:
        return now - self._sent[seq] >= AGAIN

    def _forget(self, gone: list[tuple[int, int]]) -> None:
        for seq, size in gone:
            self._sent.pop(seq, None)
            self._rows -= 1
            self._bytes -= size
