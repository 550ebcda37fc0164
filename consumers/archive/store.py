"""Rows into the database: one transaction per batch, tried again until it is in, whatever the database does.

Three kinds of failure: the database is away, busy or not migrated (wait and try again, nothing is lost), a row
that it will never take (a dead letter, in the same transaction), and a mistake of ours (not caught here).
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Insert, Table, insert
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.chain import journal
from consumers.archive.chain.links import CHAINED
from consumers.archive.file_size import free_bytes
from consumers.archive.rollups import HOLD
from consumers.archive.rows import Entry, dead
from runtime.database import LOG_KEPT, Unmigrated, check_schema, code, describe, missing, unreachable, writing
from runtime.database_file import DatabaseFile
from schemas.tables import dead_letter, dirty, telemetry
from schemas.troubles import Trouble
from schemas.units import utc_now

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
PATIENCE = 4.0
"""Seconds a stop signal waits for a running commit; the supervisor's patience is 5."""

LEAST_ROOM = 2 * LOG_KEPT
"""Bytes that must be left on the disk: to forget is to write into the log first, and the log goes into the file."""

_NEVER_TAKEN = {1292, 1366, 4025}
"""MariaDB's words for a value that fits no column, which asyncmy does not sort under DataError: wrong datetime,
wrong string, failed check."""


@dataclass(frozen=True)
class Kept:
    """What became of a batch, by table: rows that are new, and rows that were there already."""

    new: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)


class Replaced(Trouble):
    """The file was deleted or replaced under us: what was committed is in no file that anybody will read."""


class NoRoom(Trouble):
    """The disk is nearly full. What is left is for upkeep: where nothing fits, nothing old can be forgotten either."""


class Store:
    """Writes batches. `tell` is called with words when the database is lost, and with none when it is back."""

    def __init__(self, engine: AsyncEngine, tell: Callable[[str], None]) -> None:
        self.engine, self.tell = engine, tell
        self.trouble = ""
        self.away = False
        """The trouble is that it cannot be reached, or fails: not that it is full, or not migrated, or another one."""
        self.replaced = 0
        """How often the file was."""
        self._current = self._unmigrated = False
        self._file = DatabaseFile(engine)
        self._may_make = False
        """A file that is not there was there before, on this disk: a new one is made."""
        self._turn = random.getrandbits(62)
        self._marked: set[tuple[str, str, datetime]] = set()
        self._writing = asyncio.Lock()

    async def open(self, patience: float = math.inf) -> None:
        """Returns when the database is there and has the newest migration.

        Raises Trouble when it cannot be reached for `patience` seconds. A migration is waited for: it was said what to
        run, and meanwhile the broker keeps everything for us.
        """
        try:
            async with asyncio.timeout(None if patience == math.inf else patience) as limit:
                await self._persist(lambda: self._look(limit))
        except TimeoutError:
            raise Trouble(self.trouble or str(f"the database {self._where} does not answer")) from None

    async def next_turn(self) -> int:
        """From now on minutes are marked with a new number; all with an older one are committed."""
        async with self._writing:
            self._turn = random.getrandbits(62)
            self._marked = set()
            return self._turn

    async def keep(self, entries: list[Entry]) -> Kept:
        """Returns when all rows are committed, however long that takes."""
        async with self._writing:
            return await self._persist(lambda: self._attempt(entries))

    async def _persist(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        wait, patient = FIRST_WAIT, True
        while True:
            try:
                done = await finish(attempt())
            except (SQLAlchemyError, OSError, Trouble) as wrong:
                if not patient or isinstance(wrong, Trouble):  # a deadlock or a cut connection is no news
                    self._say(wrong)
                patient = False
            else:
                self._say(None)
                return done
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_WAIT)

    def _say(self, wrong: Exception | None) -> None:
        if wrong is not None and missing(wrong):
            self._current = False
        words = str(wrong if isinstance(wrong, Trouble) else unreachable(self._where, wrong)) if wrong else ""
        migrates = self._unmigrated and isinstance(wrong, Unmigrated)  # a migration passes through older ones: no news
        self._unmigrated = isinstance(wrong, Unmigrated)
        self.away = wrong is not None and not isinstance(wrong, Unmigrated | NoRoom | Replaced)
        if words != self.trouble:
            self.trouble = words
            if not migrates:
                self.tell(words)

    @property
    def _where(self) -> str:
        return describe(str(self.engine.url))

    async def _look(self, limit: asyncio.Timeout) -> None:
        try:
            await self._check()
        except Unmigrated:
            limit.reschedule(None)
            raise

    async def _check(self) -> None:
        try:
            await check_schema(self.engine)
        except Unmigrated:
            if not self._may_make:
                raise
            from consumers.archive.migrate import migrate  # noqa: PLC0415  # loads Alembic, which is seldom needed

            await asyncio.to_thread(migrate, self.engine.url.render_as_string(hide_password=False))
            await check_schema(self.engine)
        self._file.note()
        self._current, self._may_make = True, False

    async def _attempt(self, entries: list[Entry]) -> Kept:
        if not self._current:
            await self._check()
        await self._leave_if_replaced()
        await self._look_for_room()
        kept, letters = Kept(), list[Entry]()
        marks = minutes(entries) - self._marked
        async with writing(self.engine) as connection:
            for table, some in by_table(entries):
                news = await journal.unknown(connection, table, some) if table.name in CHAINED else some
                new, refused = await _write(connection, table, news)
                if table.name in CHAINED:
                    bad = {entry.key for entry, _ in refused}
                    await journal.chain(connection, [one for one in news if one.key not in bad])
                kept.new[table.name] += new
                kept.known[table.name] += len(some) - new - len(refused)
                letters += [dead(entry.heard, reason, utc_now()) for entry, reason in refused]
            if letters:
                await _write(connection, dead_letter, letters)
                kept.new[dead_letter.name] += len(letters)
            if marks:
                rows = [
                    {"site": site, "device": device, "span": 60, "at": at, "turn": self._turn}
                    for site, device, at in sorted(marks)
                ]
                await connection.execute(upsert(dirty, connection.dialect.name), rows)
        await self._leave_if_replaced()
        self._marked |= marks
        return kept

    async def _look_for_room(self) -> None:
        """On the disk, and in the file's own pages."""
        if self._file.room() < LEAST_ROOM and self._file.room() + await free_bytes(self.engine) < LEAST_ROOM:
            raise NoRoom(
                f"the disk of the database {self._where} has less than {LEAST_ROOM / 1e6:.0f} MB left, and these are "
                "kept for forgetting what is too old: make room, or shorten `retention` in the site file"
            )

    async def _leave_if_replaced(self) -> None:
        """Raises Replaced when nobody will read what was committed: it is stored again, in the file that is there."""
        if not self._file.changed():
            return
        self.replaced += 1
        self._current, self._may_make = False, self._file.on_the_same_disk()
        self._marked = set()
        await self.engine.dispose()
        raise Replaced(f"the file of the database {self._where} was deleted or replaced while it was written to")


def minutes(entries: list[Entry]) -> set[tuple[str, str, datetime]]:
    """The minutes whose rollups are changed by some rows: a value holds into the minute after its own."""
    found = {
        (entry.row["site"], entry.row["device"], entry.row["at"].replace(second=0, microsecond=0))
        for entry in entries
        if entry.table is telemetry
    }
    return found | {(site, device, at + timedelta(seconds=HOLD)) for site, device, at in found}


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Something that must not be cut off: a cancellation waits until it is done.

    Cancelled is not rolled back: 55 of 57 commits that were cancelled had happened.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=PATIENCE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


def poisonous(wrong: Exception) -> bool:
    """Whether the database will never take a row, however often it is asked.

    In doubt it is not: a dead letter keeps 4 kB of a payload, waiting keeps all of it.
    """
    if isinstance(wrong, DBAPIError):
        return isinstance(wrong, DataError | IntegrityError) or code(wrong) in _NEVER_TAKEN
    cause = wrong.orig if isinstance(wrong, StatementError) else wrong
    return isinstance(cause, ValueError | OverflowError)  # the driver itself cannot write such a value


def by_table(entries: list[Entry]) -> list[tuple[Table, list[Entry]]]:
    """Entries are sorted by table already."""
    groups = groupby(entries, key=lambda entry: entry.table.name)
    return [(some[0].table, some) for some in (list(group) for _, group in groups)]


@lru_cache
def upsert(table: Table, dialect: str) -> Insert:
    """Insert what is not there yet. INSERT IGNORE would also clip numbers and turn letters into zeros."""
    if table is dead_letter:
        return insert(table)
    keys = list(table.primary_key)
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=keys)
    return mysql.insert(table).on_duplicate_key_update({keys[0].name: keys[0]})


async def _write(
    connection: AsyncConnection, table: Table, entries: list[Entry]
) -> tuple[int, list[tuple[Entry, str]]]:
    """Write all rows but those the database will never take: how many are new, and what was refused and why.

    Finds each refused row in about log2(n) statements, and each of them writes what is good.
    """
    new, refused, start = 0, list[tuple[Entry, str]](), 0
    while start < len(entries):
        count, reason = await _try(connection, table, entries[start:])
        new += count
        if not reason:
            break
        low, high = start, len(entries)  # the first bad row is one of these
        while high - low > 1:
            middle = (low + high) // 2
            count, why = await _try(connection, table, entries[low:middle])
            new += count
            low, high, reason = (low, middle, why) if why else (middle, high, reason)
        refused.append((entries[low], reason))
        start = low + 1
    return new, refused


async def _try(connection: AsyncConnection, table: Table, entries: list[Entry]) -> tuple[int, str]:
    """How many rows are new, or why the database will not take them: then none is written."""
    savepoint = await connection.begin_nested()
    try:
        rows = [entry.row for entry in entries]
        done = await connection.execute(upsert(table, connection.dialect.name), rows)
    except Exception as wrong:
        if not poisonous(wrong):
            raise  # and with it all that the transaction did: after a deadlock the savepoint is gone, too
        await savepoint.rollback()
        return 0, f"{type(wrong).__name__}: {getattr(wrong, 'orig', None) or wrong}"
    await savepoint.commit()
    return max(0, done.rowcount), ""
