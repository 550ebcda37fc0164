"""What each reserve costs a day. Pure, and as many plans as there are reserves: for once an hour, not for each plan."""

from collections.abc import Sequence

import numpy as np

from optimizer.bill import carbon, cost
from optimizer.columns import CHARGE, DISCHARGE
from optimizer.outlook import Outlook
from optimizer.program import build, solve
from optimizer.reserves import Kept, with_reserves


def prices(bare: Outlook, every: Sequence[Kept]) -> dict[str, float]:
    """By name, what the hours cost with all of them less what they cost without this one, for a day, in the outlook's
    currency. `bare`: the outlook without any. Raises program.Unsolved.

    Of two that lie in each other's shadow neither may cost anything alone: the second one is there for nothing.
    """
    if not every:
        return {}
    days = float(np.sum(bare.hours)) / 24
    whole = _cost(with_reserves(bare, every))
    without = {one.name: _cost(with_reserves(bare, [other for other in every if other is not one])) for one in every}
    return {name: round(max(0.0, whole - less) / days, 4) + 0.0 for name, less in without.items()}


def _cost(outlook: Outlook) -> float:
    program = build(outlook)
    x, _ = solve(program)
    power = 1000 * (program.part(x, DISCHARGE) - program.part(x, CHARGE))
    return cost(outlook, power) + carbon(outlook, power)


def in_words(found: dict[str, float], currency: str) -> str:
    """For the log: `backup costs 3.10 EUR a day, fcr 0.42 EUR`."""
    first, *others = (f"{name} {{}}{value:.2f} {currency}{{}}" for name, value in found.items())
    return ", ".join([first.format("costs ", " a day"), *(one.format("", "") for one in others)])
