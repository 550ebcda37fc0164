"""The forecast of the first days: what was usual at that clock time, and what is now. Pure."""

import numpy as np

from optimizer.forecast.ahead import LEVELS, Ahead, Bands, normal
from optimizer.forecast.lessons import Stretch
from optimizer.forecast.load_features import LoadDays
from optimizer.forecast.local_days import DAY, Numbers
from optimizer.forecast.pv_features import PvDays
from optimizer.forecast.uncertainty import Uncertainty
from optimizer.record import Vector

LOAD_FADES, SUN_FADES, UNSEEN_FADES, BRIGHTNESS_FADES = 8.0, 4.0, 8.0, 24.0
"""Quarters after which the load now, the PV now, the PV now of a day never seen, and the brightness of the last hours
say nothing."""
ALIKE = 1.0
"""What another working day weighs: of the first weeks there are too few of each weekday to tell them apart."""
UNKNOWN = 0.5
"""The error where nothing is known, as a part of what is known to be possible."""
SMALLEST = 1000.0
"""W of error where nothing at all is known."""
LEAST = 0.005
"""The error of a forecast that was never wrong, as a part of the mean load and PV."""
BELIEVED = 7.0
"""Days of errors after which the first guess of them counts no more."""


def told(
    known: Stretch, origin: int, leads: Numbers, load_now: float | None, pv_now: float | None
) -> tuple[Vector, Vector]:
    """W of load and of PV."""
    return _load(known, origin, leads, load_now), _pv(known, origin, leads, pv_now)


def _load(known: Stretch, origin: int, leads: Numbers, now: float | None) -> Vector:
    now = _last(known.load, 4) if now is None else now
    if len(known.load) == 0:
        return np.full(len(leads), now or 0.0)
    origins = np.array([origin])
    slot = int(known.local.slots(origin, 1)[0])
    last = origin + int(leads.max())
    days = LoadDays(known.local, known.first, known.load, slot // DAY - 2, last, ALIKE)
    usual = days.usual(origins, leads)[0]
    usual = np.where(np.isfinite(usual), usual, _last(known.load, DAY) or 0.0 if now is None else now)
    if now is None:
        return usual
    return np.asarray(np.maximum(usual + (now - usual[0]) * np.clip(1 - leads / LOAD_FADES, 0, 1), 0.0))


def _pv(known: Stretch, origin: int, leads: Numbers, now: float | None) -> Vector:
    now = _last(known.pv, 1) if now is None else now
    # a day never seen: what shines now goes on for a while, but not through the night
    unknown = (now or 0.0) * np.clip(1 - leads / UNSEEN_FADES, 0, 1)
    usual = _scaled(known, origin, leads) if len(known.pv) else unknown
    usual = np.where(np.isfinite(usual), usual, unknown)
    fading = np.clip(1 - leads / SUN_FADES, 0, 1)
    return np.asarray(usual if now is None else np.maximum(fading * now + (1 - fading) * usual, 0.0))


def _scaled(known: Stretch, origin: int, leads: Numbers) -> Vector:
    """W: the usual PV, as bright as the last hours were against the days before."""
    origins = np.array([origin])
    days = PvDays(known.first, known.pv, origin - 3 * DAY)
    day, hours, _ = days.brightness(origins)[:, 0]
    ratio = min(hours / day, 2.0) if day > 0 else 1.0
    fading = np.clip(1 - leads / BRIGHTNESS_FADES, 0, 1)
    return np.asarray(days.usual(origins, leads)[0] * (1 + (ratio - 1) * fading))


def _last(values: Vector, within: int) -> float | None:
    """The youngest known of the last quarters."""
    known = values[-within:][np.isfinite(values[-within:])]
    return float(known[-1]) if len(known) else None


def ahead(  # noqa: PLR0917  # what is known, and how it is asked for
    known: Stretch,
    load_pv: tuple[Vector, Vector],
    quarters: Vector,
    clocks: Numbers,
    now: tuple[float, float],
    doubt: Uncertainty | None,
) -> Ahead:
    """With the error that one day's load and PV had against the next one's, and with those of forecasts as soon as
    there are some."""
    load, pv = load_pv
    each = [guessed(values, present) for values, present in zip((known.load, known.pv), now, strict=True)]
    size = spread(known, clocks, now, doubt)
    around = normal(LEVELS)[:, None]
    return Ahead(
        load,
        pv,
        size,
        Bands(
            np.maximum(load + around * each[0], 0.0),
            np.maximum(pv + around * each[1], 0.0),
            load - pv + around * size,
        ),
        quarters,
    )


def spread(known: Stretch, clocks: Numbers, now: tuple[float, float], doubt: Uncertainty | None) -> Vector:
    """W by step: the error of `load - pv` that was measured, and as long as that is of few days, that of a guess."""
    share = 0.0 if doubt is None else min(1.0, doubt.days / BELIEVED)
    measured = np.zeros(len(clocks)) if doubt is None else doubt.spread[clocks]
    guess = [guessed(values, present) for values, present in zip((known.load, known.pv), now, strict=True)]
    both = np.sqrt(share * measured**2 + (1 - share) * (guess[0] ** 2 + guess[1] ** 2))
    return np.asarray(np.maximum(both, least(known)))


def guessed(values: Vector, present: float) -> float:
    """W of error: what a day differed from the one before, or without two days a part of the highest value."""
    apart = values[DAY:] - values[:-DAY]
    apart = apart[np.isfinite(apart)]
    known = values[np.isfinite(values)]
    unknown = UNKNOWN * max(float(known.max(initial=0.0)), present) if len(known) or present else SMALLEST
    if not len(apart):
        return unknown
    share = len(apart) / (len(apart) + DAY)
    return float(np.sqrt(share * np.mean(apart**2) + (1 - share) * unknown**2))


def least(known: Stretch) -> float:
    """W: no forecast is sure."""
    size = sum(float(np.mean(each)) for one in (known.load, known.pv) if len(each := one[np.isfinite(one)]))
    return max(LEAST * size, 1.0)
