"""Measured load, PV and prices at any moment: of the same weekday, season and local time of the recorded year."""

import gzip
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from math import sin
from pathlib import Path
from zoneinfo import ZoneInfo

from simulator.plant import Surroundings

RECORDINGS = Path(__file__).parent / "recordings"
HOME = ZoneInfo("Europe/Berlin")
"""Local time of the recordings."""
PV_PEAK = 150.0
"""kW of the recorded PV plant."""


@dataclass(frozen=True)
class Recording:
    """A gap-free series at even steps; each sample is the mean of the step that begins with it."""

    start: float
    step: float
    columns: tuple[Sequence[float], ...]
    year: int
    """The last whole year in it, local time."""

    def mean(self, column: int, local: datetime) -> float:
        """The recorded mean of the step a local time falls into."""
        samples = self.columns[column]
        return samples[min(len(samples) - 1, int(self._position(local)))]

    def smooth(self, local: datetime) -> list[float]:
        """Every column on the straight line between the middles of two steps, so that it never stands still."""
        samples = len(self.columns[0])
        place = max(0.0, min(samples - 1.0, self._position(local) - 0.5))
        left = min(int(place), samples - 2)
        return [column[left] + (column[left + 1] - column[left]) * (place - left) for column in self.columns]

    def _position(self, local: datetime) -> float:
        day = alike(local.date(), self.year)
        wall = local.replace(year=day.year, month=day.month, day=day.day, tzinfo=HOME)
        return max(0.0, (wall.timestamp() - self.start) / self.step)


@lru_cache(maxsize=100)
def alike(day: date, year: int) -> date:
    """The day of `year` with the same weekday that is nearest to the same date."""
    day_of_month = min(day.day, 28) if day.month == 2 else day.day
    twin = date(year, day.month, day_of_month)
    twin += timedelta(days=(day.weekday() - twin.weekday() + 3) % 7 - 3)
    if twin.year != year:
        twin += timedelta(days=7 if twin.year < year else -7)
    return twin


@cache
def recording(name: str) -> Recording:
    """A shipped recording."""
    text = gzip.decompress((RECORDINGS / f"{name}.csv.gz").read_bytes()).decode()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    first, second, last = (datetime.fromisoformat(rows[index][0]) for index in (0, 1, -1))
    step = (second - first).total_seconds()
    columns = tuple(array("d", [float(row[column]) for row in rows]) for column in range(1, len(rows[0])))
    end = (last + timedelta(seconds=step)).astimezone(HOME)
    return Recording(first.timestamp(), step, columns, end.year - 1)


def surroundings(at: datetime, zone: ZoneInfo, seed: int = 0) -> Surroundings:
    """Load in W and the sun's share at a moment, with the flicker a quarter hour's mean has lost."""
    usual, sunshine, *_ = recording("commercial_site_2016").smooth(at.astimezone(zone))
    load = 1000 * usual * (1 + 0.01 * _flicker(at.timestamp(), seed))
    sun = sunshine / PV_PEAK * (1 + 0.015 * _flicker(at.timestamp(), seed + 1))
    return Surroundings(load, max(0.0, min(1.0, sun)))


def price(at: datetime, zone: ZoneInfo) -> float:
    """The day-ahead price per MWh of a day alike."""
    return recording("de_lu_day_ahead_2020_2023").mean(0, at.astimezone(zone))


def _flicker(seconds: float, seed: int) -> float:
    """Between -3 and 3, without memory: the same moment always gives the same value."""
    phase = 2.4 * seed
    return sin(seconds / 3.1 + phase) + sin(seconds / 23.0 + 2 * phase) + sin(seconds / 171.0 + 3 * phase)
