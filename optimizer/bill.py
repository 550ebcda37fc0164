"""What a schedule of battery powers costs, with the wear and with what it leaves in the battery."""

import numpy as np

from optimizer.outlook import Outlook, Vector


def stored(outlook: Outlook, power: Vector) -> Vector:
    """The energy in Wh at the end of each step."""
    both = outlook.battery.efficiency
    change = np.where(power < 0, -power * both, -power / both) * outlook.hours
    return np.asarray(outlook.battery.energy * outlook.soc / 100 + np.cumsum(change))


def peak_means(outlook: Outlook, grid: Vector) -> dict[int, float]:
    """The billed peak in W of each period the steps touch: what is due already, or the highest mean import."""
    return dict(enumerate(np.maximum(outlook.due, outlook.highest(grid)).tolist()))


def cost(outlook: Outlook, power: Vector) -> float:
    """The bill of the steps, less what the energy gained in the battery is worth."""
    grid = outlook.load - outlook.pv - power
    energy = np.maximum(grid, 0) @ (outlook.buy * outlook.hours) - np.maximum(-grid, 0) @ (outlook.sell * outlook.hours)
    wear = outlook.battery.wear * float(np.maximum(power, 0) @ outlook.hours)
    gained = float(stored(outlook, power)[-1]) - outlook.battery.energy * outlook.soc / 100
    peaks = sum(peak_means(outlook, grid).values()) - float(outlook.due.sum()) if outlook.demand else 0.0
    return (float(energy) + wear - outlook.stored_value * gained + outlook.demand * peaks) / 1000
