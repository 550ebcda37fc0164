"""Outside forecasts beside our own: each counts for what it has proven, by hours ahead. Pure.

A weight is the inverse of the mean square error of the last days, measured on the same quarters for both. One that is
not proven yet, stale, far off, an hour off or in another unit has none, and a word says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.local_days import DAY, Numbers
from optimizer.forecast.outside_formats import Told
from optimizer.forecast.skill import HOURS
from optimizer.record import Vector
from schemas.forecast_skill import Outsider

PROVEN = 3 * DAY // 2
"""Quarters with something in them that were compared: three days of sun."""
JUDGED = 14 * DAY
"""Quarters before now that are compared."""
LATELY, SEEN = 2 * DAY, 32
"""The last quarters, which count by themselves, too, and how many of them must be known: one that goes wrong has no two
weeks in which its good days speak for it."""
STALE = 12 * 4
"""Quarters after which a forecast that nobody renewed is not believed."""
BAD = 1.5
"""How many times our own error is too much."""
UNIT = 8.0
"""How many times too much or too little is another unit, no error."""
SHIFTED = 0.7
"""What is left of an error that an hour's shift explains, at most."""


@dataclass(frozen=True)
class Issue:
    """A forecast as it was heard."""

    heard: int
    """The quarter."""
    told: Told


@dataclass(frozen=True)
class Proof:
    """What one outside forecast counts for."""

    weights: tuple[float, ...]
    """By HOURS ahead, from 0 to 1."""
    words: str = ""
    """Why it has none; empty where it has some."""

    def outsider(self, name: str) -> Outsider:
        """To be published."""
        told = {f"{begin}-{end}": weight for (begin, end), weight in zip(HOURS, self.weights, strict=True)}
        return Outsider(name=name, weights=told, words=self.words)


Gains = NDArray[np.float64]
"""[parity of the day, hour of UTC]"""
NO_WEIGHTS = (0.0,) * len(HOURS)


def gains(issues: Sequence[Issue], first: int, pv: Vector) -> Gains | None:
    """W of PV for each W/m2, by the parity of the day and the hour of UTC: of even days it is learned on odd ones and
    the other way round, so that no day proves what was learned of it. None before enough is known. `pv`: what came, in
    W by quarter from `first`."""
    heard = np.arange(first, first + len(pv))
    radiation = latest(issues, heard, 0)
    good = np.isfinite(radiation) & np.isfinite(pv)
    found = np.empty((2, 24))
    for parity in (0, 1):
        mine = good & (heard // DAY % 2 != parity)
        if (mine & (radiation > 0)).sum() < PROVEN // 6:
            return None
        hours = heard[mine] // 4 % 24
        both = np.bincount(hours, (radiation * pv)[mine], 24)
        square = np.bincount(hours, (radiation**2)[mine], 24)
        # an east roof gives more of the same radiation in the morning: by the hour, of all where an hour knows little
        usual = both.sum() / max(square.sum(), 1e-9)
        prior = 0.002 * square.sum() + 1e-9
        found[parity] = (both + prior * usual) / (square + prior)
    return found


def as_pv(issue: Issue, known: Gains) -> Issue:
    """A forecast of radiation in W/m2 as one of PV in W."""
    told = issue.told
    of = told.first + np.arange(len(told.values))
    return replace(issue, told=Told(told.first, told.values * known[of // DAY % 2, of // 4 % 24], "W"))


def latest(issues: Sequence[Issue], targets: Numbers, ahead: int) -> Vector:
    """What was told of each quarter by the last document that was heard at least so many quarters before it."""
    found = np.full(len(targets), np.nan)
    for issue in sorted(issues, key=lambda one: one.heard):
        told = issue.told.at(targets)
        found = np.where((issue.heard <= targets - ahead) & np.isfinite(told), told, found)
    return found


def prove(issues: Sequence[Issue], now: int, first: int, came: Vector, own_rmse: Sequence[float | None]) -> Proof:
    """What the forecasts of one source (all in W) count for. `came`: W by quarter from `first`; `own_rmse`: our own
    error in W by HOURS ahead; where nothing of it was compared yet, that of the day before stands for it."""
    if not issues or now - max(one.heard for one in issues) > STALE:
        heard = (
            f"it was heard {(now - max(one.heard for one in issues)) / 4:.0f} h ago" if issues else "it was never heard"
        )
        return Proof(NO_WEIGHTS, f"stale: {heard}")
    begin = max(first, now - JUDGED)
    targets = np.arange(begin, min(now, first + len(came)))
    real = came[targets - first]
    told = [latest(issues, targets, 4 * hours) for hours, _ in HOURS]
    alive = [np.isfinite(one) & np.isfinite(real) & ((one > 0) | (real > 0)) for one in told]
    if alive[0].sum() < PROVEN:
        return Proof(NO_WEIGHTS, f"not proven yet: {alive[0].sum() / 4:.0f} of {PROVEN // 4} hours were compared")
    if words := _wrong(told[0], real, alive[0]):
        return Proof(NO_WEIGHTS, words)
    late = targets >= now - LATELY
    if words := _wrong_lately(told[0][late], real[late], alive[0][late]):
        return Proof(NO_WEIGHTS, words)
    dull = _of_yesterday(came[: max(0, now - first)][-LATELY - DAY :])
    weights, words = [], ""
    for one, there, ours, (hours, _) in zip(told, alive, own_rmse, HOURS, strict=True):
        own = _of_yesterday(came) if ours is None else ours
        error = _apart(one, real) if there.sum() >= PROVEN else np.inf
        lately = _apart(one[late], real[late]) * own / max(own, dull) if there[late].sum() >= SEEN else 0.0
        weights.append(_weight(max(error, lately), own))
        if np.isfinite(error) and max(error, lately) > BAD * own:
            of = "of the last two days " if lately > error else ""
            words = words or f"its error {of}from {hours} h ahead is {max(error, lately) / own:.1f} times our own"
    return Proof(tuple(weights), "" if any(weights) else words or "not proven yet")


def _apart(told: Vector, real: Vector) -> float:
    """W: the root mean square error where both are known; infinite where nothing is."""
    apart = told - real
    return float(np.sqrt(np.nanmean(apart**2))) if np.isfinite(apart).any() else np.inf


def _wrong_lately(told: Vector, real: Vector, alive: NDArray[np.bool_]) -> str:
    """Another unit, or zeros, since some days."""
    if alive.sum() < SEEN:
        return ""
    size = float(np.sum(told[alive])) / max(float(np.sum(real[alive])), 1e-9)
    return "" if 1 / UNIT <= size <= UNIT else f"in the last two days it told {size:.3g} times what came"


def _weight(error: float, own: float) -> float:
    if not (np.isfinite(error) and np.isfinite(own)) or error > BAD * own:
        return 0.0
    return float(own**2 / max(own**2 + error**2, 1e-9))


def _of_yesterday(came: Vector) -> float:
    """W: the root mean square error of telling each day that it will be as the one before; nan before there are two."""
    apart = came[DAY:] - came[:-DAY]
    apart = apart[np.isfinite(apart)][-JUDGED:]
    return float(np.sqrt(np.mean(apart**2))) if len(apart) else float("nan")


def _wrong(told: Vector, real: Vector, alive: NDArray[np.bool_]) -> str:
    """What no bad weather explains: a unit, or a clock that is an hour off."""
    size = float(np.sum(told[alive])) / max(float(np.sum(real[alive])), 1e-9)
    if size > UNIT or size < 1 / UNIT:
        return f"it tells {size:.3g} times what came: is it in kW where W are meant, or of another site?"
    errors = {shift: _error(told, real, shift) for shift in (-4, 0, 4)}
    best = min(errors, key=lambda shift: errors[shift])
    if best and errors[best] < SHIFTED * errors[0]:
        return f"it is an hour {'late' if best < 0 else 'early'}: is its clock or its time zone right?"
    return ""


def _error(told: Vector, real: Vector, shift: int) -> float:
    """W: the root mean square error of what was told, moved to later by so many quarters."""
    return _apart(np.roll(told, shift)[4:-4], real[4:-4])


def blend(own: Vector, leads: Vector, sources: Sequence[tuple[Vector, Proof]]) -> Vector:
    """W by step: our own forecast and outside ones (nan where they tell nothing) by their weights. `leads`: quarters
    from now to each step; beyond 24 h the weight of 6 to 24 h holds. The quarter that runs is as it is measured."""
    of = np.clip(np.searchsorted([4 * end for _, end in HOURS], leads, side="right"), 0, len(HOURS) - 1)
    total, whole = np.ones(len(own)), np.array(own, dtype=float)
    for told, proof in sources:
        share = np.where(np.isfinite(told) & (leads > 0), np.array(proof.weights)[of], 0.0)
        odds = share / np.maximum(1 - share, 1e-3)
        total, whole = total + odds, whole + odds * np.where(np.isfinite(told), told, 0.0)
    return np.asarray(whole / total)
