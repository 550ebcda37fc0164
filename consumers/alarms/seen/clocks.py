"""By how much the clock of a device's bridge differs from ours. Pure.

A sample that waits in a queue arrives later and never sooner: so the smallest of arrival minus `at` is the difference
of the clocks and the shortest way. Historical samples have waited, and say nothing.
"""

from collections import deque
from dataclasses import dataclass, field

SPAN = 60.0
"""Seconds looked back on."""


@dataclass
class ClockOffset:
    """Of one device."""

    least: deque[tuple[float, float]] = field(default_factory=deque)
    """When, in monotonic seconds, and how late, rising: only what can still become the smallest."""

    def hear(self, late: float, mono: float) -> None:
        """A sample came, so many seconds after its time; less than 0 where the bridge's clock is ahead."""
        while self.least and self.least[-1][1] >= late:
            self.least.pop()
        self.least.append((mono, late))

    def seconds(self, mono: float) -> float | None:
        """The smallest of the last minute; None while nothing came."""
        while self.least and mono - self.least[0][0] > SPAN:
            self.least.popleft()
        return self.least[0][1] if self.least else None
