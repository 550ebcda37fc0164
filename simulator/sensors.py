"""What a device's own sensors make of the truth: noise of a realistic size, and a SoC that is wrong. Pure.

Counters, setpoints, limits and states are numbers in a memory: they have no noise. All else has.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Point
from schemas.units import Kind

EXACT = re.compile(
    r"[pq]_set\w*|p_limit_pct|throttle_pct|[cd]cl|u_charge_max|u_discharge_min|p_max_\w+|s_max|p_rated|soh"
)
"""What has the unit of a measurement, and is a setting, a limit or a promise."""


@dataclass(frozen=True, slots=True)
class Noise:
    """One standard deviation."""

    share: float
    """Of the value."""
    floor: float
    """In the unit of the value; for powers per unit of the rating."""


NOISE: dict[Kind, dict[str, Noise]] = {
    # class 0.5: of the meter and of its current transformers
    Kind.METER: {
        "W": Noise(0.001, 1e-4), "var": Noise(0.002, 2e-4), "VA": Noise(0.001, 1e-4),
        "A": Noise(0.001, 0.02), "V": Noise(0.0005, 0.0), "Hz": Noise(0.0, 0.002), "": Noise(0.001, 0.0),
        "degC": Noise(0.0, 0.3), "%": Noise(0.01, 0.0),
    },
    # an inverter measures to steer itself, not to be billed by
    Kind.PCS: {
        "W": Noise(0.002, 5e-4), "var": Noise(0.003, 1e-3), "VA": Noise(0.002, 5e-4),
        "A": Noise(0.003, 0.1), "V": Noise(0.001, 0.0), "Hz": Noise(0.0, 0.005), "": Noise(0.002, 0.0),
        "degC": Noise(0.0, 0.3), "%": Noise(0.0, 0.02),
    },
    Kind.PV: {
        "W": Noise(0.003, 3e-4), "var": Noise(0.003, 1e-3), "VA": Noise(0.003, 3e-4),
        "A": Noise(0.003, 0.05), "V": Noise(0.001, 0.0), "Hz": Noise(0.0, 0.005), "": Noise(0.002, 0.0),
        "degC": Noise(0.0, 0.3), "%": Noise(0.0, 0.02),
    },
    Kind.BMS: {
        "W": Noise(0.003, 5e-4), "A": Noise(0.002, 0.05), "V": Noise(0.0, 1e-3), "Hz": Noise(0.0, 0.005),
        "degC": Noise(0.0, 0.1), "%": Noise(0.0, 0.02),
    },
}  # fmt: skip
"""By kind of device and unit; a BMS's volts are those of a cell."""
IN_SERIES = 15.5
"""The error of a battery's voltage is that of one cell times the root of their number (240)."""


@dataclass
class Sensors:
    """Of one device."""

    profile: Profile
    rated: float
    """W: what its powers are measured in."""
    on: Callable[[], Mapping[str, float]]
    """Its faults."""
    random: Random
    noisy: bool = True
    used_up: Callable[[str], None] = lambda _: None
    """Called with a fault that happens once, when it has happened."""
    _sizes: dict[str, tuple[Noise, Point]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = NOISE.get(self.profile.kind, {})
        for name, point in self.profile.points.items():
            if self.noisy and point.unit in known and not EXACT.fullmatch(name) and _is_number(name, point):
                self._sizes[name] = _sized(known[point.unit], name, point, self.rated), point

    def __call__(self, name: str, value: Value) -> Value | None:
        """What it tells of a true value; None where it cannot tell."""
        if name == "soc" and (on := self.on()):
            if "soc_nan" in on:
                return None
            if "soc_zero_once" in on:
                self.used_up("soc_zero_once")
                return 0.0
            if "soc_jump" in on and isinstance(value, float):
                value += on["soc_jump"] if value + on["soc_jump"] <= 100 else -on["soc_jump"]
        if name == "contactor" and "contactor_unknown" in self.on():
            return None
        return self._blurred(name, value) if isinstance(value, float) else value

    def _blurred(self, name: str, value: float) -> float:
        found = self._sizes.get(name)
        if found is None:
            return value
        noise, point = found
        value += self.random.gauss(0.0, noise.floor + noise.share * abs(value))
        low, high = point.low, point.high
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value


def _is_number(name: str, point: Point) -> bool:
    if not point.unit and name != "pf":  # a count, a code, a name
        return False
    return point.type != "text" and not (point.enum or point.first or point.flags)


def _sized(noise: Noise, name: str, point: Point, rated: float) -> Noise:
    if point.unit in ("W", "var", "VA"):
        return Noise(noise.share, noise.floor * rated)
    if point.unit == "V" and not name.startswith("cell"):
        return Noise(noise.share, noise.floor * IN_SERIES)
    return noise
