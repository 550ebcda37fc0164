"""From where to where a quantity can move in so many seconds. Pure."""

from collections.abc import Callable

from schemas.profile import WORDS, Point

Course = Callable[[float, float, float], float | None]
"""Whether a value (the second) can have come from an earlier one (the first), so many seconds ago (the third): gives
from where the next one is measured, None when it cannot."""

HEADROOM = 2.0
"""So many times its rated power a device may give before its counter or SoC is doubted: ratings are not limits."""

C_RATE = 4.0
"""Per hour, of a battery whose ratings nobody knows: none is full or empty in less than a quarter of an hour."""

SINGLE = 2.0**-23
"""The relative step of a float of two registers: a counter of 20 GWh moves in steps of 2 kWh."""

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


def counting(point: Point, power: float | None) -> Course:
    """A counter of Wh moves forwards, no faster than the power in W, or over the end of its register."""
    span = _span(point)

    def course(before: float, value: float, seconds: float) -> float | None:
        step = max(abs(point.scale), abs(value) * SINGLE)
        most = 1e300 if power is None else HEADROOM * power * seconds / 3600 + STEPS * step
        if value >= before:
            return value if value - before <= most else None
        # without a rating only the last thousandth of a register counts as near its end
        return value if span is not None and value - before + span <= min(most, span / 1000) else None

    return course


def _span(point: Point) -> float | None:
    """What a counter loses when its register wraps; None where the scale is not fixed or the register too wide."""
    bits = 16 * WORDS[point.type]
    whole = point.type.startswith(("u", "i")) and bits <= 32 and point.scale_register is None
    return abs(point.scale) * 2.0**bits if whole else None
