"""What the load of a quarter is told from: its usual profile, its own past, and how far off the last hours were. Pure.

Everything is read by local day and clock time; a day back is the same clock time of the day before, also over a change
of the clock. Nothing of the origin's own quarter or later is read.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.local_days import DAY, SATURDAY, LocalDays, Numbers

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

COUNT = 14
WEEKS = 6
FADING = 0.9
"""What a week weighs against the one after it."""
OTHER = 0.15
"""What another working day weighs against the same weekday."""
ANY = 1e-6
"""What any day weighs: enough where there is no other."""
LAGS = (1, 2, 3)
"""Days from the latest known day of a clock time to the day it is told for."""
NEEDED = 7 * WEEKS + 4
"""Days before an origin that are read."""
RATIO = (0.0, 3.0)
"""How far the last hours may scale a profile."""


@dataclass(frozen=True)
class LoadDays:
    """The load of some days by slot, and what follows from it."""

    local: LocalDays
    first: int
    """The quarter of the first value."""
    values: Vector
    """W, nan where unknown."""
    from_day: int
    """The first local day that profiles are wanted for."""
    until: int
    """The last quarter that is forecast."""
    other: float = OTHER
    """What another working day weighs against the same weekday."""

    @cached_property
    def slots(self) -> Numbers:
        """By quarter from the first to the last one that is forecast."""
        return self.local.slots(self.first, self.until - self.first + 1)

    @cached_property
    def day(self) -> int:
        """The local day of the first slot."""
        return int(self.slots[0] // DAY)

    @cached_property
    def count(self) -> int:
        return int(self.slots[-1] // DAY) - self.day + 1

    @cached_property
    def kinds(self) -> Numbers:
        return self.local.kinds(self.day, self.count)

    @cached_property
    def known(self) -> Numbers:
        """By quarter, the first slot (from the first day's midnight) that nothing is known of at its beginning."""
        highest = np.maximum.accumulate(self.slots) - self.day * DAY
        return np.concatenate([[highest[0]], highest[:-1] + 1])

    @cached_property
    def by_slot(self) -> Vector:
        """W; of two quarters in one slot the first."""
        found = np.full(self.count * DAY, np.nan)
        places = self.slots[: len(self.values)] - self.day * DAY
        found[places[::-1]] = self.values[::-1]
        return found

    @cached_property
    def profiles(self) -> Matrix:
        """W, [lag, slot]: what is usual for the kind of day, told from the days up to so many before it."""
        grid = self.by_slot.reshape(-1, DAY)
        there = np.isfinite(grid)
        filled = np.where(there, grid, 0.0)
        days = np.arange(self.count)
        wanted = days[max(0, self.from_day - self.day) :]
        apart = wanted[:, None] - days[None, :]
        kinds = self.kinds
        alike = kinds[wanted][:, None] == kinds[None, :]
        working = (kinds[wanted] < SATURDAY)[:, None] & (kinds < SATURDAY)[None, :]
        likeness = np.where(alike, 1.0, np.where(working, self.other, ANY)) * FADING ** (apart / 7)
        found = np.full((len(LAGS), self.count, DAY), np.nan)
        for row, lag in enumerate(LAGS):
            weights = np.where((apart >= lag) & (apart < lag + 7 * WEEKS), likeness, 0.0)
            total = weights @ there
            found[row, wanted] = np.where(total > 0, weights @ filled / np.where(total > 0, total, 1.0), np.nan)
        return found.reshape(len(LAGS), -1)

    @cached_property
    def residual(self) -> Vector:
        """W by slot: the load less its profile; 0 where one of them is unknown."""
        return np.asarray(np.nan_to_num(self.by_slot - self.profiles[0], nan=0.0))

    @cached_property
    def latest_three(self) -> Vector:
        """W by slot: the mean of it and the two days before, nan where none is known."""
        padded = np.concatenate([np.full(2 * DAY, np.nan), self.by_slot])
        each = np.stack([padded[2 * DAY :], padded[DAY:-DAY], padded[: -2 * DAY]])
        there = np.isfinite(each)
        count = there.sum(axis=0)
        return np.where(count > 0, np.where(there, each, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)

    @cached_property
    def _sums(self) -> Matrix:
        """[3, quarter + 1]: running sums of residual, of load and of profile, where both are known."""
        places = self.slots[: len(self.values)] - self.day * DAY
        profile = self.profiles[0][places]
        both = np.isfinite(self.values) & np.isfinite(profile)
        load, usual = np.where(both, self.values, 0.0), np.where(both, profile, 0.0)
        rows = np.stack([load - usual, load, usual, both.astype(float)])
        return np.concatenate([np.zeros((4, 1)), np.cumsum(rows, axis=1)], axis=1)

    def _since(self, origins: Numbers, quarters: int) -> Matrix:
        """[4, origin]: the sums over the last quarters before each origin."""
        ends = np.minimum(origins - self.first, len(self.values))
        return np.asarray(self._sums[:, ends] - self._sums[:, np.maximum(ends - quarters, 0)])

    def _places(self, origins: Numbers, leads: Numbers) -> tuple[Numbers, Numbers]:
        """[origin, lead]: the slots that are forecast, and how many days before them the latest known one is."""
        targets = self.slots[origins[:, None] + leads[None, :] - self.first] - self.day * DAY
        known = self.known[origins - self.first][:, None]
        return targets, np.maximum((targets - known) // DAY + 1, 1)

    def usual(self, origins: Numbers, leads: Numbers) -> Matrix:
        """[origin, lead] in W: the profile alone; nan where there is none."""
        targets, back = self._places(origins, leads)
        return np.asarray(self.profiles[np.minimum(back, len(LAGS)) - 1, targets])

    def features(self, origins: Numbers, leads: Numbers) -> Matrix:
        """[origin, lead, 14] in W; nan where there is no profile at all."""
        targets, back = self._places(origins, leads)
        base = targets - back * DAY
        profile = self.usual(origins, leads)
        free = self.kinds >= SATURDAY
        wanted = free[targets // DAY]
        same = wanted == free[base // DAY]

        def of(values: Vector, places: Numbers) -> Matrix:
            found = np.where(places >= 0, values[np.maximum(places, 0)], np.nan)
            return np.where(np.isfinite(found), found, profile)

        def weeks_ago(days: int) -> Matrix:
            """Not on a working day what a holiday was, nor the other way."""
            then = targets - days * DAY
            return np.where(wanted == free[np.maximum(then, 0) // DAY], of(self.by_slot, then), profile)

        off = [self._since(origins, quarters) for quarters in (1, 4, 16, DAY)]
        recent = [one[0] / np.maximum(one[3], 1.0) for one in off]
        level = [np.clip(one[1] / np.maximum(one[2], 1e-9), *RATIO) for one in (off[3], off[2])]
        level = [np.where(one[2] > 1e-9, share, 1.0) for one, share in zip((off[3], off[2]), level, strict=True)]
        found = np.empty((len(origins), len(leads), COUNT))
        columns = [
            profile,
            weeks_ago(7),
            weeks_ago(14),
            np.where(same, of(self.by_slot, base), 0.0),
            np.where(same, profile, 0.0),
            *(one[:, None] for one in recent),
            np.where(base >= 0, self.residual[np.maximum(base, 0)], 0.0),
            of(self.latest_three, base),
            *(profile * one[:, None] for one in level),
            np.ones((1, 1)),
        ]
        for place, column in enumerate(columns):
            found[:, :, place] = column
        return found
