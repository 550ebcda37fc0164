"""Why the battery does what it does in a step of a plan, in plain words."""

import numpy as np

from optimizer.bill import peak_means
from optimizer.outlook import Outlook, Vector

SMALL = 50.0
"""W: less is nothing."""


def reasons(outlook: Outlook, power: Vector) -> list[str]:
    """One sentence a step."""
    grid = outlook.load - outlook.pv - power
    peaks = peak_means(outlook, grid) if outlook.demand else {}
    return [_beyond(outlook, grid[step], _why(outlook, power, grid, step, peaks)) for step in range(len(power))]


def _why(outlook: Outlook, power: Vector, grid: Vector, step: int, peaks: dict[int, float]) -> str:
    if power[step] < -SMALL:
        return _charges(outlook, power, grid, step)
    if power[step] <= SMALL:
        return "rests"
    if peaks and _at_peak(outlook, grid, step, peaks):
        return f"holds the {outlook.how.per}'s peak"
    if grid[step] < -SMALL:
        return f"sells at {_price(outlook, outlook.sell[step])}"
    return f"covers the load; {_price(outlook, outlook.buy[step])} now"


def _charges(outlook: Outlook, power: Vector, grid: Vector, step: int) -> str:
    surplus = outlook.pv[step] - outlook.load[step]
    if grid[step] <= SMALL:
        return "stores PV"
    mix = "stores PV and charges" if surplus > SMALL else "charges"
    later = np.flatnonzero(power[step + 1 :] > SMALL) + step + 1
    if not later.size:
        return f"{mix}; {_price(outlook, outlook.buy[step])} now, worth more later"
    dearest = later[np.argmax(outlook.buy[later])]
    clock = outlook.starts[dearest].astimezone(outlook.zone)
    if outlook.buy[dearest] <= outlook.buy[step]:
        return f"{mix} for the peak at {clock:%H:%M}"
    return f"{mix}; {_price(outlook, outlook.buy[step])} now, {outlook.buy[dearest]:.2f} at {clock:%H:%M}"


def _price(outlook: Outlook, price: float) -> str:
    return f"{price:.2f} {outlook.currency}/kWh"


def _at_peak(outlook: Outlook, grid: Vector, step: int, peaks: dict[int, float]) -> bool:
    """The step's billing window stands at the peak of its period, and would pass it if the battery rested."""
    same = [i for i, number in enumerate(outlook.windows) if number == outlook.windows[step]]
    energy = sum(max(float(grid[i]), 0.0) * float(outlook.hours[i]) for i in same)
    energy += outlook.imported if outlook.windows[step] == 0 else 0.0
    return energy * 60 / outlook.minutes >= 0.99 * peaks[outlook.periods[step]] - SMALL


def _beyond(outlook: Outlook, grid: float, why: str) -> str:
    over = grid - outlook.grid.import_limit
    if over > SMALL:
        return f"{why}; {over / 1000:.1f} kW above import_limit are expected all the same"
    over = -grid - outlook.grid.export_limit
    return f"{why}; {over / 1000:.1f} kW above export_limit are expected all the same" if over > SMALL else why
