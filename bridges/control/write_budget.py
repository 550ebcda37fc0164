"""How often a register may still be written: flash cells wear out, and devices drop what comes too fast. Pure.

What makes the site safer is not held up, and yet not written without end: each value that could not be written, or was
not held, is tried again later each time, and a register that wears and has to be made safer again and again goes to 0.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Writable

DAY = 86_400.0
MOST_URGENT = 5
"""Urgent writes of a register that wears, in a row: then it goes to 0 and stays there until its budget allows more."""
FIRST_AGAIN, LONGEST_AGAIN, LONGEST_AGAIN_WEARING = 0.5, 10.0, 300.0
"""Seconds between two tries of what did not arrive: doubled each time."""


@dataclass
class WriteBudget:
    """The writes of one register. `now` is the monotonic clock."""

    allowed: Writable
    times: deque[float] = field(default_factory=deque)
    """Of the writes of the last 24 h."""
    urgent: int = 0
    """Urgent writes since the last one that the budget allowed."""
    tries: int = 0
    """That have not arrived, in a row."""
    again: float = float("-inf")
    """When the next try is due."""
    tried: float | None = None
    """The value that was written last, or could not be."""

    def recall(self, ages: Iterable[float], now: float) -> None:
        """What was written before this bridge began, so many seconds ago, the oldest first."""
        self.times.extend(now - age for age in ages)

    def spend(self, now: float) -> None:
        """It is written."""
        self.times.append(now)

    def spare(self) -> None:
        """The last write was none: the register held the value already, or declined it."""
        self.times.pop()

    def worth(self, change: float) -> bool:
        """Whether the value moves enough."""
        return change > self.allowed.deadband

    def wait(self, now: float, *, cyclic: bool) -> str:
        """Why it is not written now; empty when it may be."""
        while self.times and now - self.times[0] >= DAY:
            self.times.popleft()
        allowed = self.allowed
        if cyclic and allowed.wears:
            return "budget: an EEPROM register is not written cyclically"
        if self.times and now - self.times[-1] < allowed.interval:
            left = allowed.interval - (now - self.times[-1])
            return f"budget: written again in {left:.1f} s at the earliest"
        if len(self.times) >= allowed.per_day:
            return f"budget: {allowed.per_day} writes a day are used up"
        return ""

    def missed(self, now: float) -> None:
        """A write has not arrived: it was declined, nobody answered, or the register reads back something else."""
        longest = LONGEST_AGAIN_WEARING if self.allowed.wears else LONGEST_AGAIN
        self.again = now + min(FIRST_AGAIN * 2**self.tries, longest)
        self.tries = min(self.tries + 1, 30)

    def arrived(self) -> None:
        """The register was seen to hold it."""
        self.tries, self.again = 0, float("-inf")

    def resting(self, now: float) -> bool:
        """It has not arrived, and the next try is not due."""
        return self.tries > 0 and now < self.again

    @property
    def worn_out(self) -> bool:
        """It was made safer too often: what comes next is 0, until the budget allows another value."""
        return self.allowed.wears and self.urgent >= MOST_URGENT
