"""What a peak is worth when the horizon ends: the rest of its month or year brings days like the last ones. Pure."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from optimizer.charge import worth
from optimizer.demand import charged, period
from optimizer.outlook import Vector
from optimizer.windows import Windows

ALONE = 0.5
"""Days follow each other in weather and work: as many that know nothing of each other as this part of them."""
UNLIKELY = 0.10
"""Of the days: no period is taken to end with less than the peak that so few of them allow."""


def unlikely_below(daily: Sequence[float]) -> float:
    """W: the peak below which nothing is gained."""
    return float(np.quantile(np.asarray(daily, dtype=float), UNLIKELY)) if len(daily) else 0.0


def rest_of_period(windows: Windows, number: int, end: datetime, daily: Sequence[float], levels: Vector) -> Vector:
    """What each level (W) of a period's peak will have cost when the period is over, beyond the first of them.

    The mean of worth(max(level, Y)), where Y is the highest of ALONE x days left draws from the achievable peaks of the
    last days: P(Y <= y) = (the part of the days up to y) ** (ALONE x days left).
    """
    over = period(windows.firsts[number], windows.zone, charged(windows.charge.component))[1]
    days = max(0.0, (over - end).total_seconds() / 86400)
    known = np.sort(np.asarray(daily, dtype=float))
    below = (np.arange(len(known) + 1) / max(len(known), 1)) ** (ALONE * days) if days else np.ones(len(known) + 1)
    draws: list[tuple[float, float]] = list(zip(np.diff(below).tolist(), known.tolist(), strict=True))
    pieces, none = windows.pieces[number], float(below[0])

    def mean(level: float) -> float:
        return sum((chance * worth(pieces, max(level, peak)) for chance, peak in draws), none * worth(pieces, level))

    found = np.array([mean(level) for level in np.asarray(levels, dtype=float).tolist()])
    return np.asarray(found - found[0])
