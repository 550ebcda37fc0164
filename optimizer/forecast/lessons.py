"""What one day of origins has taught: the sums a ridge is solved from, and how far off the forecasts were. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast import load_features, pv_features
from optimizer.forecast.load_features import LoadDays
from optimizer.forecast.local_days import DAY, LocalDays, Numbers
from optimizer.forecast.pv_features import PvDays
from optimizer.forecast.ridge import Sums
from optimizer.record import Vector

Array = NDArray[np.float64]

HORIZON = 48 * 4
"""Quarters."""
LEADS = np.arange(HORIZON)
NEEDED = max(load_features.NEEDED, pv_features.NEEDED) * DAY
"""Quarters before an origin that are read."""
HOURLY = 4
"""Quarters between the origins that are learned from."""


@dataclass(frozen=True)
class Weights:
    """[lead, feature], and the most that is ever forecast in W."""

    load: Array | None
    pv: Array | None
    most_load: float
    most_pv: float


@dataclass(frozen=True)
class Stretch:
    """The record of a site by quarter; `load` and `pv` in W, nan where unknown."""

    local: LocalDays
    first: int
    load: Vector
    pv: Vector

    @property
    def end(self) -> int:
        return self.first + len(self.load)

    def until(self, at: int) -> "Stretch":
        """What was over at a quarter."""
        over = max(0, at - self.first)
        return Stretch(self.local, self.first, self.load[:over], self.pv[:over])

    def around(self, begin: int, end: int) -> "Stretch":
        """What is read for origins from `begin` to before `end`, and their targets as far as they are known."""
        low, high = max(self.first, begin - NEEDED), min(self.end, end + HORIZON)
        return Stretch(
            self.local,
            low,
            self.load[low - self.first : high - self.first],
            self.pv[low - self.first : high - self.first],
        )

    def features(self, origins: Numbers, leads: Numbers = LEADS) -> tuple[Array, Array]:
        """[origin, lead, feature] of load and of PV."""
        begin, last = int(origins[0]), int(origins[-1] + leads[-1])
        slot = int(self.local.slots(begin, 1)[0])
        load = LoadDays(self.local, self.first, self.load, slot // DAY - 2, max(last, self.end - 1))
        pv = PvDays(self.first, self.pv, begin - 3 * DAY)
        return load.features(origins, leads), pv.features(origins, leads)

    def targets(self, origins: Numbers, leads: Numbers = LEADS) -> tuple[Array, Array]:
        """[origin, lead] in W; nan where it is not over yet."""
        places = origins[:, None] + leads[None, :] - self.first
        over = places < len(self.load)
        places = np.where(over, places, 0)
        return np.where(over, self.load[places], np.nan), np.where(over, self.pv[places], np.nan)


def told(features: tuple[Array, Array], weights: Weights) -> tuple[Array, Array]:
    """[origin, lead] in W of load and of PV; nan where nothing can be told."""
    return (
        _told(features[0], weights.load, weights.most_load),
        _told(features[1], weights.pv, weights.most_pv),
    )


def _told(features: Array, weights: Array | None, most: float) -> Array:
    if weights is None:
        return np.full(features.shape[:2], np.nan)
    return np.asarray(np.clip(np.einsum("olf,lf->ol", features, weights[: features.shape[1]]), 0.0, most))


@dataclass(frozen=True)
class Lesson:
    """The sums of some days of origins whose targets are all known."""

    begin: int
    end: int
    load: Sums
    pv: Sums

    @property
    def teaches(self) -> bool:
        """Something was known: an outage pushes nothing out."""
        return bool(self.load.count.any() or self.pv.count.any())

    def __add__(self, later: "Lesson") -> "Lesson":
        return Lesson(self.begin, later.end, self.load + later.load, self.pv + later.pv)


@dataclass(frozen=True)
class Compared:
    """What came and what had been told, of load and of PV, for the origins of one day: [origin, lead] in W."""

    origins: Numbers
    came: tuple[Array, Array]
    told: tuple[Array, Array]

    @property
    def knows(self) -> bool:
        """Some of what came is known, of load and of PV."""
        return bool(np.isfinite(self.came[0] - self.came[1] - self.told[0] + self.told[1]).any())

    @property
    def errors(self) -> "Errors":
        """What came less what had been told."""
        load, pv = (real - mean for real, mean in zip(self.came, self.told, strict=True))
        return Errors(self.origins, load.astype(np.float32), pv.astype(np.float32))


@dataclass(frozen=True)
class Errors:
    """What came less what had been told: [origin, lead] in W, nan where unknown."""

    origins: Numbers
    load: NDArray[np.float32]
    pv: NDArray[np.float32]


@dataclass(frozen=True)
class Posed:
    """Origins of a day, what was known at them, and what was told there with the weights of that day."""

    begin: int
    end: int
    origins: Numbers
    features: tuple[Array, Array]
    told: tuple[Array, Array] | None
    """None before there were weights."""

    def lesson(self, stretch: Stretch) -> Lesson:
        """What it teaches, once all of its targets are over."""
        came = stretch.targets(self.origins)
        load, pv = (Sums.of(known, real) for known, real in zip(self.features, came, strict=True))
        return Lesson(self.begin, self.end, load, pv)

    def compared(self, stretch: Stretch) -> Compared | None:
        """What was told against what came so far; None where nothing was told."""
        return None if self.told is None else Compared(self.origins, stretch.targets(self.origins), self.told)


def pose(stretch: Stretch, begin: int, end: int, weights: Weights | None) -> Posed:
    """The origins from one quarter to before another, with weights that were learned before them."""
    origins = np.arange(-(-begin // HOURLY) * HOURLY, end, HOURLY)
    features = stretch.around(begin, end).features(origins)
    return Posed(begin, end, origins, features, None if weights is None else told(features, weights))
