"""What the grid would carry if the battery rested: grid + battery, but only of readings that belong together. Pure.

Meter and battery are read at different times, and a meter may show late what happens. A reading of the grid from
before a step of the battery, added to a power from after it, is a load that does not exist: who follows it swings for
ever at constant load. So a reading of the meter counts while the battery stands still around it, and once the meter
has shown the battery's last step.
"""

from collections import deque
from dataclasses import dataclass, field

SHOWN = 0.8
"""Of a step of the battery: when the grid has moved by so much against it, the meter has seen it."""
LATEST = 6.0
"""Seconds after which any meter has shown a step: until then the load may have hidden it."""
PATIENCE = 30.0
"""Seconds after which a reading from between two powers is better than none: their mean is half a step wrong."""
GAP = 10.0
"""Seconds without a reading of the battery after which what was known before belongs to nothing any more."""
WAITING = 100


@dataclass(frozen=True)
class Pair:
    """Grid and battery at one time, in W."""

    at: float
    grid: float
    battery: float


@dataclass
class NetLoad:
    """Times are of the monotonic clock, of the arrival of a reading."""

    step: float
    """W: a battery that moved less stands still. Not more than what is worth a write, or small steps swing."""
    cycle: float = 2.0
    """Seconds in which both devices are read once."""
    pair: Pair | None = None
    """The last that belongs together."""
    _waiting: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=WAITING))
    """The meter since the last reading of the battery."""
    _since: float | None = None
    """When the meter was heard first."""
    _power: tuple[float, float] | None = None
    """When the battery was read last, and what it said."""
    _stands: tuple[float, float] = (0.0, 0.0)
    """Since when, and at which power, the battery stands still."""

    @property
    def value(self) -> float | None:
        """W; None until two readings belonged together."""
        return self.pair.grid + self.pair.battery if self.pair else None

    def hear_grid(self, power: float, mono: float) -> None:
        """It is known what it means when the battery has been read again."""
        self._since = mono if self._since is None else self._since
        self._waiting.append((mono, power))

    def hear_battery(self, power: float, mono: float) -> None:
        """The readings of the meter since the last one now stand between two of the battery."""
        last, self._power = self._power, (mono, power)
        if last is not None and mono - last[0] > max(GAP, 3 * self.cycle):
            last, self.pair, self._since = None, None, None
        still = last is not None and abs(power - self._stands[1]) <= self.step
        if not still:
            self._stands = (mono, power)
        if last is not None:
            for at, grid in self._waiting:
                self._judge(Pair(at, grid, (last[1] + power) / 2), still=still)
        self._waiting.clear()

    def _judge(self, pair: Pair, *, still: bool) -> None:
        old = self.pair
        since = old.at if old else self._since or pair.at
        late = pair.at - since >= max(PATIENCE, 3 * self.cycle)
        if late or (still and (old is None or self._shows(old, pair))):
            self.pair = pair

    def _shows(self, old: Pair, new: Pair) -> bool:
        moved = new.battery - old.battery
        if abs(moved) <= self.step or new.at - self._stands[0] >= LATEST:
            return True
        return (old.grid - new.grid) / moved >= SHOWN
