"""How much energy a battery still has, and how much of it is lost, from counted energy between rests. Pure.

Between two rests `dSoC = a C - b D`: C and D are the Wh charged and discharged at the inverter, `a = 100 n / E` and
`b = 100 / (n E)` with the energy E between 0 and 100 % and the efficiency n of each direction. Two unknowns, many
stretches: a least-squares fit. It is weighed by how well each SoC is known: the voltage of LFP cells is flat between
about 12 and 95 %, so there a BMS counts with the capacity it believes in; near the ends it sees where it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from schemas.site_battery import Terms

Vector = NDArray[np.float64]

LOW, HIGH = 12.0, 95.0
"""% of SoC: below and above the voltage tells where a LFP cell is; of other cells it does so all the more."""
SEEN, COUNTED = 0.7, 3.0
"""%: standard error of a BMS's SoC after a rest near an end, and between them, where it is counted since the last."""
SWING = 40.0
"""%: a stretch with a SoC that is only counted moves by at least so much, or both its errors are all it tells."""
REST = 0.002
"""Of the energy in a quarter of an hour: less is a rest. Two of them, so that the cells have settled."""
LONGEST = 7 * 96
"""Quarters of a stretch: in a longer one what the meter and the standby take has added up."""
ENDS = 3
"""So many stretches from one end to the other are trusted alone."""
BELIEVED_CAPACITY = 0.10
"""Of the energy: without those the SoC between the ends is the BMS's own count, and so is the energy found by it."""
METER, DIRECTIONS = 0.005, 0.003
"""Of the energy: the class of the counters, and by how much their two directions differ."""
OUTLIER = 3.5
"""Standard errors: a SoC that leaps by more was set anew in between."""
SURE_ENERGY, SURE_EFFICIENCY = 0.05, 0.02
"""A plan uses what is known better than that: one standard error, of the energy and of the efficiency."""


@dataclass(frozen=True)
class Counted:
    """One battery, quarter of an hour by quarter of an hour; nan where it is not known."""

    soc: Vector
    """% at the end of each."""
    charged: Vector
    """Wh at the inverter, >= 0."""
    discharged: Vector

    def __post_init__(self) -> None:
        if not len(self.soc) == len(self.charged) == len(self.discharged):
            raise ValueError("soc, charged and discharged are of the same quarters of an hour: give as many of each")

    @property
    def known(self) -> float:
        """The share of the quarters whose SoC and energies are known, from 0 to 1."""
        whole = np.isfinite(self.soc + self.charged + self.discharged)
        return float(np.mean(whole)) if len(whole) else 0.0


@dataclass(frozen=True)
class Estimate:
    """What was found."""

    energy: float
    """Wh between 0 and 100 % SoC."""
    efficiency: float
    """Of each direction."""
    energy_sigma: float
    """Wh: the standard error; twice as much holds in 95 of 100 cases."""
    efficiency_sigma: float
    stretches: int
    """Between rests, that were used."""
    whole: int
    """Of these from one end to the other."""

    @property
    def round_trip(self) -> float:
        """Of the energy that is charged so much comes back."""
        return self.efficiency**2


@dataclass(frozen=True)
class _Stretch:
    first: int
    last: int
    """Quarters at whose ends the SoC was read."""
    swing: float
    """%"""
    charged: float
    discharged: float
    errors: tuple[float, float]
    """% of both SoC."""

    @property
    def from_end_to_end(self) -> bool:
        return max(self.errors) < COUNTED and abs(self.swing) >= SWING


def estimate(counted: Counted, nominal: float) -> Estimate | None:
    """None while too little is known. `nominal`: Wh of the site file, only to know a rest by."""
    stretches = [*_stretches(counted, nominal)]
    ends = [one for one in stretches if max(one.errors) < COUNTED]
    whole = [one for one in ends if one.from_end_to_end]
    seen = len(whole) >= ENDS
    used = ends if seen else stretches
    fit = _fit(used)
    if fit is None:
        return None
    (a, b), covariance, used = fit
    relative = covariance / np.outer([a, b], [a, b])
    spread, apart = relative.trace(), 2 * relative[0, 1]
    energy, efficiency = 100 / sqrt(a * b), exp((log(a) - log(b)) / 2)
    systematic = 0.0 if seen else BELIEVED_CAPACITY
    return Estimate(
        energy=energy,
        efficiency=efficiency,
        energy_sigma=energy * sqrt(max(0.0, spread + apart) / 4 + METER**2 + systematic**2),
        efficiency_sigma=efficiency * sqrt(max(0.0, spread - apart) / 4 + DIRECTIONS**2),
        stretches=len(used),
        whole=sum(one.from_end_to_end for one in used),
    )


def usable(battery: Terms, found: Estimate | None) -> tuple[float, float, float]:
    """What a plan may reckon with: Wh, the efficiency of each direction, and the standard error of the Wh.

    Never more than the site file says, never less than half of it; and what it says while nothing better is known, with
    an infinite error.
    """
    if found is None:
        return battery.energy, battery.efficiency, inf
    energy, efficiency = battery.energy, battery.efficiency
    if found.energy_sigma <= SURE_ENERGY * found.energy:
        energy = min(max(found.energy, battery.energy / 2), battery.energy)
    if found.efficiency_sigma <= SURE_EFFICIENCY:
        efficiency = min(max(found.efficiency, battery.efficiency / 2), battery.efficiency)
    return energy, efficiency, found.energy_sigma


def _rests(counted: Counted, nominal: float) -> list[int]:
    """The last quarter of each rest."""
    with np.errstate(invalid="ignore"):
        still = (counted.charged + counted.discharged < REST * nominal) & np.isfinite(counted.soc)
    settled = still[1:] & still[:-1]
    ends = settled & ~np.append(settled[1:], [False])
    return [int(one) + 1 for one in np.flatnonzero(ends)]


def _stretches(counted: Counted, nominal: float) -> Iterator[_Stretch]:
    """One behind the other, from a rest to the next that is far enough or at an end; none over a gap."""
    into, out = (
        np.concatenate([[0.0], np.cumsum(np.nan_to_num(one))]) for one in (counted.charged, counted.discharged)
    )
    gaps = np.concatenate([[0], np.cumsum(~np.isfinite(counted.charged + counted.discharged))])
    step, first = _step(counted.soc), -1
    for last in _rests(counted, nominal):
        if first < 0 or gaps[last + 1] > gaps[first + 1] or last - first > LONGEST:
            first = last
            continue
        soc = float(counted.soc[first]), float(counted.soc[last])
        errors = _error(soc[0], step), _error(soc[1], step)
        swing = soc[1] - soc[0]
        charged, discharged = float(into[last + 1] - into[first + 1]), float(out[last + 1] - out[first + 1])
        if charged + discharged > SWING / 100 * nominal and (max(errors) < COUNTED or abs(swing) >= SWING):
            yield _Stretch(first, last, swing, charged, discharged, errors)
            first = last
        elif errors[1] <= errors[0]:
            first = last


def _error(soc: float, step: float) -> float:
    """% of a SoC after a rest."""
    return sqrt((SEEN if soc <= LOW or soc >= HIGH else COUNTED) ** 2 + step**2 / 12)


def _step(soc: Vector) -> float:
    """% in which the BMS tells it."""
    known = np.unique(np.round(soc[np.isfinite(soc)], 2))
    return float(np.min(np.diff(known), initial=1.0)) if len(known) > 1 else 1.0


Fit = tuple[tuple[float, float], NDArray[np.float64], list[_Stretch]]


def _fit(stretches: list[_Stretch]) -> Fit | None:
    """a and b per Wh, their covariance, and the stretches that are no outliers."""
    for _ in range(3):
        if len(stretches) < ENDS:
            return None
        rows = np.array([[one.charged, -one.discharged] for one in stretches])
        swings, errors = np.array([one.swing for one in stretches]), _covariance(stretches)
        weight = np.linalg.inv(errors)
        normal = rows.T @ weight @ rows
        if np.linalg.cond(normal) > 1e6:
            return None  # it only ever charged, or only discharged
        a, b = np.linalg.solve(normal, rows.T @ weight @ swings)
        if a <= 0 or b <= 0:
            return None
        rest = swings - rows @ np.array([a, b])
        kept = np.abs(rest) <= OUTLIER * np.sqrt(np.diag(errors))
        if kept.all():
            free = max(len(stretches) - 2, 1)
            scale = max(1.0, float(rest @ weight @ rest) / free) * float(student.ppf(0.975, free) / 1.96) ** 2
            return (float(a), float(b)), np.linalg.inv(normal) * scale, stretches
        stretches = [one for one, good in zip(stretches, kept, strict=True) if good]
    return None


def _covariance(stretches: list[_Stretch]) -> NDArray[np.float64]:
    """%^2: a SoC in which one stretch ends and the next begins is wrong in both, in opposite directions."""
    found = np.diag([one.errors[0] ** 2 + one.errors[1] ** 2 for one in stretches])
    for number, (one, other) in enumerate(pairwise(stretches)):
        if one.last == other.first:
            found[number, number + 1] = found[number + 1, number] = -(one.errors[1] ** 2)
    return found
