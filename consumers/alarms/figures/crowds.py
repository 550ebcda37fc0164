"""Alarms that come too close together: floods of many, chattering of one; and those that are gone at once. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.alarms.figures.following import Raise

SLOT = timedelta(minutes=10)
BEGINS, ENDS = 10, 5
"""A flood begins with more than 10 alarms in 10 min for each operator, and ends with fewer than 5 (ISA-18.2)."""
CHATTER, BURST = 3, timedelta(seconds=60)
"""The first test of ISA-18.2 for a chattering alarm: raised 3 times or more in 1 min."""
FLEETING = timedelta(seconds=60)
"""ISA-18.2 gives no number for one that is over before anybody can answer it. One minute is usual, and the time in
which it looks for chattering."""


@dataclass(frozen=True, slots=True)
class Flood:
    begin: datetime
    end: datetime | None
    alarms: int


def floods(times: Sequence[datetime], end: datetime, operators: int = 1) -> list[Flood]:
    """Of alarms raised at `times`, sorted, as seen at `end`. The window of 10 min slides."""
    high, low = BEGINS * operators, ENDS * operators
    found, first, begin = list[Flood](), 0, None
    for index, at in enumerate(times):
        if begin is not None and (calm := times[index - low] + SLOT) < at:
            found.append(Flood(begin, calm, index - first))
            begin = None
        if begin is None and index >= high and times[index - high] > at - SLOT:
            first, begin = _oldest(times, index), at
    if begin is not None:
        calm = times[len(times) - low] + SLOT
        found.append(Flood(begin, calm if calm <= end else None, len(times) - first))
    return found


def _oldest(times: Sequence[datetime], index: int) -> int:
    """The first that lies less than 10 min before this one."""
    first = index
    while first and times[first - 1] > times[index] - SLOT:
        first -= 1
    return first


def chattering(raises: Iterable[Raise]) -> set[tuple[str, datetime]]:
    """The raises that belong to a burst of their alarm."""
    by_name: dict[str, list[datetime]] = {}
    for one in raises:
        by_name.setdefault(one.alarm, []).append(one.at)
    found = set[tuple[str, datetime]]()
    for name, times in by_name.items():
        times.sort()
        for index in range(CHATTER - 1, len(times)):
            if times[index] - times[index - CHATTER + 1] <= BURST:
                found |= {(name, at) for at in times[index - CHATTER + 1 : index + 1]}
    return found


def fleeting(raises: Iterable[Raise], chatter: set[tuple[str, datetime]]) -> list[Raise]:
    """Those that returned to normal within a minute. Chattering is another trouble, with another cure."""
    return [
        one
        for one in raises
        if one.returned and one.over is not None and timedelta() <= one.over - one.at < FLEETING
        if (one.alarm, one.at) not in chatter
    ]
