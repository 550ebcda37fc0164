"""Where the energy of an interval went, and what of the load is measured by name."""

from collections.abc import Iterable
from typing import NamedTuple

LEAST, SHARE = 500.0, 0.03
"""W, and of all powers that are added up: meters of class 1 and inverters of 2 % that measure the same moment differ by
no more."""


class Flows(NamedTuple):
    """Wh from where to where, never negative."""

    pv_load: float
    pv_battery: float
    pv_grid: float
    grid_load: float
    grid_battery: float
    battery_load: float
    battery_grid: float


class Rest(NamedTuple):
    """What no meter measures of a load, in W."""

    power: float
    doubted: bool
    """The measured loads draw more than comes in, by more than the meters may be wrong."""


def rest(brings: Iterable[float], loads: Iterable[float], *, moved: float = 0.0) -> Rest:
    """`brings`: W of grid, batteries and PV, positive into the site; `loads`: W that are measured apart.

    `moved`: W that may be seen in one of them and not yet in another.
    """
    into, taken = [*brings], [*loads]
    power = sum(into) - sum(taken)
    return Rest(power, power < -moved - max(LEAST, SHARE * sum(map(abs, (*into, *taken)))))
