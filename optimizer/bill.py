"""What a schedule of battery powers costs, with the wear and with what it leaves in the battery."""

import numpy as np

from optimizer.outlook import Outlook, Vector


def stored(outlook: Outlook, power: Vector) -> Vector:
    """The energy in Wh at the end of each step."""
    both = outlook.battery.efficiency
    change = np.where(power < 0, -power * both, -power / both) * outlook.hours
    return np.asarray(outlook.battery.energy * outlook.soc / 100 + np.cumsum(change))


def peaks(outlook: Outlook, grid: Vector) -> list[Vector]:
    """W by charge and period of the steps: what stands already, or the highest mean import."""
    return [windows.peaks(grid, outlook.hours) for windows in outlook.windows]


def paid(outlook: Outlook, grid: Vector) -> Vector:
    """W that are fed in and paid for: of PV that gives way beyond the limit none, and less where it costs money."""
    out = np.maximum(-grid, 0)
    curtailed = np.where(outlook.sell < 0, np.minimum(out, outlook.surplus), np.maximum(out - outlook.export_limit, 0))
    return np.asarray(np.where(outlook.gives_way, out - curtailed, out))


def cost(outlook: Outlook, power: Vector) -> float:
    """The bill of the steps, less what the energy gained in the battery is worth."""
    grid = outlook.load - outlook.pv - power
    energy = np.maximum(grid, 0) @ (outlook.buy * outlook.hours) - paid(outlook, grid) @ (outlook.sell * outlook.hours)
    wear = outlook.battery.wear * float(np.maximum(power, 0) @ outlook.hours)
    gained = float(stored(outlook, power)[-1]) - outlook.battery.energy * outlook.soc / 100
    return (float(energy) + wear - outlook.stored_value * gained) / 1000 + demand(outlook, power)


def demand(outlook: Outlook, power: Vector) -> float:
    """Of the same bill what its peaks cost, beyond those that are billed already."""
    made = zip(outlook.windows, peaks(outlook, outlook.load - outlook.pv - power), strict=True)
    return sum(windows.cost(found) for windows, found in made)


def carbon(outlook: Outlook, power: Vector) -> float:
    """What the CO2 of the steps costs, less that of the energy gained in the battery: beside the money of the bill."""
    grid = np.maximum(outlook.load - outlook.pv - power, 0)
    gained = float(stored(outlook, power)[-1]) - outlook.begin
    return (float(grid @ ((outlook.weighed - outlook.buy) * outlook.hours)) - outlook.stored_carbon * gained) / 1000
