"""The plan does what a careful person would, breaks no limit, and costs no more than resting."""

import time

import numpy as np
import pytest
from hypothesis import given, settings

from optimizer.bill import stored
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.plan_words import costs
from optimizer.program import CHARGE, DISCHARGE, build, solve
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.outlooks import BERLIN, NOON, battery, grid, outlook, prices_by_hour, wild


def powers(found: Plan, first: int, last: int) -> list[float]:
    """W of the steps from one local hour to another of the first day."""
    steps = [s for s in found.steps if s.at.astimezone(BERLIN).date() == NOON.astimezone(BERLIN).date()]
    return [s.power for s in steps if first <= s.at.astimezone(BERLIN).hour < last]


def good(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def test_it_buys_cheap_and_covers_the_dear_hours() -> None:
    found = good(outlook(buy=prices_by_hour()))
    charging = [step for step in found.steps if step.power < -1]
    covering = [step for step in found.steps if step.power > 1]
    assert {step.price_import for step in charging} == {0.08}
    assert charging[0].reason == "charges; 0.08 EUR/kWh now, 0.30 EUR/kWh at 18:00; at the 100.0 kW of its power"
    assert covering[0].reason == "covers the load; 0.30 EUR/kWh now, it pays from 0.21 EUR/kWh"
    assert sum(powers(found, 18, 21)) / 4 == pytest.approx(150e3)  # all the load of three hours
    assert found.cost < found.cost_idle - 20


def test_equal_prices_leave_it_at_rest() -> None:
    found = good(outlook())
    assert {step.power for step in found.steps} == {0.0}
    assert found.steps[0].reason == (
        "holds 50 % for later; 0.20 EUR/kWh now, it pays from 0.22 EUR/kWh; does not charge: 0.20 EUR/kWh now, "
        "later 0.20 EUR/kWh at most, and with losses and wear it pays from 0.24 EUR/kWh"
    )
    assert found.cost == pytest.approx(found.cost_idle)


def test_a_spread_below_losses_and_wear_is_left_alone() -> None:
    found = good(outlook(buy=prices_by_hour(cheap=0.19, dear=0.21)))
    assert {step.power for step in found.steps} == {0.0}


def test_it_stores_pv_that_would_be_sold_for_little() -> None:
    sun = [80e3 if 12 <= s.astimezone(BERLIN).hour < 15 else 0.0 for s in outlook().starts]
    found = good(outlook(pv=sun, load=30e3, soc=10.0))
    assert min(powers(found, 12, 15)) == pytest.approx(-50e3)
    assert found.steps[0].reason == "stores PV, sold for 0.05 EUR/kWh, worth 0.16 EUR/kWh later"
    assert max(step.soc for step in found.steps) <= 90 + 1e-6


def test_it_holds_the_peak_of_the_month() -> None:
    load = [150e3 if 18 <= s.astimezone(BERLIN).hour < 19 else 50e3 for s in outlook().starts]
    found = good(outlook(load=load, demand=15.0, billed=60e3))
    assert found.peak is not None
    assert found.peak < 100e3
    assert any(step.reason.startswith("holds the month's peak of") for step in found.steps)


def test_a_peak_billed_already_is_not_held() -> None:
    load = [150e3 if 18 <= s.astimezone(BERLIN).hour < 19 else 50e3 for s in outlook().starts]
    found = good(outlook(load=load, demand=15.0, billed=200e3))
    assert found.peak == 200e3
    assert not any("peak" in step.reason for step in found.steps)


def test_what_was_imported_in_this_window_counts() -> None:
    """10 of 15 min at 300 kW are over: only a quiet rest keeps the mean at the billed 250 kW."""
    late = NOON.replace(minute=10)
    found = good(outlook(1, late, load=200e3, imported=300e3 / 6, billed=250e3, demand=15.0))
    assert found.steps[0].grid == pytest.approx(150e3)
    assert found.peak == pytest.approx(250e3)


def test_a_new_month_begins_a_new_peak() -> None:
    end_of_june = NOON.replace(day=30, hour=20)  # 22 h in Berlin
    found = good(outlook(6, end_of_june, load=[100e3] * 8 + [150e3] * 4 + [100e3] * 12, demand=15.0, billed=100e3))
    assert found.peak == pytest.approx(100e3)
    assert max(step.grid for step in found.steps[8:]) < 125e3  # July is shaved although June saw no such load


def test_each_window_is_a_mean() -> None:
    look = outlook(2, load=[200e3, 100e3, 100e3, 200e3] * 2, demand=15.0, minutes=60, billed=150e3)
    assert {step.power for step in good(look).steps} == {0.0}


@pytest.mark.parametrize("soc", [0.0, 4.0, 97.0, 100.0])
def test_a_battery_outside_of_its_limits_comes_back(soc: float) -> None:
    found = good(outlook(soc=soc))
    assert 10 - 1e-6 <= found.steps[-1].soc <= 90 + 1e-6
    assert 10 - 1e-6 <= found.steps[8].soc <= 90 + 1e-6


def test_a_load_beyond_the_limit_is_said_and_not_impossible() -> None:
    found = good(outlook(load=[450e3] * 2 + [50e3] * 94))
    assert found.steps[0].power == pytest.approx(100e3)
    assert found.steps[0].reason.endswith("50.0 kW above the import limit of 300.0 kW are expected all the same")


def test_negative_prices_do_not_burn_energy() -> None:
    """Paid to import, with a full battery: charging and discharging at once would earn money, and cannot be done."""
    look = outlook(6, buy=-0.10, sell=-0.20, soc=90.0)
    program = build(look)
    x, _ = solve(program)
    assert np.minimum(program.part(x, CHARGE), program.part(x, DISCHARGE)).max() < 1e-3
    good(look)


def test_selling_dearer_than_buying_is_no_endless_source() -> None:
    found = good(outlook(4, buy=0.10, sell=0.15))
    assert all(step.grid == pytest.approx(50e3 - step.power, abs=1) for step in found.steps)


def test_a_closed_export_fills_the_battery_and_says_the_rest() -> None:
    found = good(outlook(4, pv=100e3, load=10e3, soc=85.0, grid=grid(export_limit=0.0)))
    assert found.steps[-1].soc == pytest.approx(90.0, abs=0.01)
    assert found.steps[-1].reason == (
        "rests: full at 90 %; 90.0 kW above the export limit of 0.0 kW are expected all the same"
    )


def test_a_stored_kwh_is_worth_what_it_saves_in_the_dear_hours() -> None:
    found = good(outlook(buy=prices_by_hour(), battery=battery(energy=60e3)))
    worth = {step.at.astimezone(BERLIN).hour: step.marginal_value for step in found.steps[:32]}
    assert worth[18] == pytest.approx(0.95 * (0.30 - 0.02), abs=1e-6)  # not enough for all dear hours
    assert worth[12] == pytest.approx(0.08 / 0.95, abs=1e-4)  # it could be bought for that


@settings(max_examples=80)
@given(wild())
def test_no_outlook_leads_to_a_bad_plan(look: Outlook) -> None:
    """Limits, balance, energy, cost against idling: all of it is checked by the second code path."""
    found = plan(look)
    assert verify(found, look) == []
    assert all(abs(step.power) <= look.rated + 1 for step in found.steps)
    low, high = min(look.soc, look.battery.soc_min), max(look.soc, look.battery.soc_max)
    assert all(low - 0.01 <= step.soc <= high + 0.01 for step in found.steps)


@settings(max_examples=40)
@given(wild())
def test_energy_is_conserved(look: Outlook) -> None:
    """What comes from grid and PV is used, stored or lost in the two conversions."""
    found = plan(look)
    hours = look.hours
    power = np.array([step.power for step in found.steps])
    both = look.battery.efficiency
    losses = np.where(power < 0, -power * (1 - both), power * (1 / both - 1)) @ hours
    into = (np.array([step.grid for step in found.steps]) + look.pv - look.load) @ hours
    gained = stored(look, power)[-1] - look.battery.energy * look.soc / 100
    assert into == pytest.approx(gained + losses, abs=1.0)


@pytest.mark.slow
def test_a_day_and_a_half_is_planned_at_once() -> None:
    rng = np.random.default_rng(1)
    look = outlook(36, load=rng.uniform(20e3, 150e3, 144), pv=rng.uniform(0, 100e3, 144), demand=15.0)
    plan(look)
    best = min(_timed(look) for _ in range(5))
    assert best < 0.3


def _timed(look: Outlook) -> float:
    began = time.perf_counter()
    plan(look)
    return time.perf_counter() - began


def test_what_a_peak_costs_stands_apart_from_the_energy() -> None:
    """Where nothing of the month is known, as after a start, all of its peak is charged to these hours."""
    known, unknown = (good(outlook(demand=15.0, billed=billed)) for billed in (70e3, 0.0))
    assert known.peak_cost is not None
    assert unknown.peak_cost is not None
    assert unknown.peak is not None
    assert unknown.peak_cost == pytest.approx(15.0 * unknown.peak / 1000, abs=0.01)
    assert unknown.peak_cost - known.peak_cost > 500
    assert unknown.cost - unknown.peak_cost == pytest.approx(known.cost - known.peak_cost, rel=0.05)
    assert good(outlook()).peak_cost is None, "nothing is billed by the kW"


@pytest.mark.parametrize(
    ("costs_", "words"),
    [
        ((687.1, 785.3, None, None), "next 36 h: 687.10 EUR, 98.20 EUR less than without the battery"),
        (
            (4.0, 3.5, 4.0, 3.0),
            "next 36 h: energy 0.00 EUR, 0.50 EUR less than without the battery; peak 4.00",
        ),
        ((5572.3, 6870.0, 4885.0, 6100.0), "peak 4885 EUR beyond what is billed, 1215 EUR less"),
        ((-2.0, -1.0, None, None), "next 36 h: \N{MINUS SIGN}2.00 EUR, 1.00 EUR less"),
    ],
)
def test_a_sum_says_of_which_hours_it_is(costs_: tuple[float, float, float | None, float | None], words: str) -> None:
    names = ("cost", "cost_idle", "peak_cost", "peak_cost_idle")
    said = plan(outlook(36)).model_copy(update=dict(zip(names, costs_, strict=True)))
    assert words in costs(said, said.at)
