"""The cheapest schedule of battery powers for an outlook."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from optimizer.bill import cost, peaks, stored
from optimizer.outlook import Outlook, Vector
from optimizer.program import CHARGE, DISCHARGE, build, solve
from optimizer.why_words import Place, sentence
from optimizer.whys import whys
from schemas.messages import Plan, Step

VALID = timedelta(hours=1)
"""Plans come each 5 min; with none for so long the prices hold, but the forecasts do not."""


def plan(outlook: Outlook, inputs: Mapping[str, float] | None = None) -> Plan:
    """The plan. Raises program.Unsolved; verify.verify checks it by another way."""
    program = build(outlook)
    x, worth = solve(program)
    power = 1000 * (program.part(x, DISCHARGE) - program.part(x, CHARGE))
    power = np.round(power, 3) + 0.0  # mW; no -0.0 on the page
    found = _peaks(outlook, outlook.load - outlook.pv - power)
    return Plan(
        id=f"{outlook.now:%Y%m%dT%H%M%SZ}",
        at=outlook.now,
        until=outlook.now + VALID,
        currency=outlook.currency,
        steps=_steps(outlook, power, worth),
        peak=next(iter(found.values()), None),
        peaks=found,
        cost=cost(outlook, power),
        cost_idle=cost(outlook, np.zeros_like(power)),
        inputs=dict(inputs or {}),
    )


def _peaks(outlook: Outlook, grid: Vector) -> dict[str, float]:
    """W of each demand in the present month or year."""
    made = zip(outlook.charges, peaks(outlook, grid), strict=True)
    return {charge.component.name: max(float(found[0]), charge.expected) for charge, found in made}


def _steps(outlook: Outlook, power: Vector, worth: Vector) -> list[Step]:
    soc = np.clip(stored(outlook, power) / outlook.battery.energy * 100, 0, 100)
    grid = outlook.load - outlook.pv - power
    why, place = whys(outlook, power, worth), Place(outlook.currency, outlook.zone)
    return [
        Step(
            at=at,
            seconds=float(outlook.hours[i]) * 3600,
            power=float(power[i]),
            soc=float(soc[i]),
            grid=float(grid[i]),
            load=float(outlook.load[i]),
            pv=float(outlook.pv[i]),
            price_import=float(outlook.buy[i]),
            price_export=float(outlook.sell[i]),
            marginal_value=float(worth[i]),
            reason=sentence(why[i], place, at),
            why=why[i],
        )
        for i, at in enumerate(outlook.starts)
    ]
