"""What a load costs at each power it could take in each step: the site's price of energy at the margin, with what the
battery and the billed peak make of it. Pure.

Of a plan for the battery: where it discharges below its rating one more kWh of load is one more discharged, worth / eff
+ wear; where it charges, one less charged, worth x eff; else the grid's price. What would be fed in costs what it would
earn. Beyond the peak that the plan means to reach, a kW for the length h of a step costs its part of a billing window,
price x h / window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.outlook import Outlook, Vector
from schemas.messages import Step

SMALL = 50.0
"""W: less is nothing."""
BEYOND = 100.0
"""Per kWh beyond the import limit: dearer than any energy."""


@dataclass(frozen=True)
class Marginal:
    """Arrays of steps by tiers: the first tier is used first."""

    hours: Vector
    widths: Vector
    """W of each tier; the last one is infinite."""
    prices: Vector
    """Per kWh."""

    def cost(self, power: Vector, step: int) -> Vector:
        """Of powers in W in one step, in the currency of the prices."""
        begins = np.concatenate([[0.0], np.cumsum(self.widths[step])[:-1]])
        used = np.clip(power[..., np.newaxis] - begins, 0.0, self.widths[step])
        return np.asarray(used @ self.prices[step] * self.hours[step] / 1000)

    @property
    def dearest(self) -> float:
        """The highest amount of any price."""
        return float(np.max(np.abs(self.prices)))

    @property
    def mean(self) -> float:
        """Of what is bought at the margin, per kWh: without a surplus, and below the peak."""
        return float(np.average(self.prices[:, min(1, self.prices.shape[1] - 1)], weights=self.hours))


def flat(hours: Vector) -> Marginal:
    """As if nobody knew any price: of equal hours the earlier one."""
    n = len(hours)
    return Marginal(hours, np.full((n, 1), np.inf), 1.0 + 1e-3 * np.arange(n)[:, np.newaxis] / n)


def marginal(outlook: Outlook, steps: Sequence[Step], other: Vector) -> Marginal:
    """What a load costs beside a plan. `other`: W by step that the plan carries more than it would without the load and
    with what was changed since."""
    grid = np.array([one.grid for one in steps]) - other
    battery = np.array([one.power for one in steps])
    worth = np.array([one.marginal_value for one in steps])
    both, wear, rated = outlook.battery.efficiency, outlook.battery.wear, outlook.rated
    gives, takes = (battery > SMALL) & (battery < rated - SMALL), battery < -SMALL
    buys = np.where(gives, worth / both + wear, np.where(takes, worth * both, outlook.buy))
    buys = np.where(takes | gives, np.minimum(buys, np.maximum(outlook.buy, worth / both + wear)), buys)
    peak, dear = _peak(outlook, grid)
    limit, carried = outlook.import_limit, np.maximum(grid, 0.0)
    surplus, peak = np.maximum(-grid, 0.0), np.minimum(peak, limit)
    room = np.maximum(peak - carried, 0.0) + np.maximum(-battery, 0.0)
    beyond = np.maximum(limit - np.maximum(carried, peak), 0.0)
    stored, out = worth / both + wear, rated - np.maximum(battery, 0.0)  # what the battery can still give beyond that
    widths = np.column_stack([surplus, room, np.maximum(out, 0.0), beyond, np.full_like(grid, np.inf)])
    most = np.maximum(np.maximum(outlook.buy, buys), stored)
    prices = [np.minimum(outlook.sell, buys), buys, np.maximum(buys, stored), most + dear, most + BEYOND]
    return Marginal(outlook.hours, widths, np.column_stack(prices))


def _peak(outlook: Outlook, grid: Vector) -> tuple[Vector, Vector]:
    """W by step up to which no more is billed by the kW, and what a kWh beyond costs more; infinite and 0 without."""
    peak, dear = np.full_like(grid, np.inf), np.zeros_like(grid)
    for windows in outlook.windows:
        found = windows.peaks(grid, outlook.hours)
        for number, period in enumerate(windows.periods):
            most = float(found[period])
            price = sum(piece.price for piece in windows.pieces[period] if piece.above <= most + SMALL)
            tighter = (windows.of[number] > 0) & (most < peak) & (price > 0)
            peak[tighter] = most
            dear[tighter] = price * 60 / windows.charge.component.minutes
    return peak, dear
