"""What energy taken out of the battery now brings, against what it would bring later. Pure."""

from enum import StrEnum

from optimizer.storage import Storage
from schemas.messages import Step

CENT = 0.001
"""Per kWh: prices that differ by less are the same, the solver is no more exact."""


class Worth(StrEnum):
    """Now against later."""

    MORE = "more"
    SAME = "same"
    LESS = "less"


def worth(step: Step, battery: Storage) -> Worth:
    """Of a step of a plan; the wear is paid by what is discharged."""
    gain = step.price_import - battery.wear - step.marginal_value / battery.efficiency
    return Worth.MORE if gain > CENT else Worth.LESS if gain < -CENT else Worth.SAME
