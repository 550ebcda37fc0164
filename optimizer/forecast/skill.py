"""What was forecast against what came, by how far ahead it was: bias, error, pinball loss and coverage. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optimizer.forecast.ahead import LEVELS, Bands
from schemas.forecast_skill import LeadSkill

Array = NDArray[np.float64]

HOURS = ((0, 1), (1, 6), (6, 24))
"""Ahead, told apart."""
OF: tuple[Literal["load", "pv", "net"], ...] = ("load", "pv", "net")
LOW, HIGH = int(np.argmin(abs(LEVELS - 0.1))), int(np.argmin(abs(LEVELS - 0.9)))
DAYS = 14
"""That a summary is made of."""


@dataclass(frozen=True)
class Tally:
    """Sums of the forecasts of one day: [load, pv, net; hours ahead]."""

    count: Array
    error: Array
    """W: what came less what was told."""
    square: Array
    pinball: Array
    """W, the mean over the levels."""
    banded: Array
    """How many had a band; of PV not those of a night, of which all is known."""
    covered: Array
    """How many were in the 80 % band."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


NONE = Tally(*(np.zeros((len(OF), len(HOURS))) for _ in range(6)))


def tally(came: Sequence[Array], told: Sequence[Array], bands: Bands | None) -> Tally:
    """Of load, PV and net [origin, lead] in W, a quarter of an hour a lead; bands [level, origin, lead]."""
    found = Tally(*(np.zeros((len(OF), len(HOURS))) for _ in range(6)))
    for row, (real, mean) in enumerate(zip(came, told, strict=True)):
        for column, (begin, end) in enumerate(HOURS):
            leads = slice(4 * begin, 4 * end)
            error = real[:, leads] - mean[:, leads]
            good = np.isfinite(error)
            found.count[row, column] = good.sum()
            found.error[row, column] = error[good].sum()
            found.square[row, column] = (error[good] ** 2).sum()
            if bands is not None:
                _tally_band(found, (row, column), real[:, leads], bands[row][:, :, leads])
    return found


def _tally_band(found: Tally, place: tuple[int, int], real: Array, band: Array) -> None:
    known = np.isfinite(real) & np.isfinite(band).all(axis=0) & ((band[-1] > band[0]) | (real != band[0]))
    apart = real[None, :, :] - band
    levels = LEVELS[:, None, None]
    loss = np.maximum(levels * apart, (levels - 1) * apart).mean(axis=0)
    found.pinball[place] = loss[known].sum()
    found.banded[place] = known.sum()
    found.covered[place] = ((real >= band[LOW]) & (real <= band[HIGH]) & known).sum()


def summary(tallies: Sequence[Tally], source: str = "own") -> list[LeadSkill]:
    """Of all of them together; nothing of what was never compared."""
    whole = sum(tallies, NONE)
    found = []
    for row, of in enumerate(OF):
        for column, (begin, end) in enumerate(HOURS):
            count, banded = whole.count[row, column], whole.banded[row, column]
            if count:
                found.append(
                    LeadSkill(
                        of=of,
                        source=source,
                        from_hours=begin,
                        to_hours=end,
                        quarters=int(count),
                        bias=whole.error[row, column] / count,
                        rmse=float(np.sqrt(whole.square[row, column] / count)),
                        pinball=whole.pinball[row, column] / banded if banded else None,
                        covered=100 * whole.covered[row, column] / banded if banded else None,
                    )
                )
    return found
