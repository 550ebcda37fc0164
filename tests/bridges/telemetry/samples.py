"""Samples as they lie in an outbox, and what a failing disk makes of one."""

import json
import random
from pathlib import Path

from bridges.telemetry.outbox import Outbox
from bridges.telemetry.outbox_rows import Row


def sample(spool: Outbox, device: str = "meter", *, at: float = 1.0, size: int = 100) -> Row:
    """The next one of a device, not kept yet, with a body of so many bytes."""
    key = (spool.epoch, device, spool.next(device))
    body = json.dumps({"epoch": key[0], "seq": key[2], "note": ""}).encode()
    return Row(key, at, body[:-2] + b"x" * (size - len(body)) + body[-2:])


def overwrite(path: Path) -> None:
    """All but the first page is noise: what a failing flash card leaves of a file."""
    for one in (path, path.with_name(path.name + "-wal")):
        if one.exists():
            with one.open("r+b") as file:
                file.seek(4096)
                file.write(random.Random(1).randbytes(one.stat().st_size - 4096))
