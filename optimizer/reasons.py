"""Why the battery does what it does in a step of a plan, in plain words."""

import numpy as np

from optimizer.bill import peaks
from optimizer.outlook import Outlook, Vector
from schemas.messages import Direction

SMALL = 50.0
"""W: less is nothing."""


def reasons(outlook: Outlook, power: Vector) -> list[str]:
    """One sentence a step."""
    grid = outlook.load - outlook.pv - power
    at_peak = _at_peak(outlook, grid)
    why = [_why(outlook, power, grid, step, at_peak[step]) for step in range(len(power))]
    return ["; ".join([words, *_limited(outlook, float(grid[step]), step)]) for step, words in enumerate(why)]


def _why(outlook: Outlook, power: Vector, grid: Vector, step: int, at_peak: str) -> str:
    if power[step] < -SMALL:
        return _charges(outlook, power, grid, step)
    if power[step] <= SMALL:
        return "rests"
    if at_peak:
        return at_peak
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


def _at_peak(outlook: Outlook, grid: Vector) -> list[str]:
    """By step: which peak its billing window stands at, and would pass if the battery rested."""
    words = [""] * len(outlook.starts)
    for windows, made in zip(outlook.windows, peaks(outlook, grid), strict=True):
        component = windows.charge.component
        of = f" of {component.name}" if len(outlook.charges) > 1 else ""
        for number, mean in enumerate(windows.means(grid, outlook.hours)):
            if mean >= 0.99 * made[windows.periods[number]] - SMALL:
                for step in np.flatnonzero(windows.of[number]):
                    words[step] = words[step] or f"holds the {component.per}'s peak{of}"
    return words


def _limited(outlook: Outlook, grid: float, step: int) -> list[str]:
    """Which limit of the grid connection shapes the step: one that was sent and is reached, or any that is passed."""
    into, out = float(outlook.import_limit[step]), float(outlook.export_limit[step])
    return [*_side(outlook, grid, into, step, "consumption"), *_side(outlook, -grid, out, step, "feed_in")]


def _side(outlook: Outlook, flow: float, most: float, step: int, direction: Direction) -> list[str]:
    one, name = outlook.limiting(step, direction), "import" if direction == "consumption" else "export"
    limit = f"{name}_limit" if one is None else f"the {name} limit of {most / 1000:.1f} kW by {one.source}"
    contract = outlook.contract(step) if direction == "consumption" else ""
    if contract:
        limit = f"the {most / 1000:.1f} kW of the contract of {contract}"
    elif one is not None and one.scope == "steerable":
        limit = f"the {one.power / 1000:.1f} kW that batteries may draw by {one.source}"
    if flow > most + SMALL:
        over = f"{(flow - most) / 1000:.1f} kW"
        if outlook.gives_way[step] and direction == "feed_in":
            return [f"{over} of PV are curtailed for {limit}"]
        return [f"{over} above {limit} are expected all the same"]
    return [f"held by {limit}"] if (contract or one is not None) and flow > most - SMALL else []
