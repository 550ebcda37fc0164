"""What a site draws all the time, day and night. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import sqrt
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.record import QUARTER, Record

LOWEST = 0.05
"""Of the quarters of a day: its base load is the load they stay below, so that no single reading makes it."""
WHOLE = 77
"""Quarters of a day (four fifths) that must be known, or it says nothing of its lowest."""
MEDIAN = 1.2533 * 1.4826
"""Standard error of a median, by the median distance from it and the root of the number."""


@dataclass(frozen=True)
class BaseLoad:
    """Medians over days, in W."""

    power: float
    error: float
    """W: twice the standard error."""
    workday: float | None
    weekend: float | None
    share: float
    """Of all the energy that was used, from 0 to 1."""
    days: int
    known: float
    """The share of the quarters of an hour that were measured."""


def base_load(record: Record, zone: ZoneInfo) -> BaseLoad | None:
    """None where no day was measured for four fifths."""
    lowest = {
        day: float(np.quantile(loads, LOWEST)) for day, loads in _days(record, zone).items() if len(loads) >= WHOLE
    }
    if not lowest:
        return None
    values = np.array([*lowest.values()])
    power = float(np.median(values))
    apart = float(np.median(np.abs(values - power)))
    known = np.isfinite(record.load)
    used = float(np.mean(record.load[known]))
    return BaseLoad(
        power=power,
        error=2 * MEDIAN * apart / sqrt(len(values)),
        workday=_median([value for day, value in lowest.items() if day.weekday() < 5]),
        weekend=_median([value for day, value in lowest.items() if day.weekday() >= 5]),
        share=min(1.0, power / used) if used > 0 else 0.0,
        days=len(values),
        known=float(np.mean(known)),
    )


def _days(record: Record, zone: ZoneInfo) -> dict[date, NDArray[np.float64]]:
    """The known loads of each local day."""
    found: dict[date, list[float]] = {}
    for number in np.flatnonzero(np.isfinite(record.load)):
        at: datetime = (record.start + int(number) * QUARTER).astimezone(UTC)
        found.setdefault(at.astimezone(zone).date(), []).append(float(record.load[number]))
    return {day: np.array(loads) for day, loads in found.items()}


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None
