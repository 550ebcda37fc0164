"""A SQLite file that never stands in the way: damaged it is set aside, deleted it is made again, and where none can be
had its tables live in memory until one can."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from runtime.kept import begin_anew, damaged, in_memory, open_or_set_aside

T = TypeVar("T")

Use = Callable[[sqlite3.Connection, sqlite3.Connection | None], None]
"""Told of each file before it is used, to read what it holds; it may raise sqlite3.Error. The second is what was used
before and is whole: what it holds should move, and then it should be closed. None: there is nothing, or it was lost."""


class KeptFile:
    """One of a part's files. Nothing here raises for the file's sake; `trouble` says what is wrong."""

    def __init__(self, what: str, path: Path, tables: str, use: Use, *, durable: bool = False) -> None:
        """`durable`: see `open_or_set_aside`."""
        self.path, self.aside = path, ""
        """Which file was set aside, and why. Who has told it long enough empties it."""
        self._name, self._tables, self._use = f"{what} {path}", tables, use
        self._durable = durable
        self._cannot: dict[str, str] = {}
        self._stat: os.stat_result | None = None
        self._moving = threading.Lock()
        self._db = self._begin(None)

    @property
    def trouble(self) -> str:
        """In words for people; empty when all is well."""
        return "; ".join(filter(None, [*self._cannot.values(), self.aside]))

    @property
    def on_disk(self) -> bool:
        """Not in memory only."""
        return self._stat is not None

    def attempt(self, task: str, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do a task (`keep samples`) with the file; None when that cannot be, as on a full disk, which `trouble` tells
        until it can. A damaged file is given up, and the task tried with the new one."""
        for _ in range(2):
            try:
                done = action(self._db)
            except sqlite3.Error as wrong:
                if not damaged(wrong):
                    self._cannot[task] = f"{self._name} cannot {task}: {wrong}"
                    return None
                with contextlib.suppress(sqlite3.Error):
                    self._db.close()
                self._db = self._begin(wrong)
            else:
                self._cannot.pop(task, None)
                return done
        return None

    def mend(self) -> None:
        """Go to a file again, where none could be had so far, or somebody deleted the one that was used."""
        if self._is_there():
            return
        with self._moving:
            try:
                if self.on_disk:  # what belongs to the deleted file must not be taken for the new one's
                    for end in ("-wal", "-shm"):
                        self.path.with_name(self.path.name + end).unlink(missing_ok=True)
                db, aside = open_or_set_aside(self.path, self._tables, durable=self._durable)
            except (sqlite3.Error, OSError) as wrong:
                if self.on_disk:
                    self._cannot["be used"] = (
                        f"{self._name} was deleted while it was used, and no new one begins: {wrong}"
                    )
                return
            before, gone = self._db, self.on_disk
            damage = self._adopt(db, before)
            if damage is not None and damaged(damage):
                try:
                    db, aside = begin_anew(self.path, self._tables, damage, durable=self._durable)
                except sqlite3.Error:
                    return
                damage = self._adopt(db, before)
            if damage is None:
                self._db = db
                deleted = f"{self._name} was deleted while it was used; a new one began"
                self.aside = aside or (deleted if gone else self.aside)

    def checkpoint(self) -> None:
        """Move what was written from the log into the file. For a thread, as it waits for the disk. Raises
        sqlite3.Error."""
        with self._moving:
            if self._is_there():
                with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", uri=True, timeout=0)) as db:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self._db.close()

    def _begin(self, damage: sqlite3.Error | None) -> sqlite3.Connection:
        """The file that is there; a new one in the place of a damaged one; none, where none can be had."""
        with self._moving:
            for _ in range(2):
                try:
                    db, aside = (
                        open_or_set_aside(self.path, self._tables, durable=self._durable)
                        if damage is None
                        else begin_anew(self.path, self._tables, damage, durable=self._durable)
                    )
                except sqlite3.Error as wrong:
                    reason = wrong
                    break
                self.aside = aside or self.aside
                damage = self._adopt(db, None)
                if damage is None:
                    return db
                reason = damage
                if not damaged(reason):
                    break
            return self._without(reason)

    def _without(self, reason: sqlite3.Error) -> sqlite3.Connection:
        db = in_memory(self._tables, durable=self._durable)
        self._use(db, None)
        self._stat = None
        self._cannot["be used"] = f"{self._name} cannot be used: {reason}; what it should keep is in memory only"
        return db

    def _adopt(self, db: sqlite3.Connection, before: sqlite3.Connection | None) -> sqlite3.Error | None:
        """Use it from now on; gives why that cannot be."""
        try:
            # Only a checkpoint waits for the disk: it is made in a thread, so that a slow disk delays nobody.
            db.execute("PRAGMA wal_autocheckpoint=0")
            self._use(db, before)
            self._stat = self.path.stat()
        except (sqlite3.Error, OSError) as wrong:
            db.close()
            return wrong if isinstance(wrong, sqlite3.Error) else sqlite3.OperationalError(str(wrong))
        self._cannot.clear()
        return None

    def _is_there(self) -> bool:
        try:
            return self._stat is not None and os.path.samestat(self.path.stat(), self._stat)
        except OSError:
            return False
