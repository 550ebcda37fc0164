"""The outbox: each sample is kept on disk until the archive says that it is committed.

A PUBACK is not durability: a broker that dies forgets what it acknowledged. So a row leaves only when its range
was confirmed, and is sent again when the confirmation does not come. A lost confirmation costs a duplicate,
which the archive's key absorbs.

Nothing raises for the file's sake: a damaged one is set aside and a new one begins, and where none can be had the
samples wait in memory. `trouble` says so.
"""

import contextlib
import secrets
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bridges.telemetry import outbox_rows
from bridges.telemetry.given_up import GivenUp
from bridges.telemetry.outbox_rows import TABLES, Gone, Key, Row
from runtime.kept import Transaction, damaged
from runtime.kept_file import KeptFile
from runtime.single import Lock, lock_folder
from schemas.troubles import Trouble

AGAIN = 10.0
"""Seconds without a confirmation after which a row is sent again."""

OVERHEAD = 150
"""Bytes a row costs on the disk beside its body: key, index, share of a page."""

MOST_IN_MEMORY = 50_000_000
"""Bytes that may wait where there is no file for them."""

UNSERVED = 30 * 86_400.0
"""Seconds for which a sample of a name that the bridge has no more is offered to the archive."""

SHARE = 2000
"""Rows that move from one file to the next without the readings waiting for it."""


@dataclass
class Outbox:
    """Samples on their way. `now` is the monotonic clock. Raises Trouble when another process uses the file."""

    path: Path
    most_rows: int = 2_000_000
    most_bytes: int = 2_000_000_000
    """And never more than half of what the disk has left when the bridge starts."""
    epoch: str = ""
    lost: int = 0
    """Samples that went with a damaged file; how many one held that was damaged before we began nobody knows."""
    given_up: GivenUp = field(default_factory=GivenUp)
    _served: frozenset[str] | None = None
    _sent: dict[Key, float] = field(default_factory=dict)
    """When each row went out last, the oldest first."""
    _place: float = float("-inf")
    """How far the backlog was read: what is on its way is not read again and again."""
    _turned: float = 0.0
    waiting: Counter[str] = field(default_factory=Counter)
    """Rows that wait, by device."""
    _bytes: int = 0
    _seq: dict[str, int] = field(default_factory=dict)
    _left: list[tuple[sqlite3.Connection, Iterator[Row]]] = field(default_factory=list)
    """What was used before: its rows move over."""
    _moving: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cap, self._lock = self.most_bytes, self._alone()
        self.file = KeptFile("the outbox", self.path, TABLES, self._use)

    def _alone(self) -> Lock | None:
        try:
            lock = lock_folder(self.path.parent, self.path.name)
        except OSError:
            return None  # where no file can be made none is shared
        if lock is None:
            raise Trouble(f"the outbox {self.path} is used by another process, and no two may number its samples")
        return lock

    def _use(self, db: sqlite3.Connection, before: sqlite3.Connection | None) -> None:
        """Go on where this file stands."""
        amounts, epoch = outbox_rows.amounts(db), outbox_rows.epoch_of(db)
        counters = outbox_rows.counters(db) if epoch else {}
        self.given_up.read(db)
        try:
            with Transaction(db):
                self.given_up.write(db)
            if self._served is not None:
                outbox_rows.write_served(db, self._served)
            if epoch is None:
                epoch = secrets.token_hex(8)
                outbox_rows.begin_epoch(db, epoch)
        except sqlite3.Error as wrong:
            if damaged(wrong):
                raise
            # A full disk: what it holds can be sent all the same, and no other ever had this epoch.
            epoch = epoch or secrets.token_hex(8)
        if before is None:
            self.lost += len(self)
        else:
            self._left.append((before, outbox_rows.oldest_first(before)))
        self.epoch, self._seq = epoch, counters
        self.waiting = Counter({device: rows for device, (rows, _) in amounts.items()})
        self._bytes = sum(size + rows * OVERHEAD for rows, size in amounts.values())
        self.most_bytes = self._room(db)
        self.forget_sent()

    def _room(self, db: sqlite3.Connection) -> int:
        """Bytes that may wait."""
        if not db.execute("PRAGMA database_list").fetchone()[2]:
            return min(self._cap, MOST_IN_MEMORY)
        return min(self._cap, self._bytes + shutil.disk_usage(self.path.parent).free // 2)

    @property
    def trouble(self) -> str:
        """What is wrong with its file, in words for people; empty when nothing is."""
        return self.file.trouble

    @property
    def dropped(self) -> int:
        """Samples given up: the outbox was full, or nobody took them."""
        return self.given_up.samples.total()

    @property
    def dropped_hours(self) -> dict[str, list[tuple[int, int]]]:
        """By device, the hours since 1970 of which samples were given up: first and last of each stretch."""
        return self.given_up.hours

    def __len__(self) -> int:
        return self.waiting.total()

    # what waits --------------------------------------------------------------------------------

    def next(self, device: str) -> int:
        """The sequence number of the device's next sample; each is given once."""
        self._seq[device] = self._seq.get(device, 0) + 1
        return self._seq[device]

    def keep(self, rows: Sequence[Row], *, sent: bool = False) -> bool:
        """Write samples down, all or none. False when that cannot be, as on a full disk: their numbers are then free.

        `sent`: they go to the broker right after.
        """
        if not self.file.attempt("keep samples", lambda db: outbox_rows.insert(db, rows, self.epoch, sent=sent)):
            for epoch, device, seq in [row.key for row in rows]:
                if epoch == self.epoch:
                    self._seq[device] = min(self._seq.get(device, seq), seq - 1)
            return False
        self.waiting.update(row.key[1] for row in rows)
        self._bytes += sum(len(row.body) + OVERHEAD for row in rows)
        if len(self) > self.most_rows or self._bytes > self.most_bytes:
            self._give_up(lambda db: outbox_rows.delete(db, self._past_the_cap(db)))
        return True

    def sent(self, key: Key, now: float) -> None:
        """A sample went to the broker at `now`; it is not sent again before AGAIN seconds."""
        self._sent.pop(key, None)
        self._sent[key] = now

    def backlog(self, now: float, most: int = 200) -> list[Row]:
        """The oldest samples that were not sent, or not confirmed in time."""
        if len(self) <= len(self._sent) and now - next(iter(self._sent.values()), now) < AGAIN:
            return []
        if now - self._turned >= AGAIN:
            self._turned, self._place = now, float("-inf")
        found = self.file.attempt("be read", lambda db: self._due(db, now, most)) or []
        whole = [row for row in found if row.is_whole]
        if len(whole) < len(found):
            self._discard([row.key for row in found if not row.is_whole])
        self._place = whole[-1].at if whole and len(found) == most else float("-inf")
        return whole

    def _due(self, db: sqlite3.Connection, now: float, most: int) -> list[Row]:
        with closing(outbox_rows.oldest_first(db, self._place)) as rows:
            return [*islice((row for row in rows if now - self._sent.get(row.key, -AGAIN) >= AGAIN), most)]

    def mark_sent(self, rows: Sequence[Row]) -> None:
        """For those who look at the file from outside."""
        if rows:
            self.file.attempt("be written", lambda db: outbox_rows.mark_sent(db, rows))

    def confirm(self, confirmed: Sequence[tuple[str, str, Iterable[tuple[int, int]]]]) -> int:
        """The archive has these ranges of (device, epoch): forget them. Gives how many that were; on a full disk SQLite
        cannot delete either, and they will be confirmed again."""

        def delete(db: sqlite3.Connection) -> list[Gone]:
            with Transaction(db):
                return [
                    gone
                    for device, epoch, ranges in confirmed
                    for first, last in ranges
                    for gone in outbox_rows.delete_range(db, epoch, device, first, last)
                ]

        return self._forget(self.file.attempt("forget samples", delete))

    def forget_sent(self) -> None:
        """The connection is new: whatever was on its way may be lost."""
        self._sent.clear()
        self._place = float("-inf")

    def oldest(self) -> float | None:
        """When the oldest sample that still waits was taken, in seconds since 1970."""
        at = self.file.attempt("be read", lambda db: db.execute("SELECT min(at) FROM outbox").fetchone()[0])
        return at if isinstance(at, float) and 0 <= at <= outbox_rows.LATEST else None

    def renew(self) -> bool:
        """Begin a new epoch: numbers start at 1 again. False when the disk is full: the old one goes on."""
        epoch = secrets.token_hex(8)
        if not self.file.attempt("be written", lambda db: outbox_rows.begin_epoch(db, epoch)):
            return False
        self.epoch, self._seq = epoch, {}
        return True

    # whose it is -------------------------------------------------------------------------------

    def serve(self, devices: Iterable[str]) -> None:
        """The bridge has these devices now."""
        served = self._served = frozenset(devices)
        self.file.attempt("be written", lambda db: outbox_rows.write_served(db, served))

    def devices(self) -> list[str]:
        """The names whose samples wait, also those the bridge has no more: confirmations come for them, too."""
        return sorted(name for name, count in self.waiting.items() if count > 0)

    def unserved(self) -> list[str]:
        """The names whose samples wait and that the bridge has no more, such as one that was renamed."""
        return [] if self._served is None else [name for name in self.devices() if name not in self._served]

    def give_up_unserved(self, wall: float) -> None:
        """What nobody took for UNSERVED seconds goes, as past the cap. `wall` is in seconds since 1970."""
        for name in self.unserved():
            self._give_up(lambda db, name=name: outbox_rows.delete_before(db, name, wall - UNSERVED))  # type: ignore[misc]

    def _give_up(self, delete: Callable[[sqlite3.Connection], list[Gone]]) -> None:
        def note(db: sqlite3.Connection) -> list[Gone]:
            with Transaction(db):
                gone = delete(db)
                self.given_up.note(db, [(key[1], at) for key, _, at in gone])
            return gone

        gone = self.file.attempt("be written", note) or []
        self.given_up.add([(key[1], at) for key, _, at in gone])
        self._forget(gone)

    def _past_the_cap(self, db: sqlite3.Connection) -> list[Key]:
        """On a full disk SQLite in WAL mode cannot even delete: the cap stays well below it."""
        rows, size = len(self) - self.most_rows, self._bytes - self.most_bytes
        return outbox_rows.past_the_cap(db, rows, size, OVERHEAD)

    def _discard(self, keys: Sequence[Key]) -> None:
        def delete(db: sqlite3.Connection) -> list[Gone]:
            with Transaction(db):
                return outbox_rows.delete(db, keys)

        self.lost += self._forget(self.file.attempt("be written", delete))

    def _forget(self, gone: Sequence[Gone] | None) -> int:
        for key, length, _ in gone or ():
            self._sent.pop(key, None)
            self.waiting[key[1]] -= 1
            self._bytes -= length + OVERHEAD
        return len(gone or ())

    def mend(self) -> None:
        """Have a file again where that became possible; what waited elsewhere moves there, a share in each call."""
        self.file.mend()
        self._move()

    def _move(self) -> bool:
        """Whether it came a step further."""
        if not self._left:
            return False
        if not self._moving:
            with contextlib.suppress(sqlite3.Error):
                self._moving = [*islice(self._left[0][1], SHARE)]
        if self._moving and not self.keep(self._moving):
            return False
        if not self._moving:
            self._left.pop(0)[0].close()
        self._moving = []
        return True

    def checkpoint(self) -> None:
        """For a thread: it waits for the disk. Raises sqlite3.Error."""
        self.file.checkpoint()

    def close(self) -> None:
        while self._move():
            pass
        for db, _ in self._left:
            db.close()
        self.file.close()
        if self._lock is not None:
            self._lock.release()
