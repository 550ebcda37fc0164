"""How far off the prices of the last days were, as they would have been told the day before. Pure."""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.forecast.prices import forecast
from optimizer.forecast.skill import DAYS
from optimizer.published import Published, stated
from optimizer.record import Vector
from optimizer.tariff import Series
from schemas.forecast_skill import PriceSkill
from schemas.tariff import Tariff

WEEK = timedelta(days=7)
LONGEST = 96 * (28 + DAYS + 2)
"""Prices that are looked at."""


def price_skill(tariff: Tariff, series: Mapping[str, Series], zone: ZoneInfo) -> list[PriceSkill]:
    """Of each market of a tariff, by its place; one that stands at several places is told once."""
    found, seen = list[PriceSkill](), list[Series]()
    for place, one in series.items():
        if one in seen or (errors := _errors(one, zone, tariff)) is None:
            continue
        seen.append(one)
        every = np.concatenate(errors)
        bias, mae = float(every.mean()), float(np.abs(every).mean())
        found.append(PriceSkill(of=place, days=len(errors), bias=bias, mae=mae, currency=tariff.currency))
    return found


def _errors(known: Series, zone: ZoneInfo, tariff: Tariff) -> list[Vector] | None:
    """Per kWh by quarter, of each of the last whole days that had a week before it; None where there is none."""
    rows = stated(known, zone)[-LONGEST:]
    if not rows:
        return None
    last = (rows[-1].end or rows[-1].start).astimezone(zone).date()
    begins = [_midnight(last - timedelta(days=number), zone) for number in range(DAYS, -1, -1)]
    found = list[Vector]()
    for begin, end in pairwise(begins):
        count = bisect_left(rows, begin, key=lambda row: row.start)
        if not count or rows[0].start > begin - WEEK:
            continue
        told = forecast(Published.of(rows[:count]).series, end, zone, tariff.days_off)
        came = [known.known(at, zone) for at in told.starts] if told else []
        if told and told.starts[0] == begin and None not in came:
            found.append(np.array(came, dtype=float) - np.array(told.prices))
    return found or None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
