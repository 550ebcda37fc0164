"""How long a mode is lent. A lease runs on the monotonic clock: no step of a wall clock prolongs or ends it. Pure."""

from datetime import datetime, timedelta

from schemas.messages import ControlMode, ControlRequest

LONGEST = timedelta(hours=24)
"""Who wants more asks again."""


def wanted(request: ControlRequest, now: datetime) -> float | None:
    """Seconds that are asked for; None for ever. By the asker's own clock, and by ours where that is less: a clock that
    is wrong lends nothing longer than it was meant."""
    if request.until is None:
        return None
    return min((request.until - request.at).total_seconds(), (request.until - now).total_seconds())


def left(given: float | None, since: datetime, now: datetime) -> float | None:
    """Seconds that are left of `given` ones after a restart, of which only the wall clock tells how long it took. One
    that was set back meanwhile lends no more than there was."""
    return None if given is None else min(given, given - (now - since).total_seconds())


def stored(mode: ControlMode, now: datetime) -> float | None:
    """The same for a mode of which only the broker knows."""
    if mode.until is None:
        return None
    return min((mode.until - now).total_seconds(), LONGEST.total_seconds())
