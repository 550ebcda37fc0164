"""Two services of one name at one broker: which of them works. Pure.

A broker lets in one at a time, and who connects pushes the other out: nobody can look whether the other lives without
doing that. So it is decided by what both can read, who began first, and who comes second stays away for minutes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from schemas.messages import ServiceStatus

SILENT = 15.0
"""Seconds the second one keeps its connection and says nothing: a first one that lives takes it back within 3 s."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 600.0
"""Seconds between two looks of the second one; each interrupts the first one for a moment."""

SHOWN = 2 * LONGEST_PAUSE
"""Seconds the first one goes on saying that there was another."""


class Other(Enum):
    """Who spoke last under our name."""

    NONE = "nobody, or we ourselves"
    FIRST = "one that began before us: it works, if it lives"
    SECOND = "one that began after us: we work"


@dataclass(frozen=True)
class Us:
    instance: str
    started: datetime


def other(last: ServiceStatus | None, us: Us, *, met: bool) -> Other:
    """What the broker keeps of a service of our name, judged. `met`: we have been connected before.

    One of the same instance that we never met is our own past life: its state folder is ours now, so it is dead. Once
    we have been connected it can only be a copy of us, such as a machine that was cloned.
    """
    if last is None or last.started is None or last.started == us.started:
        return Other.NONE
    if not met and last.instance in ("", us.instance):
        return Other.NONE
    return Other.FIRST if last.started < us.started else Other.SECOND
