"""The loads and the battery planned together: in turn, a few times, and only what makes the whole site cheaper is
taken. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.loads.load import Load, LoadNow
from optimizer.loads.marginal import Marginal, flat, marginal
from optimizer.loads.schedule import Schedule, schedule
from optimizer.outlook import Outlook, Vector
from schemas.messages import LoadStep, Plan

ROUNDS, GROUPS = 2, 3
"""In each round each load is planned by the prices of a plan, and then the battery by its schedule: first of a plan
without it, which shows where there is room for it, then of the last one. Of more than three loads some together."""

CHEAPER = 1e-6
"""In the currency: less is the same cost."""
NEAR = 1e-3
"""Of a band, or kWh: comfort that differs by less is the same."""


@dataclass(frozen=True)
class Together:
    """The plan of the battery, with the schedules of the loads in its forecast of the load."""

    plan: Plan
    """`loads` in it is what each load is told, `plan.steps[i].load` with what they draw."""
    outlook: Outlook
    """With the loads in it: what the plan is to be verified against."""
    schedules: Mapping[str, Schedule]
    """By load; those that cannot be planned have none."""
    words: tuple[str, ...] = ()
    """What cannot be kept, and who is not planned and why, for people."""
    costs: tuple[float, ...] = ()
    """Of the plans that were taken in turn; the first is that of loads that know no prices."""


def plan_loads(
    loads: Sequence[Load], states: Mapping[str, LoadNow], outlook: Outlook, solve: Callable[[Outlook], Plan]
) -> Together:
    """Schedules for all, and a plan with them.

    `outlook.load` is the forecast of the site without those that have a purpose: one that only sheds is part of it, as
    it is measured. `solve` makes the plan of an outlook; it is
    called at most 1 + (ROUNDS + 1) x GROUPS times. A load without a state, or whose band
    is not measured, is taken to be at its fallback.
    """
    known, unknown = _known(loads, states)
    fixed = np.full_like(outlook.hours, sum(load.safe for load, _ in unknown))
    base = replace(outlook, load=outlook.load + fixed)
    best = {load.name: schedule(load, states[load.name], base, flat(base.hours)) for load in known}
    plan = solve(_with(base, best))
    costs, groups = [_cost(plan, best, base)], [known[n::GROUPS] for n in range(min(GROUPS, len(known)))]
    for number in range(ROUNDS):
        settled = True
        for group in groups:
            seen = best if number else {name: one for name, one in best.items() if name not in {g.name for g in group}}
            found = _next(group, states, base, plan if number else solve(_with(base, seen)), best, seen=seen)
            if _same(found, best):
                continue
            made = solve(_with(base, found))
            cost, missed = _cost(made, found, base), _missed(found) - _missed(best)
            if missed < -NEAR or (missed <= NEAR and cost < costs[-1] - CHEAPER):
                best, plan, settled = found, made, False
                costs.append(cost)
        if settled:
            break
    words = [line for one in best.values() for line in one.words]
    words += [f"{load.name}: {why}" for load, why in unknown]
    steps = {name: steps_of(one, base) for name, one in best.items()}
    plan = plan.model_copy(update={"loads": steps, "missed": words})
    return Together(plan, _with(base, best), best, tuple(words), tuple(costs))


def steps_of(one: Schedule, outlook: Outlook) -> list[LoadStep]:
    """What stands in the plan: the powers of a schedule, equal ones in one step."""
    found = list[LoadStep]()
    for at, hours, power in zip(outlook.starts, outlook.hours.tolist(), one.power.round(1).tolist(), strict=True):
        if found and found[-1].power == power and found[-1].seconds + 3600 * hours <= 86_400:
            found[-1] = found[-1].model_copy(update={"seconds": found[-1].seconds + 3600 * hours})
        else:
            found.append(LoadStep(at=at, seconds=3600 * hours, power=power))
    return found


def _known(loads: Sequence[Load], states: Mapping[str, LoadNow]) -> tuple[list[Load], list[tuple[Load, str]]]:
    """Those that can be planned, and the others with why not."""
    known, unknown = list[Load](), list[tuple[Load, str]]()
    for load in (one for one in loads if one.planned):
        now = states.get(load.name)
        if now is None:
            unknown.append((load, "is not planned: it is not read"))
        elif load.rule.comfort is not None and now.value is None:
            unknown.append((load, f"is not planned: its {load.rule.comfort.point} is not read"))
        else:
            known.append(load)
    return known, unknown


def _with(outlook: Outlook, found: Mapping[str, Schedule]) -> Outlook:
    load: Vector = outlook.load + sum((one.power for one in found.values()), np.zeros_like(outlook.load))
    return replace(outlook, load=load)


def _next(
    loads: Sequence[Load],
    states: Mapping[str, LoadNow],
    outlook: Outlook,
    plan: Plan,
    before: Mapping[str, Schedule],
    *,
    seen: Mapping[str, Schedule],
) -> dict[str, Schedule]:
    """Each by the prices of a plan, beside what the others do by now. `seen`: the schedules that plan was made with."""
    none, found, now = np.zeros_like(outlook.load), dict(before), dict(seen)
    carried = sum((one.power for one in seen.values()), none)
    for load in loads:
        others = sum((one.power for name, one in now.items() if name != load.name), none)
        prices: Marginal = marginal(outlook, plan.steps, carried - others)
        found[load.name] = now[load.name] = schedule(load, states[load.name], outlook, prices)
    return found


def _same(found: Mapping[str, Schedule], other: Mapping[str, Schedule]) -> bool:
    return all(np.allclose(one.power, other[name].power, atol=1.0) for name, one in found.items())


def _missed(found: Mapping[str, Schedule]) -> float:
    """Comfort and energy that are not kept."""
    return sum(one.outside for one in found.values())


def _cost(plan: Plan, found: Mapping[str, Schedule], outlook: Outlook) -> float:
    """Of the whole site, with what the loads leave for later; by the mean price of the horizon, the same for all."""
    mean = float(np.average(outlook.buy, weights=outlook.hours))
    return plan.cost + sum(one.later * mean for one in found.values())
