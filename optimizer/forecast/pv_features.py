"""What the PV of a quarter is told from: the bright days of the last weeks, and how bright the last hours were. Pure.

The sun keeps UTC: no change of a clock moves it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.local_days import DAY, Numbers

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

COUNT = 9
CLEAR = 0.9
"""The quantile of the last days that stands for a clear one."""
DAYS = 21
NEEDED = DAYS + 4
"""Days before an origin that are read."""
UP = 0.02
"""The sun is up where the clear PV of the last hours is more than this part of its highest."""
MOST = 1.3
"""How much brighter than clear it may be."""


@dataclass(frozen=True)
class PvDays:
    """PV by quarter, and what follows from it."""

    first: int
    """The quarter of the first value."""
    values: Vector
    """W, nan where unknown."""
    start: int
    """The first quarter that means over days are wanted for."""

    @cached_property
    def _days(self) -> Matrix:
        """[quarter from `start`, 21]: its value and those of the days before, nan where unknown."""
        skipped = max(0, self.start - self.first)
        padded = np.concatenate([np.full(DAYS * DAY, np.nan), self.values])
        shape = (len(self.values) - skipped, DAYS)
        behind = np.arange(DAYS) * DAY
        return np.asarray(padded[(np.arange(shape[0]) + skipped + DAYS * DAY)[:, None] - behind[None, :]])

    def _whole(self, found: Vector) -> Vector:
        """By quarter from the first; nan before `start`."""
        return np.concatenate([np.full(len(self.values) - len(found), np.nan), found])

    @cached_property
    def clear(self) -> Vector:
        """W: the 90 % quantile of 21 days up to and with each quarter, nan where none is known."""
        ordered = np.sort(self._days, axis=1)  # nan last
        count = np.isfinite(ordered).sum(axis=1)
        place = CLEAR * np.maximum(count - 1, 0)
        low = np.floor(place).astype(int)
        rows = np.arange(len(ordered))
        lower, upper = ordered[rows, low], ordered[rows, np.minimum(low + 1, np.maximum(count - 1, 0))]
        return self._whole(lower + (place - low) * (upper - lower))

    def _mean(self, days: int) -> Vector:
        each = self._days[:, :days]
        there = np.isfinite(each)
        count = there.sum(axis=1)
        return self._whole(np.where(count > 0, np.where(there, each, 0).sum(axis=1) / np.maximum(count, 1), np.nan))

    @cached_property
    def means(self) -> tuple[Vector, Vector]:
        """W: over 7 and over 21 days."""
        return self._mean(7), self._mean(DAYS)

    @cached_property
    def _sums(self) -> Matrix:
        """[2, quarter + 1]: running sums of PV, and of the clear PV of the day before, where both are known."""
        before = np.concatenate([np.full(DAY, np.nan), self.clear])[: len(self.values)]
        both = np.isfinite(before) & np.isfinite(self.values)
        rows = np.stack([np.where(both, self.values, 0.0), np.where(both, before, 0.0)])
        return np.concatenate([np.zeros((2, 1)), np.cumsum(rows, axis=1)], axis=1)

    def brightness(self, origins: Numbers) -> Matrix:
        """[3, origin]: PV against a clear day over the last 24 h, 2 h and half hour; that of 24 h where it is dark."""
        ends = np.minimum(origins - self.first, len(self.values))
        found = []
        for quarters in (DAY, 8, 2):
            pv, clear = self._sums[:, ends] - self._sums[:, np.maximum(ends - quarters, 0)]
            found.append((np.clip(pv / np.maximum(clear, 1e-9), 0, MOST), clear))
        day, all_day = found[0]
        day = np.where(all_day > 1e-6, day, 1.0)
        # 24 h hold about 10 h of full sun
        up = [clear > UP * all_day / 40 * quarters for (_, clear), quarters in zip(found[1:], (8, 2), strict=True)]
        return np.stack([day, *(np.where(one, share, day) for one, (share, _) in zip(up, found[1:], strict=True))])

    def _latest(self, origins: Numbers, leads: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """[origin, lead]: the same time of the latest day that is known of it, and whether there is one."""
        base = origins[:, None] + (leads - (leads // DAY + 1) * DAY)[None, :] - self.first
        there = (base >= 0) & (base < len(self.values))
        return np.where(there, base, 0), there

    def usual(self, origins: Numbers, leads: Numbers) -> Matrix:
        """[origin, lead] in W: the mean over 7 days; nan where no day is known."""
        base, there = self._latest(origins, leads)
        return np.where(there, self.means[0][base], np.nan)

    def features(self, origins: Numbers, leads: Numbers) -> Matrix:
        """[origin, lead, 9] in W; nan where no day is known."""
        base, there = self._latest(origins, leads)

        clear = np.where(there, self.clear[base], np.nan)
        day, hours, half = self.brightness(origins)[:, :, None]
        found = np.empty((len(origins), len(leads), COUNT))
        week, weeks = (one[base] for one in self.means)
        latest = self.values[base]
        columns = [
            clear,
            clear * day,
            clear * hours,
            clear * (hours - day),
            clear * (half - hours),
            week,
            weeks,
            np.where(np.isfinite(latest), latest, weeks),
            np.ones((1, 1)),
        ]
        for place, column in enumerate(columns):
            found[:, :, place] = column
        return found
