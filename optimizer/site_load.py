"""The net load of a site for a loop that is closed over its meter, with delays that it measures by itself. Pure.

The bridge holds limits with it, dispatch follows the load with it: both close a loop over the same meter.
"""

from collections import deque
from dataclasses import dataclass, field

from optimizer.delays import Delay
from optimizer.meter_doubt import MeterDoubt
from optimizer.net_load import NetLoad
from schemas.site_device import UNSAID

ASSUMED_DELAY, ASSUMED_DEAD_TIME = UNSAID, 5.0
"""Seconds that are assumed until they were measured. Too long is slow for the first steps, too short swings once."""
AGE = 5.0
"""Seconds, at usual polls."""
STILL, LATELY = 0.3, 20.0
"""Of what the battery moved in so many seconds: a net load that moved less has stood still."""


@dataclass
class SiteLoad:
    """One battery behind one meter. Powers in W, times of the monotonic clock."""

    rated: float
    """W of the battery."""
    dead_time: float = ASSUMED_DEAD_TIME
    """Seconds from a setpoint until the PCS shows that it works, as long as they were not measured here."""
    meter_age: float = AGE
    """Seconds after which what the meter showed is too old."""
    battery_age: float = AGE
    """The same of the PCS. After such a silence nothing is known of where the battery was, and it begins anew."""
    least: float = 0.0
    """Seconds of dead time below which no measurement is believed."""
    assumed: float = ASSUMED_DELAY
    """Seconds by which the meter is late, as long as that was not measured here."""
    known_delay: float | None = None
    """Seconds by which the meter is late, as the site file says. What is measured here may be more, and never less."""
    net: NetLoad = field(init=False)
    doubt: MeterDoubt = field(default_factory=MeterDoubt)
    delay: Delay = field(init=False)
    """Of the meter after the PCS."""
    dead: Delay = field(init=False)
    """Of the PCS after its setpoint."""
    _steered: bool = False
    _lately: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=400))
    """When the meter was read, the net load then and the battery's power."""

    def __post_init__(self) -> None:
        self.delay, self.dead = Delay(self.rated), Delay(self.rated, held=True)
        self.net = NetLoad(self.late, self.dead_time)

    @property
    def measured(self) -> bool:
        """The meter's delay was measured, or said; until then it is assumed."""
        return self.delay.done is not None or self.known_delay is not None

    @property
    def meter_late(self) -> float:
        """Seconds by which the meter is late, as far as that was measured, or said."""
        return max(0.0, self.delay.done or 0.0, self.known_delay or 0.0)

    @property
    def late(self) -> float:
        """Seconds by which the meter may be late: assumed where that was not measured, nor said."""
        return max(self.meter_late, self.doubt.latest) if self.measured else self.assumed

    @property
    def shows(self) -> float:
        """Seconds after which the meter shows what the battery did, with whichever sign."""
        known = self.delay.shows
        seconds = max(self.assumed, self.delay.done or 0.0) if known is None else max(0.0, known)
        return max(seconds, self.known_delay or 0.0)

    @property
    def alone(self) -> bool:
        """The load stands still while the battery moves: what moves at the meter is the battery itself.

        The delay alone does not prove it: a load that goes up and down by the clock, and a battery that follows it,
        look like a later meter. But then the net load moves, too, and by as much.
        """
        loads, powers = [load for _, load, _ in self._lately], [power for _, _, power in self._lately]
        return self.delay.alone and max(loads) - min(loads) <= STILL * (max(powers) - min(powers))

    def told(self, at: float, power: float) -> None:
        """A setpoint was written, or sent."""
        self._steered = True
        self.net.told(at, power)
        self.dead.cause(at, power)

    def battery(self, at: float, power: float) -> None:
        """The PCS was read. Until it is told something else it was told what it gives."""
        if self.net.shown is not None and at - self.net.shown[0] > self.battery_age:
            self.net.forget()
        self.net.battery(at, power)
        self.delay.cause(at, power)
        if not self._steered:
            self.dead.cause(at, power)
        self.dead.effect(at, power)
        self.net.dead_time = self.dead_time if self.dead.begun is None else max(self.least, self.dead.begun)

    def meter(self, at: float, grid: float) -> None:
        """The meter was read."""
        self.net.meter(at, grid)
        self.delay.effect(at, -grid)
        self.doubt.see(at, grid, self.delay.done)
        self.net.meter_delay = self.late
        if self.net.value is not None and self.net.shown is not None:
            self._lately.append((at, self.net.value, self.net.shown[1]))
            while self._lately[0][0] < at - LATELY:
                self._lately.popleft()

    def value(self, now: float) -> float | None:
        """W; None while one of the two is silent."""
        return self.net.value if now - self.net.at <= self.meter_age and self.power(now) is not None else None

    def power(self, now: float) -> float | None:
        """The battery's, W; None while it is silent."""
        shown = self.net.shown
        return shown[1] if shown is not None and now - shown[0] <= self.battery_age else None
