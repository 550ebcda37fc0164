"""Market prices beyond the known: what is usual at that hour of such a day, as far off as the last days were. Pure.

Usual is the mean of the last four weeks by kind of day (a working day, a Saturday, a Sunday or holiday) and local clock
time, younger days counting more. The last days say how far off that is now, the last one most of all. So with one day
known each day is as that one, and with less nothing is told.

A price, a day or an hour far from the others counts no more than one at the edge of what is common: a single day of
scarcity says little of the next one, and nothing of next week. A second such day is believed.
"""

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.local_days import DAY, SATURDAY, SECONDS, LocalDays, Numbers, instant
from optimizer.forecast.robust import held, median
from optimizer.tariff import Series
from schemas.tariff import Tariff

Array = NDArray[np.float64]

LEARNED = timedelta(days=28)
"""Of prices before the end of the known ones."""
USUAL, NOW = 10.0, 1.0
"""Days after which one counts half: of what is usual, and of how far off that is."""
LEVEL = 1.4
"""Days after which one counts half where the level of the last days is sought: two outvote all before them, one not."""
PRICES, HOURS, DAYS = 5.0, 3.0, 1.5
"""Spreads from the middle at which a price of a clock time, an hour of a day and a day among the last are held."""
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
    last = min(-int(-until.timestamp() // SECONDS), first + FARTHEST // HELD)
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
    ages, of = np.arange(len(past), dtype=float)[::-1], kinds[: len(past)]
    usual = _usual(past, of, 0.5 ** (ages / USUAL))
    correction = _off(past - usual[of], ages)
    return np.asarray(usual[kinds[days[count:]], clocks[count:]] + correction)


def _usual(past: Array, of: Numbers, young: Array) -> Array:
    """Per kWh, [kind of day, clock]."""
    nothing, even = np.full(past.shape[1], np.nan), np.ones(len(past))
    each = [median(past[of == kind], even[of == kind]) if kind in of else nothing for kind in range(KINDS)]
    common = held(past, np.stack(each)[of], even, PRICES)  # of three Sundays the youngest has half of the weight
    whole = _mean(common, young, np.full(past.shape[1], np.nanmean(common)))
    return np.stack([_mean(common[of == kind], young[of == kind], whole) for kind in range(KINDS)])


def _off(past: Array, ages: Array) -> float:
    """Per kWh: how far off what is usual is now. `past`: what came less that, [day, clock]."""
    hours, even = past.T, np.ones(past.shape[1])
    by_day = _mean(held(hours, median(hours, even), even, HOURS), even, np.full(len(past), np.nan))[:, None]
    held_days = held(by_day, median(by_day, 0.5 ** (ages / LEVEL)), 0.5 ** (ages / USUAL), DAYS)
    return float(_mean(held_days, 0.5 ** (ages / NOW), np.zeros(1))[0])


def _mean(rows: Array, weights: Array, otherwise: Array) -> Array:
    """By column; `otherwise` where no row has a value."""
    total, known = weights @ np.nan_to_num(rows), weights @ np.isfinite(rows)
    return np.where(known > 0, total / np.maximum(known, TINY), otherwise)
