"""From where to where a quantity can move in so many seconds. Pure."""

from collections.abc import Callable

from schemas.register import Point

Course = Callable[[float, float, float], float | None]
"""Whether a value (the second) can have come from an earlier one (the first), so many seconds ago (the third): gives
from where the next one is measured, None when it cannot."""

HEADROOM = 2.0
"""So many times its rated power a device may give before its SoC is doubted: ratings are not limits."""

C_RATE = 4.0
"""Per hour, of a battery whose ratings nobody knows: none is full or empty in less than a quarter of an hour."""

STEPS = 2
"""Of a register: its rounding at both ends."""

SOC_STEP = 1.0
"""% at least: many a register of finer steps moves once a minute, or by whole percent."""


def moving(steepest: float) -> Course:
    """No faster than the profile says, in the unit per second."""
    return lambda before, value, seconds: value if abs(value - before) <= steepest * seconds else None


def charging(point: Point, power: float | None, energy: float | None) -> Course:
    """A SoC in % moves no faster than the rated power in W can fill or empty the energy in Wh. Two steps of its
    register it may be ahead, but no farther: what moves a step too many in each reading is found as well."""
    rate = (C_RATE if power is None or not energy else HEADROOM * power / energy) * 100 / 3600
    ahead = STEPS * max(abs(point.scale), SOC_STEP)

    def course(before: float, value: float, seconds: float) -> float | None:
        reached = max(before - rate * seconds, min(before + rate * seconds, value))
        return reached if abs(value - reached) <= ahead else None

    return course
