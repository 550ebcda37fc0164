"""Who may use what a part keeps: one process at a time. The lock is the kernel's, so that any death releases it."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

AGAIN = 0.25
"""Seconds between two tries of the one that waits."""


@dataclass
class Lock:
    """Held by this process alone until it is released, or until the process ends in whatever way."""

    path: Path
    _fd: int = field(repr=False)

    @property
    def contended(self) -> bool:
        """Another process waits for it: the one that works can say so, the one that waits has no connection."""
        place = _locked(_waiting(self.path))
        if place is None:
            return True
        os.close(place)
        return False

    def held(self) -> bool:
        """Whether it still keeps others out: who deletes the file lets another in. Then it is taken again, if nobody
        else has it. Raises OSError where no file can be made."""
        if not _is_at(self.path, self._fd):
            again = _locked(self.path)
            if again is None:
                return False
            os.close(self._fd)
            self._fd = again
        return True

    def release(self) -> None:
        os.close(self._fd)


def lock_folder(folder: Path, name: str) -> Lock | None:
    """The lock of a name in a folder, such as `outbox-demo-bridge`; None while another holds it.

    Raises OSError where no file can be made for it: there is no such folder, or it cannot be written to.
    """
    path = folder / f"{name}.lock"
    fd = _locked(path)
    if fd is None:
        return None
    with contextlib.suppress(OSError):  # it is only for who waits, and a disk may be full
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return Lock(path, fd)


async def wait_for_folder(folder: Path, name: str, say: Callable[[str], None]) -> Lock:
    """The same, and wait for it as long as another holds it; `say` is told once who that is. Raises OSError."""
    lock, place, told = lock_folder(folder, name), None, False
    try:
        while lock is None:
            if not told:
                say(f"another process ({holder(folder, name)}) holds {folder / name}; we wait for its end")
                told = True
            place = _locked(_waiting(folder / f"{name}.lock")) if place is None else place
            await asyncio.sleep(AGAIN)
            lock = lock_folder(folder, name)
    finally:
        if place is not None:
            os.close(place)
    return lock


def holder(folder: Path, name: str) -> str:
    """`number 4711`: the process that holds it, or held it last."""
    try:
        pid = (folder / f"{name}.lock").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        pid = ""
    return f"number {pid}" if pid.isdigit() else "number unknown"


def _locked(path: Path) -> int | None:
    """An open file that nobody else has locked; None when somebody has. Raises OSError."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        if _is_at(path, fd):
            return fd
        os.close(fd)  # the file was deleted in between: who comes next would lock another


def _is_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _waiting(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")
