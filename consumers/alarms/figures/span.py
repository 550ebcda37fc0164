"""A span of time, and how much of it was seen. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Gap = tuple[datetime, datetime]
"""A time in which nobody listened."""


@dataclass(frozen=True, slots=True)
class Span:
    """`end` is excluded."""

    begin: datetime
    end: datetime
    gaps: tuple[Gap, ...] = ()

    @property
    def seen(self) -> float:
        """Seconds of it that were seen."""
        whole = (self.end - self.begin).total_seconds()
        return max(0.0, whole - sum(self.overlap(*gap) for gap in _joined(self.gaps)))

    @property
    def share(self) -> float:
        """The same as a part of it, from 0 to 1."""
        whole = (self.end - self.begin).total_seconds()
        return min(1.0, self.seen / whole) if whole > 0 else 0.0

    def overlap(self, begin: datetime, end: datetime | None) -> float:
        """Seconds that another span has in common with it; None: that one goes on."""
        return max(0.0, (min(end or self.end, self.end) - max(begin, self.begin)).total_seconds())

    def holds(self, at: datetime) -> bool:
        return self.begin <= at < self.end


def _joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Without what two of them have in common."""
    found = list[Gap]()
    for begin, end in sorted(gaps):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def unseen(watches: Iterable[Gap], begin: datetime, end: datetime) -> list[Gap]:
    """What none of these times in which somebody listened holds of a span."""
    found, seen = list[Gap](), begin
    for since, until in _joined(watches):
        if since > seen:
            found.append((seen, min(since, end)))
        seen = max(seen, until)
        if seen >= end:
            return found
    return [*found, (seen, end)]


def slots(times: Iterable[datetime], length: timedelta) -> dict[int, int]:
    """How many of these moments lie in each slot of the clock (UTC) that has some."""
    found = dict[int, int]()
    for at in times:
        slot = (at - EPOCH) // length
        found[slot] = found.get(slot, 0) + 1
    return found
