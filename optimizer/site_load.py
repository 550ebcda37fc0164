"""The net load of a site for a loop that is closed over its meter, with delays that it measures by itself. Pure.

The bridge holds limits with it, dispatch follows the load with it: both close a loop over the same meter.
"""

from dataclasses import dataclass, field

from optimizer.delays import Delay
from optimizer.net_load import NetLoad

ASSUMED_DELAY, ASSUMED_DEAD_TIME = 5.0, 5.0
"""Seconds that are assumed until they were measured: too long is slow for a few steps, too short swings."""


@dataclass
class SiteLoad:
    """One battery behind one meter. Powers in W, times of the monotonic clock."""

    rated: float
    """W of the battery."""
    net: NetLoad = field(init=False)
    delay: Delay = field(init=False)
    """Of the meter after the PCS."""
    dead: Delay = field(init=False)
    """Of the PCS after its setpoint."""

    def __post_init__(self) -> None:
        self.net = NetLoad(ASSUMED_DELAY, ASSUMED_DEAD_TIME)
        self.delay, self.dead = Delay(self.rated), Delay(self.rated, held=True)

    @property
    def measured(self) -> bool:
        """The meter's delay was measured; until then it is assumed."""
        return self.delay.value is not None

    @property
    def alone(self) -> bool:
        """The load stands still: what moves at the meter is the battery itself, by the last comparison."""
        return self.delay.alone

    def told(self, at: float, power: float) -> None:
        """A setpoint was written, or sent."""
        self.net.told(at, power)
        self.dead.cause(at, power)

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        self.net.battery(at, power)
        self.delay.cause(at, power)
        self.dead.effect(at, power)

    def meter(self, at: float, grid: float) -> None:
        """The meter was read."""
        self.net.meter(at, grid)
        self.delay.effect(at, -grid)
        delay, dead = self.delay.value, self.dead.value
        self.net.meter_delay = ASSUMED_DELAY if delay is None else max(0.0, delay)
        self.net.dead_time = ASSUMED_DEAD_TIME if dead is None else dead

    def value(self, now: float, meter_age: float, battery_age: float) -> float | None:
        """W; None when either of the two has been silent for more seconds than that."""
        power = self.power(now, battery_age)
        return self.net.value if now - self.net.at <= meter_age and power is not None else None

    def power(self, now: float, age: float) -> float | None:
        """The battery's, W; None when it is older than that."""
        shown = self.net.shown
        return shown[1] if shown is not None and now - shown[0] <= age else None
