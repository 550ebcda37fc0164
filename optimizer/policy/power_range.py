"""Between which powers an answer may lie in a step, beside what the step's own columns say: what is left of the energy
beside reserves, what the cells allow near full and near empty, and what batteries that are apart can do together. Pure.

The dynamic program itself knows a price on energy that is missing to a reserve, and the cells' limits by the node that
a power leads to; nothing of batteries that are apart. The answers keep to all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from optimizer.outlook import Outlook, Vector
from optimizer.taper import at

HALVINGS = 20


class PowerRange(NamedTuple):
    """W."""

    charge: float
    discharge: float


@dataclass(frozen=True)
class Bounds:
    """Of the steps of an outlook."""

    outlook: Outlook

    @cached_property
    def _ends(self) -> tuple[Vector, Vector]:
        """Wh in the battery at the end of each step, at least and at most."""
        look, battery = self.outlook, self.outlook.battery
        fallen, risen = battery.reach(look.hours)
        low = np.maximum(look.floors - look.short_at_most, look.begin - fallen)
        high = np.minimum(look.ceilings + look.over_at_most, look.begin + risen)
        inside = battery.soc_min <= look.soc <= battery.soc_max
        return (low, high) if inside else (look.floors - look.short_at_most, look.ceilings + look.over_at_most)

    def of(self, step: int, soc: float) -> PowerRange:
        """In a step that begins at a SoC in %."""
        look, battery = self.outlook, self.outlook.battery
        hours, stored = float(look.hours[step]), battery.energy * soc / 100
        low, high = (float(each[step]) for each in self._ends)
        charge = max(0.0, high - stored) / battery.efficiency / hours
        discharge = max(0.0, stored - low) * battery.efficiency / hours
        if battery.taper:
            charge, discharge = self._tapered(step, stored, min(charge, look.rated), min(discharge, look.rated))
        return PowerRange(charge, discharge)

    def _tapered(self, step: int, stored: float, charge: float, discharge: float) -> tuple[float, float]:
        """The powers that the cells still allow at the SoC they lead to."""
        battery, hours = self.outlook.battery, float(self.outlook.hours[step])

        def fits(power: float, sign: int) -> bool:
            cells = power * battery.efficiency if sign > 0 else -power / battery.efficiency
            after = 100 * (stored + cells * hours) / battery.energy
            return power <= at(battery.taper, after)[0 if sign > 0 else 1]

        return _most(charge, lambda power: fits(power, 1)), _most(discharge, lambda power: fits(power, -1))


def _most(power: float, fits: Callable[[float], bool]) -> float:
    """The highest power up to this one that fits; what is less fits, too."""
    if fits(power):
        return power
    low, high = 0.0, power
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
