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


def quarter(at: datetime) -> int:
    """The quarter of an hour that runs at an instant."""
    return int(at.timestamp() // SECONDS)


def instant(number: int) -> datetime:
    """When a quarter begins."""
    return datetime.fromtimestamp(number * SECONDS, UTC)


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
        off = np.array([EPOCH + timedelta(days=int(day)) in self.days_off for day in days], dtype=bool)
        return np.where(off, SUNDAY, (days + 3) % 7)

    def _offset(self, number: int) -> int:
        """Quarters by which the local clock is ahead of UTC."""
        ahead = instant(number).astimezone(self.zone).utcoffset() or timedelta(0)
        return int(ahead.total_seconds() // SECONDS)
