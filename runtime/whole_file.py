"""A small file that is written as a whole: what it held before, or what it shall hold, and never a part of it."""

import os
from pathlib import Path


def write_whole(path: Path, held: bytes) -> None:
    """All of it or nothing, also when the power fails. It waits for the disk: where others wait meanwhile it is for a
    thread. Raises OSError, and then the old file is as it was: the folder is not there or read-only, the disk full."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(held)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)
