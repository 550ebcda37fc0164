"""What the cells of a battery allow, as lines under which a linear program stays. Pure.

In a file of its own: the solver takes half a second to load, and who asks only for the table does without.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from optimizer.taper import Taper

Vector = NDArray[np.float64]


class Line(NamedTuple):
    """A power is at most `power + slope * SoC`, in W and %."""

    power: float
    slope: float


class Lines(NamedTuple):
    """Of both ways; each holds."""

    charge: tuple[Line, ...] = ()
    discharge: tuple[Line, ...] = ()


@lru_cache(maxsize=64)
def lines(taper: tuple[Taper, ...]) -> Lines:
    """The lines under which a plan stays: never above the table, and a linear program can keep to them.

    A table that bends the other way somewhere, as cells that take little for long before they are full, has no such
    lines itself: the largest concave function below it is taken, so that no power is promised that the table denies.
    """
    if not taper:
        return Lines()
    socs, charge, discharge = (np.array(each, dtype=float) for each in zip(*taper, strict=True))
    return Lines(_lines(socs, charge), _lines(socs, discharge))


def _lines(socs: Vector, powers: Vector) -> tuple[Line, ...]:
    edges = np.unique(np.concatenate([[0.0, 50.0, 100.0], socs]))
    below = _concave(edges, np.interp(edges, socs, powers))
    slopes = np.diff(below) / np.diff(edges)
    found = zip(slopes.tolist(), edges.tolist(), below.tolist(), strict=False)
    return tuple(dict.fromkeys(Line(round(power - slope * soc, 6), round(slope, 9)) for slope, soc, power in found))


def _concave(edges: Vector, table: Vector) -> Vector:
    """The concave function of the largest area that is nowhere above the table, at its edges."""
    wide = np.diff(edges)
    area = (np.append(wide, 0.0) + np.insert(wide, 0, 0.0)) / 2
    bends = np.zeros((len(edges) - 2, len(edges)))
    for row in range(len(bends)):  # the slope after each inner edge is at most the one before it
        before, after = 1 / wide[row], 1 / wide[row + 1]
        bends[row, row : row + 3] = before, -before - after, after
    top = float(table.max()) or 1.0
    highest = [(0.0, float(one)) for one in table / top]
    found = linprog(-area, A_ub=bends, b_ub=np.zeros(len(bends)), bounds=highest, method="highs")
    return np.clip(found.x, 0.0, 1.0) * top if found.x is not None else np.zeros(len(edges))
