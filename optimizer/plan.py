"""The cheapest schedule of battery powers for an outlook, and what the battery answers to any other load."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from optimizer.bill import carbon, cost, peaks, stored
from optimizer.outlook import Outlook, Vector
from optimizer.policy.policy import Policy, Table
from optimizer.policy.policy import solve as solve_policy
from optimizer.program import CHARGE, DISCHARGE, build, solve
from optimizer.why_words import Place, sentence
from optimizer.whys import whys
from schemas.messages import Plan, Step

VALID = timedelta(hours=1)
"""Plans come each minute; with none for so long the prices hold, but the forecasts do not."""


def plan(outlook: Outlook, inputs: Mapping[str, float] | None = None, policy: Policy | None = None) -> Plan:
    """The plan; `policy` where it is solved already. Raises program.Unsolved; verify.verify checks it by another way.

    Where load and PV are known the linear program has the exact answer. Where they are not, a stochastic dynamic
    program has one for whatever the load turns out to be, and the schedule is its answer to the forecast.
    """
    if unsure(outlook):
        policy = policy or solve_policy(outlook)
        way = policy.walk()
        power, worth = way.power, way.worth
        tables = [policy.table(step, float(way.soc[step]), float(way.peak[step])) for step in _valid(outlook)]
    else:
        program = build(outlook)
        x, worth = solve(program)
        power = 1000 * (program.part(x, DISCHARGE) - program.part(x, CHARGE))
        power = np.round(power, 3) + 0.0  # mW; no -0.0 on the page
        tables = [Table([], cap) for cap in _caps(outlook, outlook.load - outlook.pv - power)]
    found = _peaks(outlook, outlook.load - outlook.pv - power)
    return Plan(
        id=f"{outlook.now:%Y%m%dT%H%M%SZ}",
        at=outlook.now,
        until=outlook.now + VALID,
        currency=outlook.currency,
        steps=_steps(outlook, power, worth, tables),
        peak=next(iter(found.values()), None),
        peaks=found,
        cost=cost(outlook, power),
        cost_idle=cost(outlook, np.zeros_like(power)),
        carbon=carbon(outlook, power),
        carbon_idle=carbon(outlook, np.zeros_like(power)),
        inputs=dict(inputs or {}),
    )


def unsure(outlook: Outlook) -> bool:
    """Whether load or PV of any step are not known for sure. A battery whose ramp is slower than its steps cannot
    answer what turns out: it needs a schedule."""
    slow = outlook.ramp * 3600 * float(np.min(outlook.hours[1:], initial=np.inf)) < 2 * outlook.rated
    return bool(np.any(np.asarray(outlook.spread) > 0)) and not slow


def _caps(outlook: Outlook, grid: Vector) -> list[float | None]:
    """W by step that begins before the plan ends: the peak of the first demand, where a window of it counts."""
    if not outlook.charges:
        return []
    windows, made = outlook.windows[0], peaks(outlook, grid)[0]
    of = [[windows.periods[row] for row in np.flatnonzero(windows.of[:, step])] for step in _valid(outlook)]
    return [max(windows.charge.expected, *made[each].tolist()) if each else None for each in of]


def _valid(outlook: Outlook) -> list[int]:
    """The steps that begin before the plan ends."""
    return [number for number, at in enumerate(outlook.starts) if at < outlook.now + VALID]


def _peaks(outlook: Outlook, grid: Vector) -> dict[str, float]:
    """W of each demand in the present month or year."""
    made = zip(outlook.charges, peaks(outlook, grid), strict=True)
    return {charge.component.name: max(float(found[0]), charge.expected) for charge, found in made}


def _steps(outlook: Outlook, power: Vector, worth: Vector, tables: Sequence[Table]) -> list[Step]:
    whole = outlook.battery.energy
    soc = np.clip(stored(outlook, power) / whole * 100, 0, 100) if whole else np.full(len(power), outlook.soc)
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
            cap=tables[i].cap if i < len(tables) else None,
            policy=tables[i].pairs if i < len(tables) else [],
            reason=sentence(why[i], place, at),
            why=why[i],
        )
        for i, at in enumerate(outlook.starts)
    ]
