"""Numbers without the noise of how they are stored. Pure.

A meter that shows 231.561 V holds the nearest 32-bit float to it, which reads 231.56100463867188 with the 64 bits of
everybody else. What is said is the shortest decimal that is stored as the same 32 bits.
"""

import struct
from functools import lru_cache
from math import floor, frexp, log10

_SINGLE = struct.Struct("f")
_DIGITS = 24
"""Bits of the digits of a 32-bit float."""


def shortest(stored: float) -> float:
    """The shortest decimal with the same 32 bits. `stored` is finite and such a float."""
    fraction, exponent = frexp(stored)
    known = _KNOWN.get(exponent)
    if known is None or fraction in (0.5, -0.5):  # the next float below a power of two is nearer than the one above
        return _by_trial(stored)
    half, coarse, fine = known
    found = round(stored * coarse) / coarse
    return found if -half < found - stored < half else round(stored * fine) / fine


@lru_cache(maxsize=1000)
def factor(scale: float, power: int) -> tuple[float, bool]:
    """What to multiply with or to divide by: dividing by 10 is exact in the digits that count, 0.1 is not."""
    if power:
        scale *= 10.0**power
    divide = 0 < abs(scale) < 1
    exact = 1 / scale if divide else scale
    whole = float(round(exact))  # 0.1 * 10^-5 is a millionth, and not quite one in the machine
    return (whole if abs(exact - whole) < abs(exact) * 1e-12 else exact), divide


def _steps(exponent: int) -> tuple[float, float, float] | None:
    """Of the floats from 2^(exponent - 1) to 2^exponent: half their distance, and the powers of ten for the last
    decimal place that is wider than it, where one of several may be meant, and for the next, where one always is."""
    distance = 2.0 ** (exponent - _DIGITS)
    places = floor(-log10(distance))
    return (distance / 2, 10.0**places, 10.0 ** (places + 1)) if 0 <= places < 22 else None


_KNOWN = {exponent: steps for exponent in range(-60, 30) if (steps := _steps(exponent)) is not None}


def _by_trial(stored: float) -> float:
    for digits in range(1, 9):
        found = float(f"{stored:.{digits}g}")
        if _SINGLE.unpack(_SINGLE.pack(found))[0] == stored:
            return found
    return float(f"{stored:.9g}")
