"""What the grid would carry if the battery rested, told from two meters that do not show the same moment. Pure.

The connection point shows the battery's step late, the PCS shows it at its own time, and a setpoint that was just sent
works at a time nobody knows. Whoever adds a reading of either from two sides of a step takes the step for a change of
the load, answers it, and swings for ever: x' = -x + x'' has a root of -1.6. So each reading of the meter only says
between which bounds the net load lies, over every power the battery may have had at that moment. The estimate moves
when the bounds no longer hold it, and by no more than that: at constant load it stays where it is, whatever the delays
within the assumed ones are, and needs no gain to be tuned (set-membership estimation, Schweppe 1968).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST = 12.0
"""Seconds of the past that are kept: a meter that is later than that closes no loop."""

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

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        if not self._shown or at > self._shown[-1][0]:
            self._shown.append((at, power))
            _forget(self._shown, at - LONGEST)

    def told(self, at: float, power: float) -> None:
        """A setpoint was written, or sent."""
        self._told.append((at, power))
        _forget(self._told, at - LONGEST)

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
        powers = [*self._possible(at)]
        return (grid + min(powers), grid + max(powers)) if powers else None

    @property
    def shown(self) -> Reading | None:
        """The last reading of the battery."""
        return self._shown[-1] if self._shown else None

    def forget(self) -> None:
        """Nothing that was read before counts any more."""
        self.value, self.at = None, float("-inf")
        self._shown.clear()
        self._told.clear()

    def _possible(self, at: float) -> Iterable[float]:
        """Every power the battery may have had when the meter measured what it shows at `at`."""
        start = at - self.meter_delay
        before = max((moment for moment, _ in self._shown if moment <= start), default=float("-inf"))
        if before == float("-inf") and self._shown:
            before = self._shown[0][0]
        yield from (power for moment, power in self._shown if moment >= before)
        yield from (power for moment, power in self._told if moment >= before - self.dead_time)


def _forget(kept: deque[Reading], before: float) -> None:
    """The last one before that moment still tells where the battery stood then."""
    while len(kept) > 1 and kept[1][0] <= before:
        kept.popleft()
