"""What the cells of a battery allow in the next hours, by what they allow now. Pure."""

from dataclasses import replace

import numpy as np

from optimizer.outlook import Outlook, Vector
from optimizer.taper import at

HOLDS, BACK = 1.0, 4.0
"""Hours for which a derate is taken to last as it is, and hours in which it goes: a cold battery takes hours to warm,
balancing ends within minutes, and nobody says which it is. Each new plan sees what is so then."""
USUAL = 0.95
"""Of what is usual at this SoC: more is no derate."""


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
