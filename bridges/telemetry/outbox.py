"""The outbox: each sample is kept on disk until the archive says that it is committed.

A PUBACK is not durability: a broker that dies forgets what it acknowledged. So a row leaves only when its range
was confirmed, and is sent again when the confirmation does not come. A lost confirmation costs a duplicate,
which the archive's key absorbs.
"""

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from schemas.troubles import Trouble

AGAIN = 10.0
"""Seconds without a confirmation after which a row is sent again."""

OVERHEAD = 150
"""Bytes a row costs on the disk beside its body: key, index, share of a page."""

REMEMBERED = 30 * 24
"""Hours: so long it is remembered of which hours samples were given up. The archive asks no longer."""

Key = tuple[str, str, int]
"""(epoch, device, seq)"""

_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    epoch TEXT, device TEXT, seq INTEGER, at REAL NOT NULL, body BLOB NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (epoch, device, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON outbox (at);
CREATE TABLE IF NOT EXISTS counter (device TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (device TEXT PRIMARY KEY, samples INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped_hour (device TEXT, hour INTEGER, PRIMARY KEY (device, hour)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS life (epoch TEXT NOT NULL, boot TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A sample as it is kept."""

    key: Key
    at: float
    """Seconds since 1970."""
    body: bytes


@dataclass
class Outbox:
    """Samples on their way. `now` is the monotonic clock."""

    path: Path
    most_rows: int = 2_000_000
    most_bytes: int = 2_000_000_000
    """And never more than half of what the disk has left when the bridge starts."""
    dropped: int = 0
    """Oldest rows given up because the outbox was full."""
    dropped_hours: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By device, the hours since 1970 of which rows were given up: first and last of each stretch."""
    epoch: str = ""
    _sent: dict[Key, float] = field(default_factory=dict)
    """When each row went out last, the oldest first."""
    _place: float = 0.0
    """How far the backlog was read: what is on its way is not read again and again."""
    _turned: float = 0.0
    _rows: int = 0
    _bytes: int = 0
    _seq: dict[str, int] = field(default_factory=dict)
    _hours: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing with NORMAL; a power cut may take the last moments, see _first_epoch.
            self._db.execute("PRAGMA synchronous=NORMAL")
            # Only a checkpoint waits for the disk: it is made in a thread, so that a slow disk delays no reading.
            self._db.execute("PRAGMA wal_autocheckpoint=0")
            self._db.executescript(_TABLES)
        except sqlite3.Error as wrong:
            raise Trouble(f"the outbox {self.path} cannot be used: {wrong}") from wrong
        self.epoch = self._first_epoch()
        self._seq = dict(self._db.execute("SELECT device, seq FROM counter"))
        self._rows, self._bytes = self._db.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) + count(*) * ? FROM outbox", (OVERHEAD,)
        ).fetchone()
        self.most_bytes = min(self.most_bytes, self._bytes + shutil.disk_usage(self.path.parent).free // 2)
        self.dropped = self._db.execute("SELECT coalesce(sum(samples), 0) FROM dropped").fetchone()[0]
        self._read_hours()

    def _first_epoch(self) -> str:
        """A new one with a new file, and after a restart of the machine: a power cut may have taken the last
        sequence numbers back, and no two samples may ever share an identity."""
        row = self._db.execute("SELECT epoch, boot FROM life").fetchone()
        return str(row[0]) if row and row[1] == _boot() else self.renew()

    def renew(self) -> str:
        """Begin a new epoch: numbers start at 1 again. Raises sqlite3.Error when the disk is full."""
        epoch = secrets.token_hex(8)
        with _Transaction(self._db):
            self._db.execute("DELETE FROM life")
            self._db.execute("DELETE FROM counter")
            self._db.execute("INSERT INTO life VALUES (?, ?)", (epoch, _boot()))
        self.epoch, self._seq = epoch, {}
        return epoch

    def __len__(self) -> int:
        return self._rows

    def next(self, device: str) -> int:
        """The sequence number of the device's next sample; each is given once."""
        self._seq[device] = self._seq.get(device, 0) + 1
        return self._seq[device]

    def keep(self, rows: Sequence[Row], *, sent: bool = False) -> None:
        """Write samples down, all or none. Raises sqlite3.Error when the disk is full; their numbers are then free.

        `sent`: they go to the broker right after.
        """
        try:
            self._keep(rows, sent)
        except sqlite3.Error:
            for epoch, device, seq in [row.key for row in rows]:
                if epoch == self.epoch:
                    self._seq[device] = min(self._seq[device], seq - 1)
            raise
        self._rows += len(rows)
        self._bytes += sum(len(row.body) + OVERHEAD for row in rows)
        if self._rows > self.most_rows or self._bytes > self.most_bytes:
            self._drop()

    def _keep(self, rows: Sequence[Row], sent: bool) -> None:
        with _Transaction(self._db):
            self._db.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)", [(*row.key, row.at, row.body, sent) for row in rows]
            )
            self._db.executemany(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET seq = excluded.seq",
                [row.key[1:] for row in rows if row.key[0] == self.epoch],
            )

    def sent(self, key: Key, now: float) -> None:
        """A sample went to the broker at `now`; it is not sent again before AGAIN seconds."""
        self._sent.pop(key, None)
        self._sent[key] = now

    def backlog(self, now: float, most: int = 200) -> list[Row]:
        """The oldest samples that were not sent, or not confirmed in time."""
        if self._rows <= len(self._sent) and now - next(iter(self._sent.values()), now) < AGAIN:
            return []
        if now - self._turned >= AGAIN:
            self._turned, self._place = now, 0.0
        found: list[Row] = []
        sql = "SELECT epoch, device, seq, at, body FROM outbox WHERE at >= ? ORDER BY at"
        rows = self._db.execute(sql, (self._place,))
        for epoch, device, seq, at, body in rows:
            key = (epoch, device, seq)
            if now - self._sent.get(key, -AGAIN) >= AGAIN:
                found.append(Row(key, at, body))
                if len(found) == most:
                    break
        rows.close()
        self._place = found[-1].at if len(found) == most else 0.0
        return found

    def mark_sent(self, rows: Sequence[Row]) -> None:
        """For those who look at the file from outside. Raises sqlite3.Error."""
        with _Transaction(self._db):
            sql = "UPDATE outbox SET sent = 1 WHERE epoch = ? AND device = ? AND seq = ? AND sent = 0"
            self._db.executemany(sql, [row.key for row in rows])

    def confirm(self, confirmed: Iterable[tuple[str, str, Iterable[tuple[int, int]]]]) -> int:
        """The archive has these ranges of (device, epoch): forget them. Gives how many that were.

        Raises sqlite3.Error: on a full disk SQLite cannot delete either.
        """
        gone: list[tuple[Key, int]] = []
        sql = (
            "DELETE FROM outbox WHERE epoch = ? AND device = ? AND seq BETWEEN ? AND ?"
            " RETURNING epoch, device, seq, length(body)"
        )
        with _Transaction(self._db):
            for device, epoch, ranges in confirmed:
                for first, last in ranges:
                    gone += [(row[:3], row[3]) for row in self._db.execute(sql, (epoch, device, first, last))]
        self._forget(gone)
        return len(gone)

    def forget_sent(self) -> None:
        """The connection is new: whatever was on its way may be lost."""
        self._sent.clear()
        self._place = 0.0

    def oldest(self) -> float | None:
        """When the oldest sample that still waits was taken, in seconds since 1970."""
        at: float | None = self._db.execute("SELECT min(at) FROM outbox").fetchone()[0]
        return at

    def checkpoint(self) -> None:
        """Move what was written from the log into the file. For a thread: it waits for the disk."""
        with closing(sqlite3.connect(self.path, timeout=0)) as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self._db.close()

    def _drop(self) -> None:
        """The oldest go. On a full disk SQLite in WAL mode cannot even delete: the cap stays well below it."""
        rows, size, gone = self._rows - self.most_rows, self._bytes - self.most_bytes, []
        hours: set[tuple[str, int]] = set()
        oldest = self._db.execute("SELECT epoch, device, seq, length(body), at FROM outbox ORDER BY at")
        for *key, length, at in oldest:
            if rows <= 0 and size <= 0:
                break
            gone.append(((key[0], key[1], key[2]), length))
            hours.add((key[1], int(at // 3600)))
            rows, size = rows - 1, size - length - OVERHEAD
        oldest.close()
        with _Transaction(self._db):
            sql = "DELETE FROM outbox WHERE epoch = ? AND device = ? AND seq = ?"
            self._db.executemany(sql, [key for key, _ in gone])
            sql = "INSERT INTO dropped VALUES (?, 1) ON CONFLICT (device) DO UPDATE SET samples = samples + 1"
            self._db.executemany(sql, [(key[1],) for key, _ in gone])
            if fresh := hours - self._hours:
                self._db.executemany("INSERT INTO dropped_hour VALUES (?, ?)", sorted(fresh))
                oldest_hour = max(hour for _, hour in fresh) - REMEMBERED
                self._db.execute("DELETE FROM dropped_hour WHERE hour < ?", (oldest_hour,))
        self.dropped += len(gone)
        self._forget(gone)
        if fresh:
            self._read_hours()

    def _read_hours(self) -> None:
        found: dict[str, list[tuple[int, int]]] = {}
        self._hours = set(self._db.execute("SELECT device, hour FROM dropped_hour"))
        for device, hour in sorted(self._hours):
            known = found.setdefault(device, [])
            if known and known[-1][1] == hour - 1:
                known[-1] = (known[-1][0], hour)
            else:
                known.append((hour, hour))
        self.dropped_hours = found

    def _forget(self, gone: Iterable[tuple[Key, int]]) -> None:
        for key, length in gone:
            self._sent.pop(key, None)
            self._rows -= 1
            self._bytes -= length + OVERHEAD


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, wrong: object, trace: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:  # a full disk rolls back by itself
            self._db.execute("ROLLBACK")


def _boot() -> str:
    """Names this run of the machine; where the system does not tell, each start of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{os.getpid()}-{time.time()}"
