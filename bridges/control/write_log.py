"""What was written to registers that wear out, kept on disk: a bridge that restarts all the time has no new budget.

Times are of the wall clock, for no other one outlives the process. A row is there before its write: who dies in between
has counted one too many.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bridges.control.write_budget import DAY
from schemas.troubles import Trouble


@dataclass
class WriteLog:
    """The writes of the last day, in a file of the bridge's state folder."""

    path: Path

    def __post_init__(self) -> None:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS write (device TEXT, point TEXT, at REAL NOT NULL)")
        except sqlite3.Error as wrong:
            raise Trouble(f"the write counter {self.path} cannot be used: {wrong}") from wrong

    def ages(self, device: str, point: str, wall: float) -> list[float]:
        """How many seconds ago each write was, the oldest first. One from ahead of the clock is as young as can be."""
        self._db.execute("DELETE FROM write WHERE at < ?", (wall - DAY,))
        sql = "SELECT at FROM write WHERE device = ? AND point = ? ORDER BY at"
        return sorted((max(0.0, wall - at) for (at,) in self._db.execute(sql, (device, point))), reverse=True)

    def note(self, device: str, point: str, wall: float) -> int:
        """It is about to be written; gives the row. Raises sqlite3.Error when the disk is full."""
        row = self._db.execute("INSERT INTO write VALUES (?, ?, ?)", (device, point, wall)).lastrowid
        return row or 0

    def retract(self, row: int) -> None:
        """It was not written: the register held the value already."""
        self._db.execute("DELETE FROM write WHERE rowid = ?", (row,))

    def close(self) -> None:
        self._db.close()
