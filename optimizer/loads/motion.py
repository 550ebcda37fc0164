"""How what a load keeps or takes moves by its power: a temperature, the level of a tank, energy still to take. Pure.

A temperature T with time constant tau towards rest + per_kw P: T' = a T + (1 - a) (rest + per_kw P), a = exp(-h / tau).
A level L: L' = L + (drift + per_kwh P) h. Energy still to go E: E' = max(0, E - P h), and all of it anew after each
deadline. P in kW, h in hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from optimizer.loads.load import Load, LoadNow, to_go
from optimizer.loads.marginal import Marginal
from optimizer.outlook import Vector

INSIDE = 60
"""Parts the band is cut into; between two of them what the future costs is taken to be straight."""
FIRST = 1e4
"""How much more it weighs to be outside of the band by all of its width than everything the load could save."""
MISSED = 1e3
"""How much more a kWh weighs that is missing at a deadline than the dearest one."""


@dataclass(frozen=True)
class Motion:
    """One number by step. `grid`: the values at which the future's cost is kept, rising and evenly spaced."""

    begin: float
    grid: Vector
    keep: Vector
    """By step, how much of the value is left at the end."""
    add: Vector
    """By step, what comes by itself."""
    per_kw: Vector
    """By step, what a kW moves."""
    weight: float
    """Cost of the value outside of the band, per unit and hour, or of what is missing at a deadline, per kWh."""
    band: tuple[float, float] | None = None
    due: frozenset[int] = frozenset()
    """Steps at whose end a deadline is."""
    stored: float = 0.0
    """kWh that a unit more at the end of the horizon leaves to be taken later; negative where it spares them."""
    mean: float = 0.0
    """What one of those costs."""
    anew: float = 0.0
    """kWh to go after a deadline."""
    late: float = 0.0
    """kWh that can still be taken after the horizon until the next deadline."""

    def usable(self, value: Vector, power: float, hours: float) -> Vector:
        """W that a load can draw at a power: a charger that is full draws none."""
        if self.band is not None:
            return np.full_like(value, power)
        return np.minimum(power, 1000 * np.maximum(value, 0.0) / hours)

    def after(self, value: Vector, power: Vector, step: int) -> Vector:
        """The value at the end of a step."""
        moved = self.keep[step] * value + self.add[step] + self.per_kw[step] * power / 1000
        return np.asarray(moved if self.band is not None else np.maximum(moved, 0.0))

    def penalty(self, value: Vector, step: int, hours: float) -> Vector:
        """For the value at the end of a step."""
        if self.band is not None:
            outside = np.maximum(self.band[0] - value, 0.0) + np.maximum(value - self.band[1], 0.0)
            return np.asarray(self.weight * outside * hours)
        return self.weight * value if step in self.due else np.zeros_like(value)

    def next(self, value: Vector, step: int) -> Vector:
        """The value with which the next step begins."""
        return np.full_like(value, self.anew) if step in self.due else value

    def final(self, value: Vector) -> Vector:
        """Cost of the value at the end of the horizon: what must be made good later."""
        beyond = self.weight * np.maximum(value - self.late, 0.0) if self.band is None else 0.0
        return np.asarray(self.mean * self.stored * value + beyond)


def motion(load: Load, now: LoadNow, starts: Sequence[datetime], prices: Marginal) -> Motion:
    """Of a load that has a purpose, from what was measured; `starts` of the steps. Raises ValueError when the value of
    its band is not known."""
    hours, dearest = prices.hours, max(prices.dearest, 1e-3)
    if load.rule.comfort is not None:
        return _band(load, now, prices)
    end = starts[-1] + timedelta(hours=float(hours[-1]))
    ends, due, at = [*starts[1:], end], set[int](), load.deadline(starts[0])
    while at is not None and at <= end:
        due.add(max(0, sum(one <= at for one in ends) - 1))
        at = load.deadline(at)
    later = load.within(end, at) / 3600 if at is not None else 0.0
    whole, first, kw = (load.rule.energy or 0.0) / 1000, to_go(load, now) / 1000, load.rated / 1000
    unit = kw * 0.25 * min(load.shares)
    count = min(max(2, int(np.ceil(max(whole, first) / unit)) + 1), 240)
    grid = np.linspace(0.0, max(whole, first, unit * (count - 1)), count)
    return Motion(
        first, grid, np.ones_like(hours), np.zeros_like(hours), -hours, MISSED * dearest, None,
        frozenset(due), 1.0, max(prices.mean, 0.0), whole, kw * later,
    )  # fmt: skip


def _band(load: Load, now: LoadNow, prices: Marginal) -> Motion:
    comfort, hours = load.rule.comfort, prices.hours
    if comfort is None or now.value is None:
        raise ValueError("what it keeps within its band is not known")
    if comfort.per_kwh is not None:
        keep, add, per_kw = np.ones_like(hours), comfort.drift * hours, comfort.per_kwh * hours
        stored = 1 / comfort.per_kwh
    else:
        tau, gain = comfort.time_constant or 1.0, comfort.per_kw or 1.0
        keep = np.exp(-hours / tau)
        add, per_kw, stored = (1 - keep) * (comfort.rest or 0.0), (1 - keep) * gain, tau / gain
    width = comfort.high - comfort.low
    step = width / INSIDE
    reach = 0.5 * width
    below = int(np.ceil(max(reach, comfort.low - now.value) / step)) + 1
    above = int(np.ceil(max(reach, now.value - comfort.high) / step)) + 1
    far = max(1, (below + above + INSIDE) // 600)  # a value that is far outside needs no fine grid
    grid = np.unique(comfort.low + step * far * np.arange(-(below // far) - 1, (above + INSIDE) // far + 2))
    weight = FIRST * max(prices.dearest, 1e-3) * load.rated / 1000 / width
    return Motion(
        now.value, grid, keep, add, per_kw, weight, (comfort.low, comfort.high), stored=-stored, mean=prices.mean
    )
