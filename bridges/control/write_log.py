"""What was written to registers that wear out, kept on disk: a bridge that restarts all the time has no new budget.

Times are of the wall clock, for no other one outlives the process. A row is there before its write: who dies in between
has counted one too many. A damaged file is set aside: nobody knows then what was written, so the day counts as used.
"""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from bridges.control.write_budget import DAY
from runtime.kept_file import KeptFile

_TABLES = "CREATE TABLE IF NOT EXISTS write (device TEXT, point TEXT, at REAL NOT NULL)"
_INSERT = "INSERT INTO write VALUES (?, ?, ?)"


@dataclass
class WriteLog:
    """The writes of the last day, in a file of the bridge's state folder."""

    path: Path
    file: KeptFile = field(init=False)

    def __post_init__(self) -> None:
        self.file = KeptFile("the write log", self.path, _TABLES, _move)

    @property
    def trouble(self) -> str:
        """In words for people; empty when all is well."""
        return self.file.trouble

    @property
    def known(self) -> bool:
        """Whether it tells what was written before this bridge began."""
        return self.file.on_disk and not self.file.aside

    def ages(self, device: str, point: str, wall: float) -> list[float]:
        """How many seconds ago each write was, the oldest first. One from ahead of the clock is as young as can be."""

        def read(db: sqlite3.Connection) -> list[float]:
            db.execute("DELETE FROM write WHERE at < ?", (wall - DAY,))
            sql = "SELECT at FROM write WHERE device = ? AND point = ? ORDER BY at"
            return sorted((max(0.0, wall - at) for (at,) in db.execute(sql, (device, point))), reverse=True)

        return self.file.attempt("be read", read) or []

    def note(self, device: str, point: str, wall: float) -> int | None:
        """It is about to be written; gives the row, None where it could not be kept."""
        row = (device, point, wall)
        return self.file.attempt(
            "be written", lambda db: db.execute("INSERT INTO write VALUES (?, ?, ?)", row).lastrowid
        )

    def retract(self, row: int) -> None:
        """It was not written: the register held the value already."""
        self.file.attempt("be written", lambda db: db.execute("DELETE FROM write WHERE rowid = ?", (row,)))

    def close(self) -> None:
        self.file.close()


def _move(db: sqlite3.Connection, before: sqlite3.Connection | None) -> None:
    """What was kept in memory while there was no file moves into it."""
    if before is None:
        return
    db.executemany(
        "INSERT INTO write VALUES (?, ?, ?)", before.execute("SELECT device, point, at FROM write").fetchall()
    )
    before.close()
