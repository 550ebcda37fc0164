"""What is not normal, on our own disk: a broker that dies forgets the last seconds it has confirmed, and more."""

import heapq
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from consumers.alarms.former_record import is_newer, read_former, set_former_aside
from consumers.alarms.in_force import together
from consumers.alarms.salvage import parsed, read_rows
from runtime.kept import Transaction
from runtime.kept_file import KeptFile
from schemas.messages import Alarm, AlarmState

_TABLES = "CREATE TABLE IF NOT EXISTS alarm (slot INTEGER PRIMARY KEY, name TEXT NOT NULL, said BLOB NOT NULL);"
"""Without an index on the name: one page less to write for each change. Slots lie close together, so that a file that
is damaged can be read slot by slot."""

_LOG = 1_000_000
"""Bytes of the log from which on it is moved into the file. The first commit behind that waits for the disk twice."""


class Record:
    """A SQLite file with the alarms that are not normal. A change is on the disk before the broker is told.

    `open` first. What waits for the disk is for a thread: `write`, `replace` and `upkeep`. Nothing here raises for the
    file's sake: it tells what is wrong, and what could not be written is written with the next change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: KeptFile | None = None
        self._said: dict[str, bytes] = {}
        """What the file should hold."""
        self._behind: set[str] = set()
        """Names of which the file holds something else."""
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._damage = ""
        """Of the file that is there: it is set aside when it is opened."""
        self._aside = ""
        self._seen = False
        """Whether it is known what stood in the file: a disk may come late, with the record of the run before."""
        self._over: set[str] = set()
        """What was over before that."""
        self._found: dict[str, Alarm] = {}
        """What stood there, not taken yet."""
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._said)

    def open(self) -> tuple[dict[str, Alarm], str]:
        """The alarms of the run before, and what is wrong with their file. A damaged one is set aside; what can be read
        of it holds. What the version before kept is taken over once; what it wrote since we did holds alone."""
        with self._turn:
            newer = is_newer(self.path)
            alarms, self._damage, unread = read_rows(self.path)
            former, trouble = read_former(self.path)
            if former is not None:
                rows, alarms = alarms, former if newer and not trouble else together(alarms, former)
                self._note_over(*(rows.keys() - alarms.keys()))
            self._said = {name: _dump(alarm) for name, alarm in alarms.items()}
            self._file = KeptFile("the record of alarms", self.path, _TABLES, self._use, durable=True)
            left = set_former_aside(self.path) if former is not None and self._file.on_disk else ""
            alarms, self._found = {**alarms, **self._found}, {}
            return alarms, "; ".join(filter(None, [unread, trouble, left]))

    def write(self, changes: Iterable[tuple[str, Alarm]]) -> str:
        """All of these or nothing, also when the power fails. What is wrong, if anything."""
        with self._turn:
            for name, alarm in changes:
                self._behind.add(name)
                if alarm.state is AlarmState.NORMAL:
                    self._said.pop(name, None)
                    self._note_over(name)
                else:
                    self._said[name] = _dump(alarm)
            return self._bring()

    def replace(self, alarms: Mapping[str, Alarm]) -> str:
        """These and no others are not normal."""
        with self._turn:
            new = {name: _dump(alarm) for name, alarm in alarms.items()}
            self._behind |= {name for name in {**new, **self._said} if new.get(name) != self._said.get(name)}
            self._note_over(*(self._said.keys() - new.keys()))
            self._said = new
            return self._bring()

    def upkeep(self) -> str:
        """Now and then: make a file that was deleted anew, write what could not be written, keep the log short."""
        with self._turn:
            trouble = self._bring()
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            if self._file is not None and log.stat().st_size > _LOG:
                self._file.checkpoint()  # others may write meanwhile
        except (OSError, sqlite3.Error):  # the next one will do
            return trouble
        return trouble

    def aside(self) -> str:
        """Which file was set aside, and why. Told once."""
        with self._turn:
            self._note_aside()
            words, self._aside = self._aside, ""
            return words

    def found(self) -> dict[str, Alarm]:
        """What the run before knew, in a file that came late. Told once."""
        with self._turn:
            found, self._found = self._found, {}
            return {name: alarm for name, alarm in found.items() if name in self._said}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _bring(self) -> str:
        if self._file is None:
            return f"{self.path} is not open"
        self._file.mend()
        if self._behind:
            self._file.attempt("keep what changed", self._keep)
        self._note_aside()
        return self._file.trouble

    def _note_over(self, *names: str) -> None:
        if not self._seen:
            self._over |= {*names}

    def _look_in(self, db: sqlite3.Connection) -> None:
        """What stood there when we began is taken over. It may raise sqlite3.Error."""
        rows = db.execute("SELECT name, said FROM alarm").fetchall()
        found = {name: one for name, one in parsed(rows).items() if name not in {*self._said, *self._over}}
        self._found |= found
        self._said |= {name: _dump(alarm) for name, alarm in found.items()}
        self._seen = db.execute("PRAGMA database_list").fetchone()[2] != ""

    def _note_aside(self) -> None:
        """It is told apart from what is wrong now."""
        if self._file is not None:
            words, self._file.aside = self._file.aside, ""
            if self._damage and self._file.on_disk:  # nothing was left that could be set aside
                words, self._damage = words or f"{self.path} was damaged ({self._damage})", ""
            self._aside = words or self._aside

    def _keep(self, db: sqlite3.Connection) -> None:
        """The file holds nothing that we do not know: what it does not hold yet is written in one commit."""
        slots, free, said = {**self._slots}, [*self._free], self._said
        gone, rows = [], []
        for name in sorted(self._behind):
            if name in said:
                if name not in slots:
                    slots[name] = heapq.heappop(free) if free else len(slots)
                rows.append((slots[name], name, said[name]))
            elif name in slots:
                gone.append((slots[name],))
                heapq.heappush(free, slots.pop(name))
        with Transaction(db):
            db.executemany("DELETE FROM alarm WHERE slot = ?", gone)
            db.executemany("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)", rows)
        self._slots, self._free, self._behind = slots, free, set()

    def _use(self, db: sqlite3.Connection, before: sqlite3.Connection | None) -> None:
        """A file was opened: it gets what it should hold, and nothing else."""
        if self._damage and db.execute("SELECT count(*) FROM alarm").fetchone() != (0,):
            words, self._damage = self._damage, ""
            raise sqlite3.DatabaseError(words)
        if not self._seen:
            self._look_in(db)
        rows = [(slot, name, said) for slot, (name, said) in enumerate(self._said.items())]
        with Transaction(db):
            db.execute("DELETE FROM alarm")
            db.executemany("INSERT INTO alarm VALUES (?, ?, ?)", rows)
        self._slots, self._free, self._behind = {name: slot for slot, name, _ in rows}, [], set()
        if before is not None:
            before.close()


def _dump(alarm: Alarm) -> bytes:
    return alarm.model_dump_json().encode()
