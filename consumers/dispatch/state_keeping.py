"""What dispatch knows on its disk, beside its work: a disk that hangs, or refuses, holds up no command."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from consumers.dispatch.kept import Kept, Stored
from consumers.dispatch.state_file import read, write

DISK = 2.0
"""Seconds a disk may take to keep what was asked; a lockout reaches the device meanwhile."""


class StateKeeping:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why the last state is not kept; empty while it is."""
        self._kept: Kept | None = None
        self._disk = ThreadPoolExecutor(1, "dispatch.disk")  # one: an older state never overwrites a newer one
        self._writing: asyncio.Future[None] | None = None

    def close(self) -> None:
        self._disk.shutdown(wait=False)

    def begin(self) -> Stored:
        """What the last run has kept."""
        return read(self.path)

    async def keep(self, look: Callable[[], Kept | None]) -> None:
        """The state, where it is worth a write. `trouble` says why it is not kept, whatever the cause."""
        try:
            kept = look()
        except Exception as bug:  # noqa: BLE001  # a number that no file carries is no cause to tell a battery nothing
            self.trouble = f"it cannot be written down: {bug}"
            return
        if kept is None or not kept.differs(self._kept) or not (self._writing is None or self._writing.done()):
            return
        loop = asyncio.get_running_loop()
        writing = self._writing = loop.run_in_executor(self._disk, write, self.path, kept)
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, also when it is late
        done, _ = await asyncio.wait([writing], timeout=DISK)
        why = f"{self.path} takes longer than {DISK:.0f} s" if not done else ""
        if done and (wrong := writing.exception()) is not None:
            why = str(wrong)
        if not why:
            self._kept = kept
            why = f"no file carries {', '.join(kept.left_out)}" if kept.left_out else ""
        self.trouble = why
