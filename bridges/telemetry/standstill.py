"""Whether a battery's BMS stands still although current flows. Pure: `now` is the monotonic clock.

While current flows nothing that a BMS measures is constant. Its current sensor (0.1 to 0.5 % of its range) and the
ripple of the inverter's control move the last digits of `i` from one reading to the next. The voltage alone says
little: in the flat middle of an LFP cell 10 kW from 200 kWh move the pack by 0.1 V, one step of its register, in five
minutes. So all that it measures must stand still, `u` and `i` first of all. SoC and limits say nothing: they move in
steps of minutes; nor does a counter that only counts seconds.

Measured in a day of 3 to 50 kW from 200 kWh, in the steps of the shipped profiles, with a noise of 0.05 % of the rated
current in `i` and none elsewhere: an honest BMS stands still for 16 s at most, with 0.02 % for 46 s. Without any noise
it would for minutes: then it cannot be told from a frozen one.

At rest nothing moves for hours, and nothing is frozen. What was found frozen stays so at rest, too, until it moves:
otherwise the limits would come back each time the battery had stopped for want of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Point
from schemas.units import Kind

FROZEN = 45.0
"""Seconds of current after which a BMS that stands still is frozen, unless its profile says `frozen_after`."""

READINGS = 20
"""And in so many readings at least: a slow poll sees fewer chances to move."""

FLOWS = 0.02
"""Of the rated power: less is what an inverter consumes at rest, or the offset of a sensor."""

GAP = 10.0
"""Seconds: how much of a time without readings counts at most."""

NOT_MEASURED = frozenset({"ccl", "dcl", "u_charge_max", "u_discharge_min"})
"""Volts and amperes that are limits."""


def flows(power: float | None, rated: float) -> bool:
    """Whether a measured power, such as that of the battery's PCS, is a current. None: it is not known."""
    return power is not None and abs(power) > FLOWS * rated


@dataclass
class Standstill:
    """Of one BMS: what it measured last, and for how long current has flowed since that last moved."""

    profile: Profile
    power: float | None
    """W it is built for; None when nobody knows."""
    poll: float
    """Seconds between two readings."""
    _held: dict[str, float] = field(default_factory=dict)
    _flowed: float = 0.0
    _readings: int = 0
    _last: tuple[float, bool] | None = None
    """The last reading, and whether current flowed."""
    _measured: frozenset[str] = frozenset()
    _after: float = math.inf

    def __post_init__(self) -> None:
        points, after = self.profile.points, self.profile.frozen_after
        if self.profile.kind is Kind.BMS and points.keys() & {"u", "i"} and after != 0:
            self._after = FROZEN if after is None else after
            self._measured = frozenset(name for name, point in points.items() if _is_measured(name, point))

    def lasts(self, values: Mapping[str, Value], now: float, *, current: bool) -> bool:
        """Note a reading; gives whether the BMS is frozen. `current`: it flows, as seen from outside."""
        if not self._measured:
            return False
        seen = {name: value for name in self._measured if isinstance(value := values.get(name), float)}
        current = current or self._says_current(seen)
        if any(self._held.get(name, value) != value for name, value in seen.items()):
            self._flowed, self._readings = 0.0, 0
        elif current and self._last is not None and self._last[1]:
            self._flowed += min(now - self._last[0], max(GAP, 2 * self.poll))
            self._readings += 1
        self._held |= seen
        self._last = (now, current)
        return self._flowed >= self._after and self._readings >= READINGS

    def _says_current(self, seen: Mapping[str, float]) -> bool:
        u, i = seen.get("u"), seen.get("i")
        return u is not None and i is not None and self.power is not None and flows(u * i, self.power)


def _is_measured(name: str, point: Point) -> bool:
    return point.unit in ("V", "A", "degC") and name not in NOT_MEASURED
