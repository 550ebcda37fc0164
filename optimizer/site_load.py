"""The net load of a site for a loop that is closed over its meter, with delays that it measures by itself. Pure.

The bridge holds limits with it, dispatch follows the load with it: both close a loop over the same meter.
"""

from collections import deque
from dataclasses import dataclass, field

from optimizer.delays import DeadTime, MeterDelay
from optimizer.net_load import NetLoad

ASSUMED_DELAY, ASSUMED_DEAD_TIME = 1.5, 3.0
"""Seconds that are assumed until they were measured."""
SLACK = 0.3
"""Seconds added to what was measured: readings have their own raster."""
ENOUGH = 5
"""Measurements until a delay shorter than the assumed one is believed: a meter that averages looks quick at first."""
FIT_EVERY = 2.0
"""Seconds between two comparisons of meter and battery."""


@dataclass
class SiteLoad:
    """One battery behind one meter. Powers in W, times of the monotonic clock."""

    rated: float
    """W of the battery."""
    net: NetLoad = field(init=False)
    delay: MeterDelay = field(init=False)
    dead: DeadTime = field(init=False)
    alone: bool = False
    """What moves at the meter is the battery itself, by the last comparison."""
    measured: bool = False
    """The meter's delay was measured; until then it is assumed."""
    _delays: deque[float] = field(default_factory=lambda: deque(maxlen=15))
    _fitted: float = float("-inf")

    def __post_init__(self) -> None:
        self.net = NetLoad(ASSUMED_DELAY, ASSUMED_DEAD_TIME)
        self.delay, self.dead = MeterDelay(self.rated), DeadTime(self.rated, ASSUMED_DEAD_TIME)

    def told(self, at: float, power: float) -> None:
        """A setpoint was written, or sent."""
        self.net.told(at, power)
        self.dead.told(at, power)

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        self.net.battery(at, power)
        self.delay.battery(at, power)
        self.dead.battery(at, power)
        self.net.dead_time = self.dead.value + SLACK

    def meter(self, at: float, grid: float) -> None:
        """The meter was read."""
        self.net.meter(at, grid)
        self.delay.meter(at, grid)
        self._measure(at)

    def value(self, now: float, meter_age: float, battery_age: float) -> float | None:
        """W; None when either of the two has been silent for more seconds than that."""
        power = self.power(now, battery_age)
        return self.net.value if now - self.net.at <= meter_age and power is not None else None

    def power(self, now: float, age: float) -> float | None:
        """The battery's, W; None when it is older than that."""
        shown = self.net.shown
        return shown[1] if shown is not None and now - shown[0] <= age else None

    def _measure(self, now: float) -> None:
        if now - self._fitted < FIT_EVERY:
            return
        self._fitted = now
        fit = self.delay.fit()
        self.alone = fit is not None and fit.clear and fit.alone
        # A load that moves is followed by the battery, and looks like a delay of the meter: only a still one tells.
        if fit is not None and self.alone:
            self.measured = True
            self._delays.append(max(0.0, fit.delay))
            # A delay that is assumed too short swings, one too long is slow: the longest, but for a few that stand out.
            found = sorted(self._delays)
            longest = found[-1 - len(found) // 5] + SLACK
            self.net.meter_delay = longest if len(found) >= ENOUGH else max(longest, ASSUMED_DELAY)
