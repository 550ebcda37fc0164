"""Takes out of a record what cannot have been so: nothing is learned from an outage. Pure."""

import numpy as np
from numpy.typing import NDArray

from optimizer.record import Vector

IMPOSSIBLE = 1e10
"""W: no site has so much."""
STUCK = 24
"""Quarters of the very same value: six hours."""
HABIT = 0.2
"""Where more than this part of a record stands still, that is how it is: a constant load, or means of longer steps."""
FAR = 5.0
"""How many times what 99.5 % stay below a single value may be."""
RARE = 8
"""Quarters so far above: more are a load that is really there."""


def clean_load(values: Vector) -> Vector:
    """W, nan where it is not believed: a head of zeros, six hours of one value, a few values far above all others.

    A negative load is PV that nobody measures, or the noise of a difference: it counts as 0.
    """
    load = np.maximum(_possible(values), 0.0)
    load[: _first(load)] = np.nan
    return _without_peaks(_without_stills(load, stills(load)))


def clean_pv(values: Vector) -> Vector:
    """W, nan where it is not believed. Zeros are a night, snow or an inverter that is off: believed."""
    pv = np.maximum(_possible(values), 0.0)
    pv[: _first(pv) // 96 * 96] = np.nan
    return _without_peaks(_without_stills(pv, stills(pv) & (pv > 0)))


def _possible(values: Vector) -> Vector:
    found = np.array(values, dtype=float)
    found[~(np.abs(found) < IMPOSSIBLE)] = np.nan
    return found


def _first(values: Vector) -> int:
    """Where the first value above 0 is; nothing before it is cut where there is none."""
    alive = np.flatnonzero(values > 0)
    return int(alive[0]) if len(alive) else 0


def stills(values: Vector) -> NDArray[np.bool_]:
    """Where the same value stands for six hours or more."""
    edges = np.flatnonzero(np.diff(values, prepend=np.nan, append=np.nan) != 0)  # nan differs from all
    lengths = np.diff(edges)
    return np.repeat(lengths >= STUCK, lengths)


def _without_stills(values: Vector, still: NDArray[np.bool_]) -> Vector:
    known = np.isfinite(values)
    if still.sum() <= HABIT * known.sum():
        values[still] = np.nan
    return values


def _without_peaks(values: Vector) -> Vector:
    known = values[np.isfinite(values)]
    if len(known):
        far = values > FAR * np.quantile(known, 0.995)
        if far.sum() <= RARE:
            values[far] = np.nan
    return values
