"""What can be known of the machine a part runs on."""

import os
import time
from datetime import datetime
from pathlib import Path

from schemas.units import utc_now

TOGETHER = 0.1
"""Seconds two clocks may be read apart and still count as read together."""


def boot() -> str:
    """Names this run of the machine; where the system does not tell, each start of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{os.getpid()}-{time.time()}"


def clocks() -> tuple[float, datetime]:
    """The monotonic clock and the wall clock at one moment: a process that stands still between them reads again."""
    while True:
        mono = time.monotonic()
        wall = utc_now()
        if time.monotonic() - mono < TOGETHER:
            return mono, wall
