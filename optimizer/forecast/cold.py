"""The forecast of the first days: what was usual at that clock time, and what is now. Pure."""

from dataclasses import dataclass
from typing import Literal

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
HOURS = 8
"""Quarters whose brightness is seen."""
DAWN = 0.25
"""Of the highest usual PV: so much is added to what came and to what is usual before they are compared."""
BRIGHTEST = 1.5
ALIKE = 1.0
"""What another working day weighs: of the first weeks there are too few of each weekday to tell them apart."""
NEAR = 8
"""Quarters before and after a clock time in which a value of it may come, too."""
HALF = 5.0
"""Days after which an error counts half: the more days there are, the better is what is usual."""
FIRST = 0.5
"""Days that a guess of the error counts as; it ages as errors do."""
UNKNOWN = 12**-0.5
"""The error where nothing is known, as a part of what is known to be possible: any value up to it is as likely."""
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
    """W: the usual PV, as bright as the last two hours were; the first light of a morning tells little of a day."""
    days = PvDays(known.first, known.pv, origin - 3 * DAY)
    usual = days.usual(np.array([origin]), leads)[0]
    before = np.arange(max(known.first, origin - HOURS), origin)
    came = known.pv[before - known.first]
    then = days.usual(np.array([origin - DAY]), before - origin + DAY)[0] if len(before) else came
    good = np.isfinite(came) & np.isfinite(then)
    some = DAWN * HOURS * float(np.max(usual, initial=0.0, where=np.isfinite(usual)))
    if not some:
        return np.asarray(usual)
    ratio = min((came[good].sum() + some) / (then[good].sum() + some), BRIGHTEST)
    fading = np.clip(1 - leads / BRIGHTNESS_FADES, 0, 1)
    return np.asarray(usual * (1 + (ratio - 1) * fading))


def _last(values: Vector, within: int) -> float | None:
    """The youngest known of the last quarters."""
    known = values[-within:][np.isfinite(values[-within:])]
    return float(known[-1]) if len(known) else None


@dataclass(frozen=True)
class Sizes:
    """W by step: how far off load, PV and `load - pv` may be."""

    load: Vector
    pv: Vector
    net: Vector


def ahead(load_pv: tuple[Vector, Vector], quarters: Vector, sizes: Sizes) -> Ahead:
    """With the errors that the same forecast would have had on the days that are known."""
    load, pv = load_pv
    around = normal(LEVELS)[:, None]
    sun = np.maximum(pv + around * sizes.pv, 0.0)
    net = np.maximum(load - pv + around * sizes.net, -sun[-1])  # no more is fed in than there may be PV
    return Ahead(load, pv, sizes.net, Bands(np.maximum(load + around * sizes.load, 0.0), sun, net), quarters)


def sizes(known: Stretch, clocks: Numbers, now: tuple[float, float], doubt: Uncertainty | None) -> Sizes:
    """By step, as the usual was off on the days that are known."""
    load, pv = guessed(known, "load", now[0])[clocks], guessed(known, "pv", now[1])[clocks]
    return Sizes(load, pv, _mixed(known, clocks, doubt, np.hypot(load, pv)))


def spread(known: Stretch, clocks: Numbers, now: tuple[float, float], doubt: Uncertainty) -> Vector:
    """W by step: the error of `load - pv` that was measured, and as long as that is of few days, that of the usual."""
    guess = np.zeros(len(clocks)) if doubt.days >= BELIEVED else sizes(known, clocks, now, None).net
    return _mixed(known, clocks, doubt, guess)


def _mixed(known: Stretch, clocks: Numbers, doubt: Uncertainty | None, guess: Vector) -> Vector:
    share = 0.0 if doubt is None else min(1.0, doubt.days / BELIEVED)
    measured = np.zeros(len(clocks)) if doubt is None else doubt.spread[clocks]
    return np.asarray(np.maximum(np.sqrt(share * measured**2 + (1 - share) * guess**2), least(known)))


def guessed(known: Stretch, of: Literal["load", "pv"], present: float) -> Vector:
    """W of error by clock: what the usual of the days before was off on each day, and half a day more of which nothing
    is known but the highest value near that clock time. PV that was never there at a clock time has no error."""
    values = known.load if of == "load" else known.pv
    highest = max(float(np.max(values, initial=0.0, where=np.isfinite(values))), present)
    nothing = np.full(DAY, UNKNOWN * highest if np.isfinite(values).any() or present else SMALLEST)
    if len(values) < DAY:
        return nothing
    clocks = known.local.slots(known.first, len(values)) % DAY
    near = np.zeros(DAY)
    np.maximum.at(near, clocks, np.nan_to_num(values))
    unknown = UNKNOWN * np.max([np.roll(near, by) for by in range(-NEAR, NEAR + 1)], axis=0)
    off = values - _usual(known, of)
    good = np.isfinite(off)
    weights = 0.5 ** ((len(values) - np.flatnonzero(good)) / DAY / HALF)
    squares = _around(np.bincount(clocks[good], weights * off[good] ** 2, DAY).astype(float))
    count = _around(np.bincount(clocks[good], weights, DAY).astype(float))
    first = FIRST * 0.5 ** (len(values) / DAY / HALF)
    return np.asarray(np.sqrt((squares + first * unknown**2) / (count + first)))


def _usual(known: Stretch, of: Literal["load", "pv"]) -> Vector:
    """W by quarter: what was usual on the days before; nan on the first."""
    whole = len(known.load) // DAY * DAY
    begin = known.end - whole
    origins, leads = np.arange(begin, known.end, DAY), np.arange(DAY)
    if of == "pv":
        told = PvDays(known.first, known.pv, known.first).usual(origins, leads)
    else:
        first = int(known.local.slots(begin, 1)[0]) // DAY
        told = LoadDays(known.local, known.first, known.load, first, known.end, ALIKE).usual(origins, leads)
    return np.concatenate([np.full(len(known.load) - whole, np.nan), told.ravel()])


def _around(by_clock: Vector) -> Vector:
    """The mean of five quarters, round the clock."""
    return np.asarray(np.mean([np.roll(by_clock, by) for by in range(-2, 3)], axis=0))


def least(known: Stretch) -> float:
    """W: no forecast is sure."""
    size = sum(float(np.mean(each)) for one in (known.load, known.pv) if len(each := one[np.isfinite(one)]))
    return max(LEAST * size, 1.0)
