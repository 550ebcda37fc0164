"""Rows that stand in local time without an offset: the second 02:00 of October comes after the first. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.price_documents.wanted import Unreadable

HOUR = timedelta(hours=1)


class LocalTimes:
    """Of rows in their order. What they show of the clock is handed in as if it were UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._last: datetime | None = None

    def next(self, shown: datetime, line: int) -> datetime:
        """The moment of the next row. Raises Unreadable for one that the clock leaves out in March."""
        first, second = self._both(shown)
        if first.astimezone(self._zone).replace(tzinfo=None) != shown.replace(tzinfo=None):
            raise Unreadable(f"{shown:%d.%m.%Y %H:%M} does not exist: the clock is set ahead there", line)
        self._last = second if self._last is not None and first <= self._last < second else first
        return self._last

    def after(self, start: datetime, shown: datetime) -> datetime:
        """The end of a row that began at `start`: an hour later at most."""
        ends = [one for one in self._both(shown) if one > start]
        return min([*ends, start + HOUR])

    def _both(self, shown: datetime) -> tuple[datetime, datetime]:
        first, second = (shown.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first, second
