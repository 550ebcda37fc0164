"""How far the mean of a billing window may be off, because the meter is late by now more and now less. Pure.

A delay that jumps shows some seconds of the site twice, and others never. Over a window that is a sum of errors that
know nothing of each other: each lasts about as long as the delay jumps, and is as large as what the meter shows moves.
Of a meter that is late for good the last seconds of the window are not seen, and as many of the one before are: what
is known of its delay is no more than the difference of the two.
"""

from collections import deque
from dataclasses import dataclass, field
from math import exp, sqrt

from optimizer.net_load import Reading

JUMP = 5.0
"""Seconds: a measured delay that changes by less is the same."""
OTHER = 1.0
"""Seconds by which it must have changed to be remembered: with the rhythm of the readings it changes a little at each,
and 100 of those were forgotten jumps."""
TURNS = 2
"""So often it must have turned back by that: a meter that got later for good does not jump."""
REMEMBERED = 1800.0
"""Seconds."""
SMOOTH = 300.0
"""Seconds over which it is known how much the meter moves."""


@dataclass
class MeterDoubt:
    """Of one meter. Times of the monotonic clock."""

    _delays: deque[Reading] = field(default_factory=lambda: deque(maxlen=100))
    """When another delay was measured, and which in s."""
    _at: float | None = None
    _mean: float = 0.0
    _square: float = 0.0
    """W and W² of what it shows: the square of how far from the mean."""

    def see(self, at: float, grid: float, delay: float | None) -> None:
        """The meter was read; `delay`: as it is measured by now."""
        past = SMOOTH if self._at is None else at - self._at
        if past <= 0:
            return
        keeps = 0.0 if self._at is None else exp(-past / SMOOTH)
        away, self._at = grid - self._mean, at
        self._mean += (1.0 - keeps) * away
        self._square = keeps * (self._square + (1.0 - keeps) * away * away)
        if delay is not None and (not self._delays or abs(delay - self._delays[-1][1]) >= OTHER):
            self._delays.append((at, delay))
        while len(self._delays) > 1 and self._delays[1][0] < at - REMEMBERED:
            self._delays.popleft()

    @property
    def jumps(self) -> bool:
        """The delay goes to and fro."""
        turns, way, far = 0, 0, self._delays[0][1] if self._delays else 0.0
        for _, delay in self._delays:
            if abs(delay - far) >= JUMP and (delay > far) != (way > 0):
                turns, way = turns + (way != 0), 1 if delay > far else -1
            far = delay if abs(delay - far) >= JUMP or (delay > far) == (way > 0) else far
        return turns >= TURNS

    @property
    def latest(self) -> float:
        """Seconds of the longest delay while it jumps; else 0."""
        return max(delay for _, delay in self._delays) if self.jumps else 0.0

    def off(self, seconds: float) -> float:
        """W by which the mean of so many seconds may be off (one standard deviation); 0 where the meter is in time."""
        each = [delay for _, delay in self._delays]
        if self.jumps:
            return sqrt(self._square * min(1.0, (max(each) - min(each)) / seconds))
        late = each[-1] if each and each[-1] >= JUMP else 0.0
        return sqrt(2.0 * self._square) * min(1.0, late / seconds)
