"""Market prices beyond the known: what is usual at that hour of such a day, as far off as the last days were. Pure.

Usual is the mean of the last four weeks by kind of day (a working day, a Saturday, a Sunday or holiday) and local clock
time, younger days counting more. The last days say how far off that is now, the last one most of all. So with one day
known each day is as that one, and with less nothing is told.
"""

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.local_days import DAY, SATURDAY, SECONDS, LocalDays, Numbers, instant
from optimizer.tariff import Series
from schemas.tariff import Tariff

Array = NDArray[np.float64]

LEARNED = timedelta(days=28)
"""Of prices before the end of the known ones."""
USUAL, NOW = 10.0, 1.0
"""Days after which one counts half: of what is usual, and of how far off that is."""
FARTHEST = timedelta(days=8)
"""Beyond the end of the known prices nothing is told: a market that is silent for so long says nothing of today."""
KINDS = 3
"""Of days."""
HELD = timedelta(seconds=SECONDS)
TINY = 1e-300


def with_forecasts(tariff: Tariff, series: Mapping[str, Series], until: datetime, zone: ZoneInfo) -> dict[str, Series]:
    """The market prices by their place in the tariff, each with what is told of the time from its end to `until`."""
    found = dict[str, Series]()
    for place, one in series.items():
        same = next((found[other] for other in found if series[other] == one), None)  # import and export often are
        found[place] = same or replace(one, forecast=forecast(one, until, zone, tariff.days_off))
    return found


def forecast(known: Series, until: datetime, zone: ZoneInfo, days_off: Container[date]) -> Series | None:
    """Prices per kWh by quarter of an hour from the end of the known ones to `until`; None where a day of them is not
    known, or nothing is missing."""
    if known.end is None or until <= known.end:
        return None
    first = -int(-known.end.timestamp() // SECONDS)  # the first quarter that is not known as a whole
    last = -int(-min(until, known.end + FARTHEST).timestamp() // SECONDS)
    begin = first - LEARNED // HELD
    local = LocalDays(zone, days_off)
    slots = local.slots(begin, last - begin)
    at = [known.known(instant(number), zone) for number in range(begin, first)]
    seen = np.array([np.nan if one is None else one for one in at])
    if np.isfinite(seen).sum() < DAY:
        return None
    told = _told(seen, slots, local)
    return Series([instant(number) for number in range(first, last)], told.tolist(), HELD)


def _told(seen: Array, slots: Numbers, local: LocalDays) -> Array:
    """Of the slots behind those that were seen."""
    count, origin = len(seen), int(slots[0]) // DAY
    days, clocks = slots // DAY - origin, slots % DAY
    kinds = np.maximum(local.kinds(origin, int(days[-1]) + 1) - SATURDAY + 1, 0)
    past = np.full((int(days[count - 1]) + 1, DAY), np.nan)
    past[days[:count], clocks[:count]] = seen
    ages, of = np.arange(len(past))[::-1], kinds[: len(past)]
    young = 0.5 ** (ages / USUAL)
    whole = _mean(past, young, np.full(DAY, np.nanmean(past)))
    usual = np.array([_mean(past[of == kind], young[of == kind], whole) for kind in range(KINDS)])
    off = _mean((past - usual[of]).T, np.ones(DAY), np.full(len(past), np.nan))  # of each day, at all of its hours
    lately = np.where(np.isfinite(off), 0.5 ** (ages / NOW), 0.0)
    correction = (lately @ np.nan_to_num(off)) / lately.sum()
    return np.asarray(usual[kinds[days[count:]], clocks[count:]] + correction)


def _mean(rows: Array, weights: Array, otherwise: Array) -> Array:
    """By column; `otherwise` where no row has a value."""
    total, known = weights @ np.nan_to_num(rows), weights @ np.isfinite(rows)
    return np.where(known > 0, total / np.maximum(known, TINY), otherwise)
