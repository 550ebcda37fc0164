"""What the cells of a battery allow by their SoC: as a table, and as lines for a linear program. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Taper(NamedTuple):
    """What the cells allow at a SoC, straight between two of them and level beyond the first and the last."""

    soc: float
    charge: float
    """W at the meter."""
    discharge: float


class Line(NamedTuple):
    """A power is at most `power + slope * SoC`, in W and %."""

    power: float
    slope: float


class Lines(NamedTuple):
    """Of both ways; each holds."""

    charge: tuple[Line, ...] = ()
    discharge: tuple[Line, ...] = ()


def at(taper: Sequence[Taper], soc: float) -> tuple[float, float]:
    """W that may be charged and discharged at a SoC; no limit where there is no table."""
    if not taper:
        return np.inf, np.inf
    socs, charge, discharge = zip(*taper, strict=True)
    return float(np.interp(soc, socs, charge)), float(np.interp(soc, socs, discharge))


def at_sum(tapers: Sequence[tuple[Taper, ...]], rated: Sequence[float]) -> tuple[Taper, ...]:
    """Of several batteries at the same SoC together: their powers add up. `rated` W is what one without a table can."""
    socs = sorted({one.soc for taper in tapers for one in taper})
    found = list[Taper]()
    for soc in socs:
        each = [at(taper, soc) if taper else (most, most) for taper, most in zip(tapers, rated, strict=True)]
        found.append(Taper(soc, sum(charge for charge, _ in each), sum(discharge for _, discharge in each)))
    return tuple(found)


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
    from scipy.optimize import linprog  # noqa: PLC0415  # half a second, for who plans; dispatch and archive do not

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
