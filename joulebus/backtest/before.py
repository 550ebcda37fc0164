"""What there was before the first quarter: the SoC and the peaks that are billed already, where the file tells what the
battery did then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from joulebus.backtest.data import Quarters
from joulebus.backtest.score import HOUR, highest_windows
from joulebus.backtest.site import Terms
from optimizer.charge import Made
from optimizer.invoice import Interval
from optimizer.record import QUARTER, Vector

HALF = 50.0
"""% SoC, where nothing is known."""

RESTS, ENOUGH = 1.0, 8
"""W at most, and quarters at least, to know what a resting battery loses."""

Windows = Mapping[str, Sequence[Made]]
"""The highest of each month, by the name of a demand."""


@dataclass(frozen=True)
class Before:
    """Nothing is known: half full, and no peak."""

    soc: float = HALF
    """%."""
    made: Windows = field(default_factory=dict)
    """With what the battery did."""
    idle: Windows = field(default_factory=dict)
    """As if it had rested."""
    own_supply: float = 0.0
    """W that the cells lose while the battery rests."""

    def facts(self) -> dict[str, Any]:
        """As result.json has it: kW by demand."""
        return {
            "soc_percent_begin": round(self.soc, 3),
            "own_supply_w": round(self.own_supply, 1),
            "peaks_before_kw": _highest(self.made),
            "peaks_before_no_battery_kw": _highest(self.idle),
        }


def before(terms: Terms, found: Quarters, first: int) -> Before:
    """`first`: the number of the first quarter that is played. What is not known bills nothing."""
    soc = float(found.soc[first - 1]) if found.soc is not None and first else np.nan
    begin = HALF if np.isnan(soc) else soc
    if found.battery is None:
        return Before(begin)
    made, idle = (
        _windows(terms, found, _drawn(terms, found, power)) for power in (found.battery[:first], np.zeros(first))
    )
    return Before(begin, made, idle, _own_supply(terms, found, first))


def _own_supply(terms: Terms, found: Quarters, first: int) -> float:
    """W that the SoC has fallen by in the quarters in which the battery did nothing, and nothing before."""
    if terms.battery is None or found.battery is None or found.soc is None:
        return 0.0
    rests = np.abs(found.battery[:first]) < RESTS
    fell = -np.diff(found.soc[:first])[rests[1:] & rests[:-1]]
    known = fell[~np.isnan(fell)]
    return max(0.0, float(known.mean()) / 100 * terms.battery.energy / HOUR) if len(known) >= ENOUGH else 0.0


def _drawn(terms: Terms, found: Quarters, battery: Vector) -> Vector:
    """W that the meter drew, or would have drawn with the battery at another power; nan where it is not known."""
    energy = terms.battery.energy if terms.battery else 0.0
    known, lived = (found.load - found.pv)[: len(battery)] - battery, found.lived(energy)
    if lived is None:
        return known
    each = (lived.flow(i, power) for i, power in enumerate(battery.tolist()))
    return np.array([other if one is None else one.drawn for one, other in zip(each, known.tolist(), strict=True)])


def _windows(terms: Terms, found: Quarters, grid: Vector) -> dict[str, list[Made]]:
    """`grid`: W by quarter, nan where it is not known."""
    known = [
        Interval(found.start + i * QUARTER, max(float(grid[i]), 0.0) * HOUR)
        for i in np.flatnonzero(~np.isnan(grid)).tolist()
    ]
    return {one.name: highest_windows(one, terms, known) for one in terms.tariff.components if known}


def _highest(windows: Windows) -> dict[str, float]:
    return {name: round(made[-1].power / 1000, 3) for name, made in windows.items() if made}
