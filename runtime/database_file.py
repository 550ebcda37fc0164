"""Whether the SQLite file that is used is still the one at its path.

A file that is deleted or replaced while it is open goes on taking commits, and nobody will ever read them.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

Identity = tuple[int, int] | None
"""Device and inode; None where there is no file."""


def identity(path: str) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116  # asked for each commit: pathlib would make three objects for it
    except OSError:
        return None
    return found.st_dev, found.st_ino


def size(path: str) -> int:
    """Bytes; 0 where there is no file."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  # as above
    except OSError:
        return 0


@dataclass
class DatabaseFile:
    """The file of an engine as it was when it was good; for another database than SQLite it never changes."""

    engine: AsyncEngine
    _file: Identity = None
    _log: Identity = None

    @property
    def path(self) -> str:
        return self.engine.url.database or ""

    def note(self) -> None:
        """It is good now."""
        if self.engine.dialect.name == "sqlite":
            self._file, self._log = identity(self.path), None

    def changed(self) -> bool:
        """Whether another one, or none, is there. Asked before and after a commit.

        The same holds for the log beside it, where commits stand until a checkpoint; it is there since the first one.
        """
        if self._file is None:
            return False
        log = identity(f"{self.path}-wal")
        self._log = self._log or log
        return self._file != identity(self.path) or self._log != log

    def room(self) -> float:
        """Bytes its disk has left; without an end where the database is not a file."""
        if self.engine.dialect.name != "sqlite":
            return math.inf
        disk = os.statvfs(Path(self.path).parent)
        return disk.f_bavail * disk.f_frsize

    def on_the_same_disk(self) -> bool:
        """Whether a new one would lie where the old one did: a disk that is not mounted leaves an empty folder."""
        folder = identity(str(Path(self.path).absolute().parent))
        return self._file is not None and folder is not None and self._file[0] == folder[0]
