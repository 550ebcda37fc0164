"""What the grid would carry if the battery rested, told from two meters that do not show the same moment. Pure.

The connection point shows the battery's step late, the PCS shows it at its own time, and a setpoint that was just sent
works at a time nobody knows. Whoever adds a reading of either from two sides of a step takes the step for a change of
the load, answers it, and swings for ever: x' = -x + x'' has a root of -1.6. So each reading of the meter only says
between which bounds the net load lies, over every power the battery may have had at that moment. The estimate moves
when the bounds no longer hold it, and by no more than that (set-membership estimation, Schweppe 1968). At constant load
the bounds always hold the load, so each move brings the estimate nearer to it and none goes past it: it cannot swing,
whatever the delays within the known ones are, and needs no gain to be tuned.
"""

from collections import deque
from dataclasses import dataclass, field

LONGEST = 25.0
"""Seconds of the past that are kept at least: the latest meter, the longest dead time and the slowest poll together."""
POLL = 5.0
"""Seconds of the past beside them, where the site file says that the meter is later still."""

Reading = tuple[float, float]
"""Monotonic seconds and W."""


@dataclass
class NetLoad:
    """Powers in W: the grid's positive importing, the battery's positive discharging. Times of the monotonic clock."""

    meter_delay: float
    """Seconds by which the meter may show later than the PCS does what the battery did."""
    dead_time: float
    """Seconds from a setpoint until the PCS shows that it works."""
    value: float | None = None
    """W; None until both have been read."""
    at: float = float("-inf")
    """When the meter was last read for it."""
    _shown: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))
    _told: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))

    @property
    def _kept(self) -> float:
        return max(LONGEST, self.meter_delay + self.dead_time + POLL)

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        if not self._shown or at > self._shown[-1][0]:
            self._shown.append((at, power))
            _forget(self._shown, at - self._kept)

    def told(self, at: float, power: float) -> None:
        """A setpoint was written, or sent. The same again changes nothing."""
        if not self._told or power != self._told[-1][1]:
            self._told.append((at, power))
            _forget(self._told, at - self._kept)

    def meter(self, at: float, grid: float) -> None:
        """The meter was read: the estimate moves as far as this reading proves, and no further."""
        bounds = self.bounds(at, grid)
        if bounds is None or at <= self.at:
            return
        low, high = bounds
        self.value = min(max(self.value, low), high) if self.value is not None else (low + high) / 2
        self.at = at

    def bounds(self, at: float, grid: float) -> tuple[float, float] | None:
        """Between which the net load lies, if the meter shows `grid` at `at`. None: the battery was not read."""
        if not self._shown:
            return None
        powers = self._possible(at)
        return grid + min(powers), grid + max(powers)

    @property
    def shown(self) -> Reading | None:
        """The last reading of the battery."""
        return self._shown[-1] if self._shown else None

    def forget(self) -> None:
        """Nothing that was read before counts any more. What it was told still works."""
        self.value, self.at = None, float("-inf")
        self._shown.clear()

    def _possible(self, at: float) -> list[float]:
        """Every power the battery may have had in what the meter shows: read, told and not yet seen, or on its way."""
        powers, since = [self._ahead(at)], at
        for since, power in reversed(self._shown):
            powers.append(power)
            if since <= at - self.meter_delay:
                break
        if len(self._shown) > 1:  # one that it began to follow between the last two: how fast it goes was not seen yet
            since = min(since, self._shown[-2][0])
        lately = bool(self._told) and self._told[-1][0] > since - self.dead_time
        return [*powers, *self._since(since)] if lately else powers

    def _ahead(self, at: float) -> float:
        """Where it is if it goes on as between the last two readings, that came late; not past what it was told."""
        last, power = self._shown[-1]
        if len(self._shown) < 2:
            return power
        then, before = self._shown[-2]
        targets = [power, *self._since(last)]
        goal = power + (power - before) / (last - then) * (max(0.0, at - last) + self.dead_time)
        return min(max(goal, min(targets)), max(targets))

    def _since(self, at: float) -> list[float]:
        """The setpoints that have worked since then: those that were told after a dead time before, and the one before
        them, that the battery may have been on its way to."""
        told = []
        for moment, power in reversed(self._told):
            told.append(power)
            if moment <= at - self.dead_time:
                break
        return told


def _forget(kept: deque[Reading], before: float) -> None:
    """The last one before that moment still tells where the battery stood then."""
    while len(kept) > 1 and kept[1][0] <= before:
        kept.popleft()
