"""The cheapest schedule of battery powers for an outlook, and what the battery answers to any other load."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from optimizer.bill import carbon, cost, demand, peaks, stored
from optimizer.digits import PERCENT, PRICE, SECOND, WATT, rounded, watts_of
from optimizer.outlook import Outlook, Vector
from optimizer.policy.policy import Policy, Table
from optimizer.policy.policy import solve as solve_policy
from optimizer.program import CHARGE, DISCHARGE, build, solve
from optimizer.why_words import Place, sentence
from optimizer.whys import whys
from schemas.messages import Plan, Step

LEAST = 0.1
"""% of SoC between least and most: with less there is nothing to plan with, and no difference that can be told."""
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
        tables = [Table([], cap) for cap in _caps(outlook, outlook.load - outlook.pv - power)]
    power = rounded(power, watts_of(outlook.battery.energy))
    found, idle = _peaks(outlook, outlook.load - outlook.pv - power), np.zeros_like(power)
    return Plan(
        id=f"{outlook.now:%Y%m%dT%H%M%SZ}",
        at=outlook.now,
        until=outlook.now + VALID,
        currency=outlook.currency,
        prices_until=outlook.prices_until,
        steps=_steps(outlook, power, worth, tables),
        peak=next(iter(found.values()), None),
        peaks=found,
        cost=rounded(cost(outlook, power), PRICE),
        cost_idle=rounded(cost(outlook, idle), PRICE),
        peak_cost=rounded(demand(outlook, power), PRICE) if outlook.charges else None,
        peak_cost_idle=rounded(demand(outlook, idle), PRICE) if outlook.charges else None,
        carbon=rounded(carbon(outlook, power), PRICE),
        carbon_idle=rounded(carbon(outlook, idle), PRICE),
        inputs={name: rounded(age, SECOND) for name, age in (inputs or {}).items()},
    )


def unsure(outlook: Outlook) -> bool:
    """Whether load or PV of any step are not known for sure. A battery whose ramp is slower than its steps cannot
    answer what turns out: it needs a schedule; one without energy has no answer at all."""
    able = outlook.battery.energy > 0 and outlook.battery.soc_max - outlook.battery.soc_min > LEAST
    slow = outlook.ramp * 3600 * float(np.min(outlook.hours[1:], initial=np.inf)) < 2 * outlook.rated
    return able and not slow and bool(np.any(np.asarray(outlook.spread) > 0))


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
    return {charge.component.name: rounded(max(float(found[0]), charge.expected), WATT) for charge, found in made}


def _steps(outlook: Outlook, power: Vector, worth: Vector, tables: Sequence[Table]) -> list[Step]:
    whole = outlook.battery.energy
    soc = np.clip(stored(outlook, power) / whole * 100, 0, 100) if whole else np.full(len(power), outlook.soc)
    why, place = whys(outlook, power, worth), Place(outlook.currency, outlook.zone, outlook.prices_until)
    grid = outlook.load - outlook.pv - power
    watts = (rounded(each, WATT).tolist() for each in (grid, outlook.load, outlook.pv))
    money = (rounded(each, PRICE).tolist() for each in (outlook.buy, outlook.sell, worth))
    numbers = zip(power.tolist(), *watts, *money, rounded(soc, PERCENT).tolist(), strict=True)
    return [
        Step(
            at=at,
            seconds=rounded(float(outlook.hours[i]) * 3600, SECOND),
            power=given,
            soc=after,
            grid=drawn,
            load=load,
            pv=pv,
            price_import=buy,
            price_export=sell,
            marginal_value=value,
            cap=None if i >= len(tables) or (cap := tables[i].cap) is None else rounded(cap, WATT),
            policy=tables[i].pairs if i < len(tables) else [],
            reason=sentence(why[i], place, at),
            why=why[i],
        )
        for i, (at, (given, drawn, load, pv, buy, sell, value, after)) in enumerate(
            zip(outlook.starts, numbers, strict=True)
        )
    ]
