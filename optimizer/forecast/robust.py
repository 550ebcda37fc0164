"""Medians and spreads that a single strange day does not move, by column. nan is unknown. Pure."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NORMAL = 1.4826
"""A standard deviation in medians of what is off, where errors follow a normal law."""
SAME = 1e-12


def median(rows: Array, weights: Array) -> Array:
    """[row, column] to [column]: half of the weights [row] lie on each side; nan where no row has a value."""
    known = np.isfinite(rows)
    order = np.argsort(np.where(known, rows, np.inf), axis=0, kind="stable")
    values = np.take_along_axis(rows, order, axis=0)
    passed = np.cumsum(np.take_along_axis(np.where(known, weights[:, None], 0.0), order, axis=0), axis=0)
    half, last = passed[-1] / 2, np.maximum(known.sum(axis=0) - 1, 0)
    columns = np.arange(rows.shape[1])
    low, high = (
        np.minimum((passed < edge).sum(axis=0), last) for edge in (half * (1 - SAME) - SAME, half * (1 + SAME) + SAME)
    )
    return np.asarray((values[low, columns] + values[high, columns]) / 2)


def held(rows: Array, middle: Array, weights: Array, most: float) -> Array:
    """Rows no farther from their middle than so many spreads; the spread of a column is told by the median of what is
    off there."""
    off = rows - middle
    spread = most * NORMAL * median(np.abs(off), weights)
    return np.asarray(middle + np.clip(off, -spread, spread))
