"""Why the battery does what it does in a step of a plan, in plain words."""

import numpy as np

from optimizer.bill import peak_means
from optimizer.outlook import Outlook, Vector
from schemas.messages import Direction

SMALL = 50.0
"""W: less is nothing."""


def reasons(outlook: Outlook, power: Vector) -> list[str]:
    """One sentence a step."""
    grid = outlook.load - outlook.pv - power
    peaks = peak_means(outlook, grid) if outlook.demand else {}
    why = [_why(outlook, power, grid, step, peaks) for step in range(len(power))]
    return ["; ".join([words, *_limited(outlook, float(grid[step]), step)]) for step, words in enumerate(why)]


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


def _limited(outlook: Outlook, grid: float, step: int) -> list[str]:
    """Which limit of the grid connection shapes the step: one that was sent and is reached, or any that is passed."""
    into, out = float(outlook.import_limit[step]), float(outlook.export_limit[step])
    return [*_side(outlook, grid, into, step, "consumption"), *_side(outlook, -grid, out, step, "feed_in")]


def _side(outlook: Outlook, flow: float, most: float, step: int, direction: Direction) -> list[str]:
    one, name = outlook.limiting(step, direction), "import" if direction == "consumption" else "export"
    limit = f"{name}_limit" if one is None else f"the {name} limit of {most / 1000:.1f} kW by {one.source}"
    if one is not None and one.scope == "steerable":
        limit = f"the {one.power / 1000:.1f} kW that batteries may draw by {one.source}"
    if flow > most + SMALL:
        over = f"{(flow - most) / 1000:.1f} kW"
        if outlook.gives_way[step] and direction == "feed_in":
            return [f"{over} of PV are curtailed for {limit}"]
        return [f"{over} above {limit} are expected all the same"]
    return [f"held by {limit}"] if one is not None and flow > most - SMALL else []
