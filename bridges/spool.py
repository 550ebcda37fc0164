"""The outbox: each sample is kept on disk until the archive says that it is committed.

A PUBACK is not durability: a broker that dies forgets what it acknowledged. So a row leaves only when its range
was confirmed, and is sent again when the confirmation does not come. A lost confirmation costs a duplicate,
which the archive's key absorbs.
"""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from schemas.messages import Telemetry
from schemas.troubles import Trouble

AGAIN = 10.0
"""Seconds without a confirmation after which a row is sent again."""

Key = tuple[str, str, int]
"""(epoch, device, seq)"""

_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    epoch TEXT, device TEXT, seq INTEGER, at REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (epoch, device, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON outbox (at);
CREATE TABLE IF NOT EXISTS counter (device TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS life (epoch TEXT NOT NULL, boot TEXT NOT NULL);
"""


@dataclass
class Spool:
    """Samples on their way. `now` is the monotonic clock."""

    path: Path
    most_rows: int = 2_000_000
    dropped: int = 0
    """Oldest rows given up because the outbox was full."""
    epoch: str = ""
    _sent: dict[Key, float] = field(default_factory=dict)
    _rows: int = 0
    _seq: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing with NORMAL; a power cut may take the last moments, see _epoch.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as wrong:
            raise Trouble(f"the outbox {self.path} cannot be used: {wrong}") from wrong
        self.epoch = self._epoch()
        self._seq = dict(self._db.execute("SELECT device, seq FROM counter"))
        self._rows = int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def _epoch(self) -> str:
        """A new one with a new file, and after a restart of the machine: a power cut may have taken the last
        sequence numbers back, and no two samples may ever share an identity."""
        boot = _boot()
        row = self._db.execute("SELECT epoch, boot FROM life").fetchone()
        if row and row[1] == boot:
            return str(row[0])
        epoch = secrets.token_hex(8)
        with self._transaction():
            self._db.execute("DELETE FROM life")
            self._db.execute("DELETE FROM counter")
            self._db.execute("INSERT INTO life VALUES (?, ?)", (epoch, boot))
        return epoch

    def __len__(self) -> int:
        return self._rows

    def next(self, device: str) -> int:
        """The sequence number of the device's next sample."""
        return self._seq.get(device, 0) + 1

    def keep(self, device: str, sample: Telemetry) -> bytes:
        """Write a sample down and give its payload. Raises sqlite3.Error when the disk is full."""
        body = sample.model_dump_json().encode()
        with self._transaction():
            self._db.execute(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)",
                (sample.epoch, device, sample.seq, sample.at.timestamp(), body),
            )
            self._db.execute(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET seq = excluded.seq",
                (device, sample.seq),
            )
            if self._rows >= self.most_rows:
                self._drop(self._rows - self.most_rows + 1)
        self._seq[device] = sample.seq
        self._rows += 1
        return body

    def sent(self, key: Key, now: float) -> None:
        """A sample went to the broker at `now`; it is not sent again before AGAIN seconds."""
        self._sent[key] = now

    def backlog(self, now: float, most: int = 200) -> list[tuple[Key, bytes]]:
        """The oldest samples that were not sent, or not confirmed in time."""
        found: list[tuple[Key, bytes]] = []
        rows = self._db.execute(
            "SELECT epoch, device, seq, body FROM outbox ORDER BY at LIMIT ?", (most + len(self._sent),)
        )
        for epoch, device, seq, body in rows:
            key = (epoch, device, seq)
            if now - self._sent.get(key, -AGAIN) >= AGAIN:
                found.append((key, body))
                if len(found) == most:
                    break
        return found

    def confirm(self, device: str, epoch: str, ranges: Iterable[tuple[int, int]]) -> int:
        """The archive has these: forget them. Gives how many that were."""
        gone = 0
        with self._transaction():
            for first, last in ranges:
                where = (epoch, device, first, last)
                sql = "DELETE FROM outbox WHERE epoch = ? AND device = ? AND seq BETWEEN ? AND ?"
                gone += self._db.execute(sql, where).rowcount
        self._rows -= gone
        for key in [k for k in self._sent if k[0] == epoch and k[1] == device and _within(k[2], ranges)]:
            del self._sent[key]
        return gone

    def forget_sent(self) -> None:
        """The connection is new: whatever was on its way may be lost."""
        self._sent.clear()

    def close(self) -> None:
        self._db.close()

    def _drop(self, rows: int) -> None:
        # On a full disk SQLite in WAL mode cannot even delete: the cap stays well below it.
        gone = self._db.execute(
            "DELETE FROM outbox WHERE (epoch, device, seq) IN"
            " (SELECT epoch, device, seq FROM outbox ORDER BY at LIMIT ?)",
            (rows,),
        ).rowcount
        self._rows -= gone
        self.dropped += gone

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, wrong: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _within(seq: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= seq <= last for first, last in ranges)


def _boot() -> str:
    """Names this run of the machine; where the system does not tell, each start of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{os.getpid()}-{time.time()}"
