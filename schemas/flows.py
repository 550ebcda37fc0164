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


def autarky(imported: float | None, load: float | None) -> float | None:
    """The part of the load that came from the site itself, 0 to 1; None while it is unknown or nothing was used."""
    if imported is None or load is None or load <= 0:
        return None
    return max(0.0, 1 - imported / load)


def self_consumption(exported: float | None, pv: float | None) -> float | None:
    """The part of the PV that was not fed in, from 0 to 1; None while it is unknown or there was no PV."""
    if exported is None or pv is None or pv <= 0:
        return None
    return max(0.0, 1 - exported / pv)


def saved(paid: tuple[float, float], rested: tuple[float | None, float | None], wear: float | None) -> float | None:
    """Money that a battery has saved, its wear deducted; energy and demand as they were `paid`, and as they would have
    been had it `rested`. None is unknown."""
    energy, demand = rested
    if energy is None or demand is None or wear is None:
        return None
    return energy + demand - sum(paid) - wear
