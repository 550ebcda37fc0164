"""Quarter hours of load and PV as seconds: with what a meter sees between two means. The same each time.

Real one-second data of such sites is not at hand. The noise is that of a commercial site: a wandering part (people,
ventilation; autocorrelated over half a minute), motors that start with several times their power, lifts, and clouds
that take the PV down within seconds. The mean of each quarter hour stays exactly what was measured.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

QUARTER = 900
"""Seconds."""
WANDERS, LASTS = 0.03, 30.0
"""Of the mean load: the standard deviation of the wandering part; and the seconds after which it is another."""
MOTOR, INRUSH, STARTS, RUNS = 0.04, 5.0, 300.0, 180.0
"""Of the mean load: a motor; how many times as much it draws for three seconds; seconds between two, and it runs."""
LIFT, RIDES, RIDE = 0.05, 120.0, 20
"""Of the mean load: a lift; seconds between two rides, and of one."""
SHADE, CLOUDS, RAMP = 0.6, 240.0, 10
"""Of the PV: what a thick cloud takes; seconds between two changes of the sky, and of a change."""


def one_second(load: Vector, pv: Vector, seed: int, restless: float = 1.0) -> tuple[Vector, Vector]:
    """W by second of quarter hours in W. `restless`: how many times the noise of the load that stands above."""
    chance = np.random.default_rng(seed)
    usual = float(np.mean(load))
    smooth = _between(load) + restless * usual * _noise(len(load) * QUARTER, chance)
    clouded = _between(pv) * _sky(len(pv) * QUARTER, chance)
    return _kept_sum(smooth, load), _kept_share(clouded, pv)


def _between(means: Vector) -> Vector:
    """Straight from the middle of a quarter hour to that of the next."""
    middles = np.arange(len(means)) * QUARTER + QUARTER / 2
    return np.interp(np.arange(len(means) * QUARTER), middles, means)


def _noise(seconds: int, chance: np.random.Generator) -> Vector:
    """Of a load of 1."""
    keeps, found = np.exp(-1 / LASTS), np.empty(seconds)
    shocks = chance.normal(0.0, WANDERS * np.sqrt(1 - keeps**2), seconds)
    value = 0.0
    for second in range(seconds):
        value = keeps * value + shocks[second]
        found[second] = value
    for at in _moments(seconds, STARTS, chance):
        found[at : at + int(chance.exponential(RUNS))] += MOTOR
        found[at : at + 3] += (INRUSH - 1) * MOTOR
    for at in _moments(seconds, RIDES, chance):
        found[at : at + RIDE] += LIFT
    return found


def _sky(seconds: int, chance: np.random.Generator) -> Vector:
    """Share of the PV that the clouds leave."""
    found, clear = np.empty(seconds), 1.0
    changes = [0, *_moments(seconds, CLOUDS, chance), seconds]
    for begin, end in pairwise(changes):
        found[begin:end] = clear
        clear = 1.0 - SHADE * float(chance.beta(0.5, 0.5))
    return np.convolve(np.pad(found, RAMP, mode="edge"), np.ones(RAMP) / RAMP, "same")[RAMP:-RAMP]


def _moments(seconds: int, apart: float, chance: np.random.Generator) -> list[int]:
    return sorted(int(one) for one in chance.uniform(0, seconds, chance.poisson(seconds / apart)))


def _kept_sum(values: Vector, means: Vector) -> Vector:
    rows = values.reshape(-1, QUARTER)
    return np.asarray((rows + (means - rows.mean(axis=1))[:, np.newaxis]).ravel())


def _kept_share(values: Vector, means: Vector) -> Vector:
    rows = np.maximum(values, 0.0).reshape(-1, QUARTER)
    had = rows.mean(axis=1)
    share = np.divide(means, had, out=np.zeros_like(means), where=had > 0)
    return np.asarray((rows * share[:, np.newaxis]).ravel())
