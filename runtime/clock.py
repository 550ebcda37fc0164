"""Steps of the wall clock, seen by the monotonic one. Pure: both are arguments.

What was noted as a wall time before a step (the end of a lease, the time of a reading) means another moment after it:
`aged` gives the wall time it has now. Ages are better measured on the monotonic clock from the start.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SMALLEST = timedelta(seconds=1)
"""Less is how time servers correct a clock, or the time between two reads."""

MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set."""

    at: float
    """Monotonic seconds when it was seen; it happened between this look and the one before."""
    by: timedelta
    """Positive: it was set ahead."""


@dataclass
class Clock:
    """Looked at as often as may be: a step is dated to the look that finds it."""

    mono: float
    wall: datetime
    steps: list[Step] = field(default_factory=list)
    """The oldest first."""

    def look(self, mono: float, wall: datetime) -> Step | None:
        """Both clocks at one moment; gives the step that was made since the last look."""
        by = (wall - self.wall) - timedelta(seconds=mono - self.mono)
        self.mono, self.wall = mono, wall
        if abs(by) <= SMALLEST:
            return None
        step = Step(mono, by)
        self.steps = [*self.steps[1 - MOST_KEPT :], step]
        return step

    def aged(self, wall: datetime, noted: float) -> datetime:
        """A wall time that was noted at a monotonic moment, as the wall clock shows that time now."""
        return wall + sum((step.by for step in self.steps if step.at > noted), timedelta())
