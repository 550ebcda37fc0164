"""How exactly the numbers of a plan are said: what stands behind the last digit nobody can measure or pay. Pure."""

from typing import overload

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
WATT, PERCENT, PRICE, SECOND = 1, 3, 6, 3
"""Decimals of a W, of a % of SoC (2 Wh of 200 kWh), of money, alone and per kWh, and of a second."""

TINY = 1000.0
"""Wh: of a smaller battery a tenth of a W would move the SoC."""


def watts_of(energy: float) -> int:
    """Decimals of the power of a battery of so many Wh."""
    return WATT if energy >= TINY else 3


@overload
def rounded(given: float, decimals: int) -> float: ...
@overload
def rounded(given: Vector, decimals: int) -> Vector: ...
def rounded(given: Vector | float, decimals: int) -> Vector | float:
    """Without a -0.0."""
    if isinstance(given, np.ndarray):
        return np.asarray(np.round(given, decimals) + 0.0)
    return round(given, decimals) + 0.0
