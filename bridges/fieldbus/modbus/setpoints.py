"""What a device can be told, in W, var or the unit of its profile, and how its registers show it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bridges.fieldbus.contract import Writable
from bridges.fieldbus.modbus.codec import pack
from bridges.fieldbus.modbus.direction import beside, mode, rests
from schemas.messages import Value
from schemas.profile import Profile
from schemas.register import Setpoint

PERCENT = {"p_set_pct": "p_set", "q_set_pct": "q_set"}
"""Setpoints that a device takes in percent of its rating are given in W and var all the same."""

EEPROM_INTERVAL, EEPROM_PER_DAY, RAM_PER_DAY = 300.0, 50, 100_000
"""When the profile does not say: 100 000 writes wear a cell out, 50 a day make five years of that."""

FACTOR = "pf_set"
NEAR = 1e-6
"""Of a register's step: less is the rounding of a float."""


@dataclass(frozen=True, slots=True)
class Target:
    """A setpoint of the profile under the name and in the unit of joulebus."""

    key: str
    """The profile's own name of it, and of the point that reads it back."""
    setpoint: Setpoint
    unit: float
    """W or var of one in the setpoint's unit."""
    writable: Writable
    opposite: str | None = None
    """The point that reads its register with the other sign, as the same value."""

    def step(self, power: int) -> float:
        """By how much the register moves the value while its scale is 10^`power`; 0 for a float."""
        return 0.0 if self.setpoint.type.startswith("f") else abs(self.setpoint.scale) * 10.0**power * self.unit

    def words(self, value: float, power: int, order: str) -> list[int]:
        """The words of the register for a value; of two neighbours the one nearer to 0, for a limit was counted in.

        Raises struct.error, ValueError or OverflowError when it does not fit.
        """
        raw = value / self.unit / (self.setpoint.scale * 10.0**power)
        if self.setpoint.type.startswith("f"):
            return pack(self.setpoint, raw, order)
        near = round(raw)
        if self.writable.name == FACTOR and abs(raw * self.step(power)) >= 1 - NEAR:
            return pack(self.setpoint, abs(near), order)  # 1 and -1 are the same, and not every device takes -1
        beyond = abs(near) > abs(raw) + NEAR
        return pack(self.setpoint, near - int(math.copysign(1, raw)) if beyond else near, order)

    def beside(self, profile: Profile, value: float) -> dict[str, Value]:
        """What the points show of that which goes with the value (enable, mode, companions) while it is held."""
        return beside(profile, self.setpoint, value / self.unit)

    def held(self, profile: Profile, value: float, seen: Mapping[str, Value]) -> float | None:
        """What a reading shows that the device holds where it was told `value`; see `FieldDevice.held`."""
        wanted = self.beside(profile, value)
        if any(seen.get(point, shows) != shows for point, shows in wanted.items()):
            # an enable may fall by the device's own timer; a mode is changed by somebody
            return math.inf if self.setpoint.modes is None else math.nan
        shown = [seen.get(point) for point in (self.key, self.opposite) if point is not None]
        modes = self.setpoint.modes
        if modes is not None and rests(modes) and mode(modes, value / self.unit, self.setpoint.scale) == modes.zero:
            return 0.0 if wanted.keys() <= seen.keys() else None  # a device may keep another amount than 0
        amounts = [one * self.unit for one in shown if isinstance(one, float)]
        if len(amounts) < len(shown) or not wanted.keys() <= seen.keys():
            return None
        amount = max(amounts, key=lambda one: abs(one - value))  # both must hold it
        same = self.writable.name == FACTOR and min(abs(amount), abs(value)) >= 1 - NEAR
        return value if same else amount


def targets(profile: Profile, rated: float, apparent: float) -> dict[str, Target]:
    """Every command of a profile, for a device of this size (W, VA), by the name of joulebus."""
    return {
        PERCENT.get(key, key): _target(key, setpoint, rated, apparent, opposite(profile, setpoint))
        for key, setpoint in profile.commands.items()
    }


def opposite(profile: Profile, setpoint: Setpoint) -> str | None:
    """The point that reads the register of a setpoint's other sign."""
    if setpoint.opposite is None:
        return None
    place = (setpoint.model, setpoint.opposite)
    return next((name for name, point in profile.points.items() if (point.model, point.register_) == place), None)


def _target(key: str, setpoint: Setpoint, rated: float, apparent: float, opposite: str | None) -> Target:
    name = PERCENT.get(key, key)
    unit = (apparent if name == "q_set" else rated) / 100 if key in PERCENT else 1.0
    limit = rated if key in ("p_set", "q_set") else unit
    eeprom = setpoint.memory == "eeprom"
    interval = (EEPROM_INTERVAL if eeprom else 0.0) if setpoint.interval is None else setpoint.interval
    per_day = (EEPROM_PER_DAY if eeprom else RAM_PER_DAY) if setpoint.per_day is None else setpoint.per_day
    writable = Writable(
        name,
        low=setpoint.low * limit,
        high=setpoint.high * limit,
        fallback=None if setpoint.fallback is None else setpoint.fallback * limit,
        deadband=setpoint.deadband * limit,
        interval=interval,
        per_day=per_day,
        wears=eeprom,
        unseen=setpoint.unseen,
    )
    return Target(key, setpoint, unit, writable, opposite)
