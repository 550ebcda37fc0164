"""How often a register may still be written: flash cells wear out, and devices drop what comes too fast. Pure.

What makes the site safer is not held up, and yet not written without end: each value that could not be written, or was
not held, is tried again later each time. A register that wears is written beyond its budget only to narrow what stands
in it; where that happens again and again it is worn: it rests at 0 until the budget allows another value.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Writable

DAY = 86_400.0
MOST_URGENT = 5
"""Writes beyond the budget of a register that wears, in a row: then it rests at 0 until its budget allows more."""
GIVES_WAY = 0.1
"""Of its range, for each write beyond the budget before: by so much more than is asked a cell that wears gives way to a
limit that flickers with the sun or a load. It would else be worn within a minute, a few W at a time."""
FIRST_AGAIN, LONGEST_AGAIN, LONGEST_AGAIN_WEARING = 0.5, 10.0, 300.0
"""Seconds between two tries of what did not arrive: doubled each time."""
UNCOUNTED = 100_000
"""Writes a day: a register that takes so many is never spared."""


def counted(allowed: Writable) -> bool:
    """Whether the writes of a register count beyond a restart: it wears out, or takes few a day."""
    return allowed.wears or allowed.per_day < UNCOUNTED


@dataclass
class WriteBudget:
    """The writes of one register. `now` is the monotonic clock."""

    allowed: Writable
    times: deque[float] = field(default_factory=deque)
    """Of the writes of the last 24 h."""
    beyond: int = 0
    """Writes since the last one that the budget allowed."""
    tries: int = 0
    """That have not arrived, in a row."""
    again: float = float("-inf")
    """When the next try is due."""
    tried: float | None = None
    """The value that was written last, or could not be."""

    def recall(self, ages: Iterable[float], now: float) -> None:
        """What was written before this bridge began, so many seconds ago, the oldest first."""
        self.times.extend(now - age for age in ages)

    def begin(self, value: float, now: float) -> None:
        """It is about to be written."""
        self.tried = value
        self.beyond = self.beyond + 1 if self.wait(now, cyclic=False) else 0

    def spend(self, now: float) -> None:
        """It is written."""
        self.times.append(now)

    def spare(self) -> None:
        """The last write was none: the register held the value already, or declined it."""
        self.times.pop()
        self.beyond = max(0, self.beyond - 1)

    def hurries(self, value: float, standing: Iterable[float]) -> bool:
        """Whether a value that makes the site safer may go beyond the budget: into a cell that wears only where it is
        less than what may be `standing` there now."""
        stands = [abs(one) for one in standing]
        return not self.allowed.wears or not stands or abs(value) < max(stands)

    def gives_way(self, value: float) -> float:
        """What is written in the place of a value that must not wait, and may well be too much again soon."""
        more = self.beyond * GIVES_WAY * max(abs(self.allowed.low), abs(self.allowed.high))
        return math.copysign(max(0.0, abs(value) - more), value)

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
        self.again = now + self._pause
        self.tries = min(self.tries + 1, 30)

    def arrived(self, held: float = float("inf")) -> None:
        """The register was seen to hold it, for so many seconds by now. A cell that wears must have held it for as long
        as its next try would wait: what falls at once, as the enable of an inverter that sleeps, is no success."""
        if not self.allowed.wears or held >= self._pause:
            self.tries, self.again = 0, float("-inf")

    @property
    def _pause(self) -> float:
        longest = LONGEST_AGAIN_WEARING if self.allowed.wears else LONGEST_AGAIN
        return min(FIRST_AGAIN * 2.0**self.tries, longest)

    def resting(self, now: float) -> bool:
        """It has not arrived, and the next try is not due."""
        return self.tries > 0 and now < self.again

    def worn(self, now: float) -> bool:
        """It was written beyond its budget too often: what comes next is 0, until the budget allows another value."""
        return self.allowed.wears and self.beyond >= MOST_URGENT and bool(self.wait(now, cyclic=False))
