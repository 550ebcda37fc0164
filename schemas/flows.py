"""Where the energy of an interval went."""

from typing import NamedTuple


class Flows(NamedTuple):
    """Wh from where to where, never negative."""

    pv_load: float
    pv_battery: float
    pv_grid: float
    grid_load: float
    grid_battery: float
    battery_load: float
    battery_grid: float
