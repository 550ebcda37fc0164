"""How far off forecasts are, measured on those of six weeks: by the clock, by the lead, in quantiles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.ahead import LEVELS, Bands, normal
from optimizer.forecast.lessons import HORIZON, LEADS, Errors
from optimizer.forecast.local_days import DAY, LocalDays, Numbers

Array = NDArray[np.float64]

JUDGED = slice(12, 96, 2)
"""Leads whose errors are the spread: between 3 h and a day the error is about as large. Neighbours err alike."""
CLASSES = np.array([0, 4, 12, 24, 48, 96, HORIZON])
"""Leads that are judged together begin here."""
SMOOTHED = 2
"""Quarters before and after that are averaged with one."""
HOURS = 24
"""Origins of a day."""
FEWEST = 6
"""Leads of a class that are looked at."""
SEEN = 0.05
"""Errors of a clock time, as they count, with which it stands for itself."""
LEAST = 1.0
"""W."""
HALF = 14.0
"""Days after which an error counts half: seasons and terms change how far off forecasts are."""
FRESH = 3.0
"""Days whose errors are compared with those of the weeks before."""
TRUSTED = 6.0
"""Days by which the errors of the weeks count in that comparison."""
FACTOR = (0.5, 2.0)
"""How far a comparison of so few days is followed."""


class Scores(NamedTuple):
    """Of one of load, PV and net."""

    scale: Array
    """[class, clock] in W: the root mean square error."""
    quantiles: Array
    """[class, level] of the error, in scales."""


class Judged(NamedTuple):
    """Errors [origin, lead] of one of load, PV and net."""

    errors: Array
    """W, nan where unknown."""
    clocks: Numbers
    """The slot of the day."""
    ages: Array
    """Days since they were made."""
    weights: Array
    """What each counts."""

    def part(self, leads: slice) -> "Judged":
        """Some of the leads."""
        errors, clocks, ages, weights = self
        return Judged(errors[:, leads], clocks[:, leads], ages[:, leads], weights[:, leads])


@dataclass(frozen=True)
class Uncertainty:
    days: int
    """So many days of forecasts were judged."""
    spread: Array
    """W by clock: the root mean square error of `load - pv`."""
    load: Scores
    pv: Scores
    net: Scores
    lasting_load: Array
    """By lead: how much of an error of the running quarter is left."""
    lasting_pv: Array

    @classmethod
    def of(cls, errors: Sequence[Errors], local: LocalDays, at: int) -> "Uncertainty | None":
        """At a quarter; None as long as nothing was judged."""
        if not errors:
            return None
        clocks = np.concatenate([clocks_of(local, one.origins) for one in errors])
        ages = (at - np.concatenate([one.origins for one in errors])[:, None] - LEADS[None, :] - 1) / DAY
        load = np.concatenate([one.load for one in errors]).astype(float)
        pv = np.concatenate([one.pv for one in errors]).astype(float)
        if not np.isfinite(load - pv).any():
            return None
        days = len(errors)
        weights = 0.5 ** (ages[:, :1] / HALF) * 0.5 ** ((ages[:1] - ages[:1, :1]) / HALF)
        each = [Judged(one, clocks, ages, weights) for one in (load, pv, load - pv)]
        usual = _rms(each[2].part(JUDGED))
        return cls(
            days,
            usual * _lately(each[2], usual),
            _scores(each[0], days),
            _scores(each[1], days),
            _scores(each[2], days),
            _lasting(load),
            _lasting(pv),
        )

    def bands(self, load: Array, pv: Array, leads: Numbers, clocks: Numbers) -> Bands:
        """[level, step] or [level, origin, step] in W around a forecast [step] or [origin, step], leads [step]."""
        of = np.searchsorted(CLASSES, leads, side="right") - 1
        shape = (-1, *(1,) * (load.ndim - 1), len(leads))
        around = [
            told + one.scale[of, clocks] * one.quantiles[of].T.reshape(shape)
            for told, one in ((load, self.load), (pv, self.pv), (load - pv, self.net))
        ]
        sun = np.maximum(around[1], 0.0)
        return Bands(np.maximum(around[0], 0.0), sun, np.maximum(around[2], -sun[-1]))


def clocks_of(local: LocalDays, origins: Numbers) -> Numbers:
    """[origin, lead]: the slot of the day."""
    slots = local.slots(int(origins[0]), int(origins[-1] - origins[0]) + HORIZON)
    return np.asarray(slots[(origins - origins[0])[:, None] + LEADS[None, :]] % DAY)


def _rms(judged: Judged) -> Array:
    """By clock, smoothed; younger errors count more."""
    good = np.isfinite(judged.errors)
    clocks, weights = judged.clocks[good], judged.weights[good]
    squares = np.bincount(clocks, weights * judged.errors[good] ** 2, DAY).astype(float)
    count = np.bincount(clocks, weights, DAY).astype(float)
    usual = squares.sum() / max(float(count.sum()), 1e-9)
    known = _smooth(count)
    return np.sqrt(np.where(known > SEEN, _smooth(squares) / np.maximum(known, SEEN), usual))


def _lately(judged: Judged, usual: Array) -> float:
    """How much larger the errors of the last days were than their size by clock, as far as three days can tell: a site
    that changes is less sure at once, and not only when six weeks are full of it."""
    errors, clocks, ages, _ = judged.part(JUDGED)
    score = np.where(ages < FRESH, errors, np.nan) / np.maximum(usual, LEAST)[clocks]
    squares = score[np.isfinite(score)] ** 2
    days = len(squares) / (HOURS * errors.shape[1])
    return float(np.clip(np.sqrt((days * squares.mean() + TRUSTED) / (days + TRUSTED)), *FACTOR)) if days else 1.0


def _smooth(by_clock: Array) -> Array:
    """The mean over five quarters, round the clock."""
    round_ = np.concatenate([by_clock[-SMOOTHED:], by_clock, by_clock[:SMOOTHED]])
    return np.convolve(round_, np.full(2 * SMOOTHED + 1, 1 / (2 * SMOOTHED + 1)), "valid")


def _scores(judged: Judged, days: int) -> Scores:
    """Scales, and the conformal quantiles of what is off in scales."""
    scales, quantiles = [], []
    lately = _lately(judged, _rms(judged.part(JUDGED)))
    for begin, end in pairwise(CLASSES):
        step = max(1, (end - begin) // FEWEST)  # neighbours err alike
        part = judged.part(slice(begin, end, step))
        scale = np.maximum(_rms(part), LEAST)
        score = part.errors / scale[part.clocks]
        good = np.isfinite(score)
        scales.append(lately * scale)
        weights = part.weights[good]
        told = (
            np.quantile(score[good], honest(days), weights=weights, method="inverted_cdf")
            if good.any()
            else normal(LEVELS)
        )
        quantiles.append(told)
    return Scores(np.stack(scales), np.stack(quantiles))


def honest(days: int) -> Array:
    """The levels that hold LEVELS for the next day, given so many days: as conformal prediction does it."""
    wider = (days + 1) / days
    return np.clip(np.where(LEVELS > 0.5, LEVELS * wider, np.where(LEVELS < 0.5, 1 - (1 - LEVELS) * wider, 0.5)), 0, 1)


def _lasting(errors: Array) -> Array:
    """The slope of the error at each lead on that of the running quarter, between 0 and 1."""
    good = np.isfinite(errors)
    first = np.nan_to_num(errors[:, 0])
    both = first @ np.where(good, errors, 0.0)
    first = first**2 @ good
    return np.asarray(np.clip(both / np.maximum(first, 1e-9), 0.0, 1.0))
