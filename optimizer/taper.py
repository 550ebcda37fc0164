"""What the cells of a battery allow by their SoC, as a table. Pure."""

from collections.abc import Sequence
from math import inf, isnan, nan
from typing import NamedTuple


class Taper(NamedTuple):
    """What the cells allow at a SoC, straight between two of them and level beyond the first and the last."""

    soc: float
    charge: float
    """W at the meter."""
    discharge: float


def at(taper: Sequence[Taper], soc: float) -> tuple[float, float]:
    """W that may be charged and discharged at a SoC; no limit where there is no table."""
    if not taper:
        return inf, inf
    if isnan(soc):
        return nan, nan
    before = taper[0]
    for after in taper:
        if after.soc >= soc:
            return _between(soc, before, after)
        before = after
    return before.charge, before.discharge


def _between(soc: float, before: Taper, after: Taper) -> tuple[float, float]:
    if soc >= after.soc or soc <= before.soc:  # exactly there, or below the first
        return after.charge, after.discharge
    past, wide = soc - before.soc, after.soc - before.soc
    charge, discharge = after.charge - before.charge, after.discharge - before.discharge
    return charge / wide * past + before.charge, discharge / wide * past + before.discharge


def at_sum(tapers: Sequence[tuple[Taper, ...]], rated: Sequence[float]) -> tuple[Taper, ...]:
    """Of several batteries at the same SoC together: their powers add up. `rated` W is what one without a table can."""
    socs = sorted({one.soc for taper in tapers for one in taper})
    found = list[Taper]()
    for soc in socs:
        each = [at(taper, soc) if taper else (most, most) for taper, most in zip(tapers, rated, strict=True)]
        found.append(Taper(soc, sum(charge for charge, _ in each), sum(discharge for _, discharge in each)))
    return tuple(found)
