"""How late the meter shows what the battery does, and how long the battery takes to follow: measured while it runs.

Pure. The delay is the one at which the sum of both wanders least: whatever the load does, it knows nothing of the
battery. Both are needed to close a loop over the meter that does not swing.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import pvariance

from optimizer.net_load import Reading

SPAN, FEWEST = 40.0, 8
"""Seconds of readings that are compared; more of them where the meter is read so seldom that fewer would come."""
LATEST, FINE = 8.0, 0.25
"""Seconds: the longest delay that is looked for, and in what steps."""
MOVED = 0.05
"""Of the rated power: the battery must have moved so much (standard deviation 1/2 of it) to tell anything."""
RESTS = 0.02
"""Of the rated power: a battery that is so near to its setpoint has followed it."""
CLEAR = 0.5
"""The best delay must leave at most this share of what the worst one leaves."""


@dataclass
class MeterDelay:
    """The readings of the last seconds. Powers in W, times of the monotonic clock."""

    rated: float
    _grid: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))
    _battery: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))

    def meter(self, at: float, power: float) -> None:
        """The meter was read."""
        if not self._grid or at > self._grid[-1][0]:
            self._grid.append((at, power))

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        if not self._battery or at > self._battery[-1][0]:
            self._battery.append((at, power))

    def fit(self) -> "Fit | None":
        """None while the battery has not moved enough to tell."""
        if not self._grid or not self._battery:
            return None
        end = self._grid[-1][0]
        span = SPAN if len(self._grid) < FEWEST else max(SPAN, end - self._grid[-FEWEST][0])
        battery = [one for one in self._battery if one[0] >= end - span - LATEST]
        grid = [one for one in self._grid if battery and one[0] >= max(end - span, battery[0][0])]
        if len(grid) < FEWEST or len(battery) < FEWEST:
            return None
        if pvariance([power for _, power in battery]) < (MOVED * self.rated / 2) ** 2:
            return None
        steps = [number * FINE for number in range(-4, int(LATEST / FINE) + 1)]
        left = {delay: _wander(grid, battery, delay) for delay in steps}
        best = min(left, key=lambda delay: left[delay])
        # A step that only the longest delays would show leaves all the shorter ones alike: noise would choose of them.
        moved = pvariance(_shifted(grid, battery, best))
        if moved < (MOVED * self.rated / 2) ** 2:
            return None
        return Fit(best, left[best], max(left.values()), moved)


@dataclass(frozen=True, slots=True)
class Fit:
    """What the comparison found: variances in W^2."""

    delay: float
    left: float
    """Of the sum at the best delay."""
    worst: float
    moved: float
    """Of the battery's power, as the meter shows it at that delay."""

    @property
    def clear(self) -> bool:
        return self.left <= CLEAR * self.worst

    @property
    def alone(self) -> bool:
        """The load stands still: what moves at the meter is the battery itself."""
        return self.left < 0.1 * self.moved


def _wander(grid: Sequence[Reading], battery: Sequence[Reading], delay: float) -> float:
    shifted = _shifted(grid, battery, delay)
    return pvariance([power + own for (_, power), own in zip(grid, shifted, strict=True)])


def _shifted(grid: Sequence[Reading], battery: Sequence[Reading], delay: float) -> list[float]:
    """The battery's power in each reading of a meter that is so late."""
    times = [at for at, _ in battery]
    return [_at(battery, times, at - delay) for at, _ in grid]


def _at(readings: Sequence[Reading], times: Sequence[float], at: float) -> float:
    """The reading that held at a moment; between two of them a straight line."""
    place = bisect_right(times, at)
    if place == 0 or place == len(times):
        return readings[max(0, place - 1)][1]
    (t0, p0), (t1, p1) = readings[place - 1], readings[place]
    return p0 + (p1 - p0) * (at - t0) / (t1 - t0)


@dataclass
class DeadTime:
    """From a setpoint until the PCS shows that it works."""

    rated: float
    value: float
    """Seconds: what is assumed until it was measured, then the longest of the last measurements."""
    _from: Reading | None = None
    _told: Reading | None = None
    """The step that is timed, and where the battery stood."""
    _last: float | None = None
    """The newest setpoint."""
    _shown: Reading | None = None
    _measured: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    def told(self, at: float, power: float) -> None:
        """A setpoint was written. A step from rest, large enough to be seen, is timed; one more in its direction, as a
        ramp makes them, changes nothing."""
        if self._told is not None and self._from is not None:
            on = (power - self._told[1]) * (1 if self._told[1] > self._from[1] else -1)
            if on < -MOVED * self.rated:
                self._told = None  # it was told to turn back before it was seen to go
        elif self._shown is not None and abs(power - self._shown[1]) > MOVED * self.rated and self._rests(self._shown):
            self._from, self._told = self._shown, (at, power)
        self._last = power

    def _rests(self, shown: Reading) -> bool:
        """It stands where it was told to: what comes next is the answer to the next step, not to an earlier one."""
        return self._last is None or abs(shown[1] - self._last) <= RESTS * self.rated

    def battery(self, at: float, power: float) -> None:
        """The PCS was read at `at`: once it has gone a tenth of the way the time is known."""
        before, self._shown = self._shown, (at, power)
        if self._told is None or self._from is None or at <= self._told[0]:
            return
        way = self._told[1] - self._from[1]
        if (power - self._from[1]) / way >= 0.1:
            seconds = at - self._told[0]
            self._measured.append(seconds)
            self.value = max(self._measured)
            self._told = None
        elif at - self._told[0] > LATEST:
            self._told = None  # it does not follow: another part says so
        elif before is None:
            self._from = self._shown
