"""Loads and battery planned together: a schedule is only taken when the whole site gets cheaper."""

from dataclasses import replace
from datetime import time
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.loads.load import Load, LoadNow
from optimizer.loads.rounds import GROUPS, ROUNDS, Together, plan_loads
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.loads.test_schedule import ROOM, load
from tests.optimizer.outlooks import battery, outlook, prices_by_hour, wild


def car(**more: Any) -> Load:
    return load(11e3, device="car", energy=33e3, deadline=time(7), **more)


def together(loads: list[Load], states: dict[str, LoadNow], out: Outlook) -> tuple[Together, list[Outlook]]:
    asked = list[Outlook]()

    def solve(one: Outlook) -> Plan:
        asked.append(one)
        return plan(one)

    return plan_loads(loads, states, out, solve), asked


def test_a_charger_takes_the_cheap_hours_and_the_forecast_of_the_plan_has_it() -> None:
    out = outlook(24, buy=prices_by_hour(), battery=battery(energy=10e3), rated=1.0)
    found, _ = together([car()], {"car": LoadNow()}, out)
    steps = found.plan.loads["car"]
    assert sum(one.power * one.seconds / 3600 for one in steps if one.at.hour < 14) == pytest.approx(33e3), "12 to 16 h"
    carried = sum((one.load - 50e3) * one.seconds / 3600 for one in found.plan.steps)
    assert carried == pytest.approx(sum(one.power * one.seconds / 3600 for one in steps))
    assert found.plan.missed == []


def test_no_load_makes_a_new_peak_for_a_cheaper_kwh() -> None:
    """The cheap hours carry 55 of 60 kW that are billed already: there is room at night."""
    loads = [55e3 if 0.07 < price < 0.09 else 40e3 for price in prices_by_hour()]
    out = outlook(
        24, load=loads, buy=prices_by_hour(), battery=battery(energy=5e3), rated=1.0, demand=15.0, billed=60e3
    )
    found, _ = together([car()], {"car": LoadNow()}, out)
    assert found.plan.peak == pytest.approx(60e3, abs=10)
    assert found.plan.missed == []


def test_surplus_of_pv_goes_into_the_car_and_not_to_the_grid() -> None:
    sun = [60e3 if 12 <= step < 24 else 0.0 for step in range(96)]
    out = outlook(24, pv=sun, load=10e3, sell=0.02, battery=battery(energy=5e3), rated=1.0)
    found, _ = together([car()], {"car": LoadNow()}, out)
    assert found.schedules["car"].power[12:24].sum() / 4 == pytest.approx(33e3, rel=0.01)


def test_a_load_that_is_not_read_is_planned_at_its_fallback_and_said() -> None:
    out = outlook(24)
    lights = load(3e3, device="lights", fallback="on", sheds=True)
    room = load(4e3, device="room", comfort=ROOM, fallback="on")
    found, asked = together([lights, room, car()], {"room": LoadNow(value=None)}, out)
    assert len(asked) == 1
    assert found.plan.loads == {}
    assert {one.load for one in found.plan.steps} == {54e3}, "the lights only shed: they are in the forecast"
    assert [line.partition(" is ")[0] for line in found.plan.missed] == ["room:", "car:"]


@pytest.mark.parametrize("demand", [0.0, 15.0])
def test_it_is_near_the_best_of_all_schedules_there_are(demand: float) -> None:
    """Three of eight quarters of an hour, each with the best of all plans for the battery."""
    rng, gaps = np.random.default_rng(3), list[float]()
    for _ in range(2):
        some = {"load": rng.uniform(10e3, 60e3, 8).tolist(), "buy": rng.uniform(0.05, 0.4, 8).tolist()}
        out = outlook(2, **some, battery=battery(energy=30e3), rated=20e3, demand=demand, billed=45e3)
        one = load(20e3, energy=15e3, deadline=time(14))
        found, _ = together([one], {"load": LoadNow()}, out)
        each = [np.isin(np.arange(8), on) * 20e3 for on in combinations(range(8), 3)]
        best = min(plan(replace(out, load=out.load + power)).cost for power in each)
        gaps.append(found.plan.cost / best - 1)
    assert min(gaps) > -1e-6
    assert np.mean(gaps) < 0.05


@given(wild(), st.floats(10, 30))
@settings(max_examples=12, deadline=None)
def test_the_whole_site_is_never_dearer_than_with_loads_that_know_no_prices(out: Outlook, value: float) -> None:
    loads = [car(), load(4e3, device="room", comfort=ROOM, minimum_off=900.0)]
    states = {"car": LoadNow(), "room": LoadNow(value=value)}
    found, asked = together(loads, states, out)
    assert len(asked) <= 1 + (ROUNDS + 1) * GROUPS
    carried = out.load + sum(one.power for one in found.schedules.values())
    assert np.allclose([one.load for one in found.plan.steps], carried, atol=0.06)
    assert verify(found.plan, found.outlook) == [], "the plan holds against the forecast it was made for"
    if sum(one.outside for one in found.schedules.values()) < 1e-6:
        assert found.costs[-1] <= found.costs[0]
