"""The SQLite files that a part keeps between its runs. One that is damaged is set aside and begun anew: no file is
worth more than a part that guards."""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

ASIDE = ".damaged-"
"""Between the name of a file that was set aside and the time of it."""

MOST_ASIDE = 3
"""So many of one name are kept for who wants to look: a disk that fails must not be filled up with them."""

Columns = list[tuple[str, str, int, int]]
"""Name, type, NOT NULL and place in the key."""

_DAMAGE = frozenset({
    sqlite3.SQLITE_ERROR,  # no such table, no such column: the tables are others than ours
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CONSTRAINT,  # a key that only we give is there already
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_NOTADB,
})  # fmt: skip
_DAMAGED_ON_DISK = frozenset({
    sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_CORRUPTFS,
})  # fmt: skip


class Transaction:
    """`with` it all is written, or nothing. Raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, wrong: object, trace: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:  # a full disk rolls back by itself
            self._db.execute("ROLLBACK")


def open_or_set_aside(path: Path, tables: str, *, durable: bool = False) -> tuple[sqlite3.Connection, str]:
    """Open a file with these tables (`CREATE TABLE IF NOT EXISTS ...`); make it where there is none.

    `durable`: a commit is on the disk when it returns. Make it in a thread, as it waits for the disk; in one at a time.

    One that is no database, is damaged, or has other tables is set aside with its `-wal` and `-shm`: the second value
    then says where to, and why. It is empty otherwise. Raises sqlite3.Error where no file can be had: no folder, no
    right to write, a full disk.
    """
    try:
        return _open(path, tables, durable=durable), ""
    except sqlite3.Error as wrong:
        if not damaged(wrong) and not path.is_dir():  # Docker makes a folder of a file that was not there to be mounted
            raise
        aside = _set_aside(path)
        return _open(path, tables, durable=durable), f"{path} was damaged ({wrong}) and is kept as {aside.name}"


def begin_anew(path: Path, tables: str, why: object, *, durable: bool = False) -> tuple[sqlite3.Connection, str]:
    """The same for a file whose damage shows while it is used; close it first. Raises sqlite3.Error."""
    if not path.exists():
        return open_or_set_aside(path, tables, durable=durable)
    aside = _set_aside(path)
    return _open(path, tables, durable=durable), f"{path} was damaged ({why}) and is kept as {aside.name}"


def in_memory(tables: str, *, durable: bool = False) -> sqlite3.Connection:
    """The same tables where no file can be had: they end with the process."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=not durable)
    db.executescript(tables)
    return db


def damaged(wrong: sqlite3.Error) -> bool:
    """Whether the file is to blame. A full, locked or read-only one is whole."""
    if isinstance(wrong, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return False
    code: int | None = getattr(wrong, "sqlite_errorcode", None)
    # without a code: text that is no UTF-8, or what _compare has found
    return code is None or code & 0xFF in _DAMAGE or code in _DAMAGED_ON_DISK


def _open(path: Path, tables: str, *, durable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=1, check_same_thread=not durable)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing with NORMAL; a power cut may take the last moments.
        db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        _compare(db, tables, made=False)
        db.executescript(tables)
        _compare(db, tables, made=True)
    except BaseException:
        db.close()
        raise
    return db


def _compare(db: sqlite3.Connection, tables: str, *, made: bool) -> None:
    """Raises sqlite3.DatabaseError for a table of ours with other columns, and for a file of somebody else."""
    with contextlib.closing(in_memory(tables)) as ours:
        wanted = _columns(ours)
    there = _columns(db)
    for name in wanted.keys() & there.keys():
        if wanted[name] != there[name]:
            raise sqlite3.DatabaseError(f"its table {name} has other columns")
    if there and not wanted.keys() & there.keys():
        raise sqlite3.DatabaseError(f"it holds something else: {', '.join(sorted(there))}")
    if made and (missing := wanted.keys() - there.keys()):
        raise sqlite3.DatabaseError(f"it has no table {', '.join(sorted(missing))}")


def _columns(db: sqlite3.Connection) -> dict[str, Columns]:
    names = db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
    sql = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'
    return {name: db.execute(sql, (name,)).fetchall() for (name,) in names.fetchall()}


def _set_aside(path: Path) -> Path:
    """The file and what belongs to it get another name. Raises sqlite3.OperationalError where that cannot be."""
    aside = path.with_name(f"{path.name}{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        for end in ("-shm", "-wal", ""):
            if (one := path.with_name(path.name + end)).exists():
                one.rename(aside.with_name(aside.name + end))
    except OSError as wrong:
        raise sqlite3.OperationalError(f"{path} is damaged and cannot be set aside: {wrong}") from wrong
    _thin_out(path)
    return aside


def _thin_out(path: Path) -> None:
    whole = sorted(one for one in path.parent.glob(f"{path.name}{ASIDE}*Z") if one.is_file())
    for old in whole[:-MOST_ASIDE]:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                old.with_name(old.name + end).unlink()
