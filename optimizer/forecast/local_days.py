"""Quarters of an hour as people and the sun count them: slots of the local clock, and the kinds of days. Pure.

A quarter is counted from 1970-01-01T00:00Z, a slot from midnight of 1970-01-01 on the local clock. A day has 96 slots;
where a clock goes forward four stay empty, and where it goes back four have two quarters each.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

DAY = 96
SUNDAY = 6
SATURDAY = 5
SECONDS = 900
EPOCH = date(1970, 1, 1)
FIRST, LAST = (at // SECONDS for at in (-62_135_596_800, 253_402_299_900))
"""The first and the last quarter of the years 1 to 9999: others have no name."""


def quarter(at: datetime) -> int:
    """The quarter of an hour that runs at an instant."""
    return int(at.timestamp() // SECONDS)


def instant(number: int) -> datetime:
    """When a quarter begins; the first or the last that has a name for one beyond."""
    return datetime.fromtimestamp(min(max(number, FIRST), LAST) * SECONDS, UTC)


@dataclass(frozen=True)
class LocalDays:
    """The calendar of a site."""

    zone: ZoneInfo
    days_off: Container[date]

    def slots(self, first: int, count: int) -> Numbers:
        """The slot of each of so many quarters from the first one on."""
        numbers = np.arange(first, first + count)
        edges = np.arange(first // DAY, (first + count) // DAY + 2) * DAY
        offsets = np.array([self._offset(int(edge)) for edge in edges])
        of = numbers // DAY - first // DAY
        found = numbers + offsets[of]
        for changed in np.flatnonzero(np.diff(offsets)):
            inside = np.flatnonzero(of == changed)
            found[inside] = [number + self._offset(int(number)) for number in numbers[inside]]
        return np.asarray(found)

    def kinds(self, first: int, count: int) -> Numbers:
        """The weekday of each of so many days, Monday 0; a holiday is a Sunday."""
        days = np.arange(first, first + count)
        named = np.clip(days, FIRST // DAY, LAST // DAY)  # a holiday beyond nobody knows
        off = np.array([EPOCH + timedelta(days=int(day)) in self.days_off for day in named], dtype=bool)
        return np.where(off, SUNDAY, (days + 3) % 7)

    def _offset(self, number: int) -> int:
        """Quarters by which the local clock is ahead of UTC."""
        number = min(max(number, FIRST + DAY), LAST - DAY)  # where each zone can name it
        ahead = instant(number).astimezone(self.zone).utcoffset() or timedelta(0)
        return int(ahead.total_seconds() // SECONDS)
