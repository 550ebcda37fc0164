"""What the cells of a battery allow in the next hours, by what they allow now and by what was seen of them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from optimizer.outlook import Outlook, Vector
from optimizer.taper import Taper, at

HOLDS, BACK = 1.0, 4.0
"""Hours for which a derate is taken to last as it is, and hours in which it goes: a cold battery takes hours to warm,
balancing ends within minutes, and nobody says which it is. Each new plan sees what is so then."""
USUAL = 0.95
"""Of what is usual at this SoC: more is no derate."""
BIN, ENOUGH = 5.0, 20
"""% of SoC that are looked at together, and samples of them that say something."""
BEST = 0.75
"""The quantile of what was allowed at a SoC: a cold morning is no property of that SoC."""


def derated(allowed: float, usual: float, hours: Vector) -> Vector:
    """W by step that may flow one way. `allowed`: W now; `usual`: W at this SoC else; `hours` of the steps."""
    begins = np.cumsum(hours) - hours
    share = 1.0 if usual <= 0 else max(0.0, allowed / usual)
    if share >= USUAL:
        return np.full(len(hours), np.inf)
    back = np.clip((begins - HOLDS) / BACK, 0.0, 1.0)
    return np.asarray(np.where(back >= 1.0, np.inf, usual * (share + (1 - share) * back)))


def with_derate(outlook: Outlook, charge: float, discharge: float) -> Outlook:
    """The outlook with what the BMS allows now, in W at the meter; inf where nobody tells."""
    usual = [min(outlook.rated, one) for one in at(outlook.battery.taper, outlook.soc)]
    return replace(
        outlook,
        allowed_charge=np.minimum(outlook.allowed_charge, derated(charge, usual[0], outlook.hours)),
        allowed_discharge=np.minimum(outlook.allowed_discharge, derated(discharge, usual[1], outlook.hours)),
    )


def seen(socs: Sequence[float], charge: Sequence[float], discharge: Sequence[float], rated: float) -> tuple[Taper, ...]:
    """The taper by what a BMS allowed over its SoC lately: % and W at the meter, sample by sample; nan is no sample.
    Empty where it never allowed less than the rating. SoC that were hardly seen are taken from their neighbours."""
    soc = np.array(socs, dtype=float)
    into, out = (np.clip(np.array(each, dtype=float), 0.0, rated) for each in (charge, discharge))
    known = np.isfinite(soc) & np.isfinite(into) & np.isfinite(out)
    edges = np.arange(0.0, 100.0 + BIN, BIN)
    found = list[Taper]()
    for edge in edges:
        mine = known & (np.abs(soc - edge) <= BIN / 2)
        if mine.sum() >= ENOUGH:
            best = (float(np.quantile(each[mine], BEST)) for each in (into, out))
            found.append(Taper(float(edge), *best))
    return tuple(found) if any(min(one.charge, one.discharge) < USUAL * rated for one in found) else ()
