"""The record of alarms as it was left, damaged or not: what can be read of it is read."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from pydantic import ValidationError

from runtime.kept import damaged
from schemas.messages import Alarm

_SMALLEST = 100
"""Bytes of an alarm in the file at the least: there are no more slots than that leaves room for."""

Row = tuple[object, object]


def read_rows(path: Path) -> tuple[dict[str, Alarm], str, str]:
    """The alarms; how the file is damaged, in words, if it is; why it cannot be read at all, if it cannot."""
    if not path.exists():
        return {}, "", ""
    try:
        rows, damage = _look(path)
    except (sqlite3.Error, OSError) as wrong:
        return {}, "", f"{path} cannot be read: {wrong}"
    alarms = parsed(rows)
    if not damage and len(alarms) < len(rows):
        damage = f"{len(rows) - len(alarms)} of {len(rows)} alarms cannot be read"
    return alarms, damage, ""


def parsed(rows: Iterable[Row]) -> dict[str, Alarm]:
    """Those that can be read."""
    alarms: dict[str, Alarm] = {}
    for name, said in rows:
        with suppress(ValidationError):
            if isinstance(name, str) and isinstance(said, bytes):
                alarms[name] = Alarm.model_validate_json(said)
    return alarms


def _look(path: Path) -> tuple[list[Row], str]:
    """On a disk that is read-only SQLite reads nothing that was in its log: then a copy is read."""
    try:
        return _rows(path)
    except sqlite3.Error:
        with tempfile.TemporaryDirectory(prefix="joulebus-") as folder:
            copy = Path(folder) / path.name
            for end in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(path.with_name(path.name + end), copy.with_name(copy.name + end))
            return _rows(copy)


def _rows(path: Path) -> tuple[list[Row], str]:
    """Raises sqlite3.Error when it is not the file's contents that stand in the way."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=1)) as db:
        try:
            return db.execute("SELECT name, said FROM alarm").fetchall(), ""
        except sqlite3.Error as wrong:
            if not damaged(wrong):
                raise
            return [*_each(db, path)], str(wrong)


def _each(db: sqlite3.Connection, path: Path) -> Iterator[Row]:
    """Slot by slot: a page that is damaged takes no other with it, unless it is the one that leads to them."""
    sizes = [path.with_name(path.name + end) for end in ("", "-wal")]
    room = sum(one.stat().st_size for one in sizes if one.is_file()) // _SMALLEST
    for slot in range(room):
        with suppress(sqlite3.Error):
            row = db.execute("SELECT name, said FROM alarm WHERE slot = ?", (slot,)).fetchone()
            if row is not None:
                yield row
