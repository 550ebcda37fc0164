"""What is forecast: load and PV by step, how far off they may be, and how an error goes on. Pure."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from optimizer.record import Vector

Array = NDArray[np.float64]

LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
"""Of the quantiles."""
SLOW, FAST, PERSISTENCE = 0.85, 0.55, 0.93
"""An error is .85 of a slow part, of which .93 is left after a quarter of an hour, and .55 of a fast one."""


class Bands(NamedTuple):
    """[level, step] in W, rising with the level."""

    load: Array
    pv: Array
    net: Array


@dataclass(frozen=True)
class Ahead:
    """By step, in W."""

    load: Vector
    pv: Vector
    spread: Vector
    """The root mean square error of `load - pv`; 0 nowhere."""
    quantiles: Bands
    """At LEVELS: so often is less to be expected."""
    quarters: Vector
    """From the first step to the begin of each, in quarters of an hour."""

    def quantile(self, of: str, level: float) -> Vector:
        """W by step of `load`, `pv` or `net`, at one of LEVELS. Raises ValueError for another level."""
        found = np.flatnonzero(np.isclose(LEVELS, level))
        if not len(found):
            raise ValueError(f"there is no quantile {level}; there is: {', '.join(map(str, LEVELS))}")
        return np.asarray(getattr(self.quantiles, of)[found[0]])

    def scenarios(self, count: int, rng: Generator) -> Array:
        """[scenario, step] of `load - pv` in W: each step has the quantiles of the forecast, and an error goes on as
        errors do."""
        gaps = np.diff(self.quarters, prepend=self.quarters[0])
        slow = rng.standard_normal((count, len(self.load)))
        for step in range(1, len(gaps)):
            kept = PERSISTENCE ** gaps[step]
            slow[:, step] = kept * slow[:, step - 1] + np.sqrt(1 - kept**2) * slow[:, step]
        both = (SLOW * slow + FAST * rng.standard_normal(slow.shape)) / np.hypot(SLOW, FAST)
        return _at(self.quantiles.net, both)


def _at(bands: Array, scores: Array) -> Array:
    """W at any score of a normal distribution [scenario, step]: straight between the quantiles, and on beyond them."""
    known = normal(LEVELS)
    place = np.clip(np.searchsorted(known, scores) - 1, 0, len(known) - 2)
    steps = np.arange(bands.shape[1])[None, :]
    low, high = bands[place, steps], bands[place + 1, steps]
    share = (scores - known[place]) / (known[place + 1] - known[place])
    return np.asarray(low + share * (high - low))


def normal(levels: Vector) -> Vector:
    """The quantiles of an error of 1 of which nothing but its size is known."""
    return np.array([NormalDist().inv_cdf(float(level)) for level in levels])
