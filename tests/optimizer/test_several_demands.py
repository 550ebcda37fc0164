"""Plans for tariffs with several demands: hours, ratchets, contracts, windows that slide."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.demand import period
from optimizer.limit_shortage import beyond
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.verify import verify
from optimizer.windows import Charge
from schemas.messages import Plan
from schemas.tariff import Demand
from tests.optimizer.outlooks import BERLIN, battery, charge, outlook, wild

EVENING: dict[str, Any] = {"hours": [{"start": "18:00", "end": "20:00"}]}
FLAT: dict[str, Any] = {"load": 100e3, "buy": 0.20, "soc": 80.0}


def good(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def by_hour(found: Plan, name: str) -> dict[int, float]:
    """The highest of a power by the local hour."""
    most = dict[int, float]()
    for step in found.steps:
        hour = step.at.astimezone(BERLIN).hour
        most[hour] = max(most.get(hour, -1e9), getattr(step, name))
    return most


def test_only_the_hours_that_count_are_held_down() -> None:
    """140 kWh of the battery's 200 leave it at 0.95 each way: 133 kWh over the two hours of the window."""
    found = good(outlook(24, **FLAT, charges=[charge(name="on-peak", demand=20.0, **EVENING)]))
    hours = by_hour(found, "grid")
    assert {hour for hour, grid in hours.items() if grid < 99e3} == {18, 19}
    assert max(hours[18], hours[19]) == pytest.approx(found.peaks["on-peak"], abs=1)
    assert found.peaks["on-peak"] < 40e3
    assert any(step.reason.startswith("holds the month's peak of") for step in found.steps)


def test_charging_for_a_window_is_free_of_it_and_not_of_the_demand_of_all_hours() -> None:
    on_peak = charge(name="on-peak", demand=20.0, **EVENING)
    alone = good(outlook(24, **FLAT | {"soc": 10.0}, charges=[on_peak]))
    assert max(by_hour(alone, "grid").values()) > 110e3, "it charges before the window"
    both = good(outlook(24, **FLAT | {"soc": 10.0}, charges=[on_peak, charge(name="all", demand=90.0)]))
    assert both.peaks["all"] == pytest.approx(100e3, abs=10), "the dearer of the two"
    assert any("peak of on-peak" in step.reason for step in good(outlook(24, **FLAT, charges=[*both_of()])).steps)


def both_of() -> list[Charge]:
    return [charge(name="on-peak", demand=20.0, **EVENING), charge(name="all", demand=0.5, billed=150e3)]


def hill(**change: Any) -> float:
    """W of the peak of a plan for one hour of 150 kW in 60, with a battery whose wear costs 3 EUR per kWh."""
    load = [60e3] * 40 + [150e3] * 4 + [60e3] * 52
    worn = battery(wear=3.0)
    found = good(outlook(24, load=load, soc=80.0, battery=worn, charges=[charge(**{"demand": 2.0} | change)]))
    assert found.peak is not None
    return found.peak


MAY, JANUARY = (period(datetime(2026, month, 10, tzinfo=UTC), BERLIN)[0] for month in (5, 1))
ELEVEN: dict[str, Any] = {"ratchet": {"share": 0.8, "months": 11}}


def test_a_ratchet_makes_a_new_peak_dearer() -> None:
    """A kW costs 2 EUR a month, and an hour of it 3 EUR of wear: that pays for eleven months at 80 %, not for one."""
    assert hill() == pytest.approx(150e3, abs=10)
    assert hill(**ELEVEN) == pytest.approx(60e3, abs=10)


def test_only_what_no_other_month_ratchets_is_held_down() -> None:
    """May's 140 kW stand at 112 kW for ten months more, June's would for eleven: below 140 kW only the last differs.
    January's stand for six, and five have nothing else."""
    may = replace(charge(demand=2.0, **ELEVEN), peaks={MAY: 140e3})
    load = [60e3] * 40 + [150e3] * 4 + [60e3] * 52
    worn: dict[str, Any] = {"load": load, "soc": 80.0, "battery": battery(wear=3.0)}
    # 112 kW are billed in June anyway; from there on to 140 kW a kW costs 2 + 1 * 1.6 EUR, and above 2 + 11 * 1.6
    assert good(outlook(24, **worn, charges=[may])).peak == pytest.approx(112e3, abs=10)
    cheap = replace(may, component=may.component.model_copy(update={"price": 1.0}))
    assert good(outlook(24, **worn, charges=[cheap])).peak == pytest.approx(140e3, abs=10)
    january = replace(cheap, peaks={JANUARY: 140e3})
    assert good(outlook(24, **worn, charges=[january])).peak == pytest.approx(60e3, abs=10)


def test_a_ratchet_does_not_count_what_each_month_will_reach_anyway() -> None:
    assert hill(**ELEVEN, expected=150e3) == pytest.approx(150e3, abs=10)


def test_beyond_a_contract_the_penalty_is_weighed_and_below_it_nothing() -> None:
    contract: dict[str, Any] = {"power": 90.0, "price": 3.0, "penalty": 20.0}
    assert hill(demand=0.0, price=None, contract=contract) == pytest.approx(90e3, abs=10)
    assert hill(demand=0.0, price=None, contract=contract, billed=110e3) == pytest.approx(110e3, abs=10)
    assert hill(demand=0.0, price=None, contract=contract | {"penalty": 0.5}) == pytest.approx(150e3, abs=10)


def test_a_contract_can_be_a_limit_in_its_hours() -> None:
    contract: dict[str, Any] = {"power": 70.0, "limit": True}
    found = good(outlook(24, **FLAT, charges=[charge(demand=0.0, price=None, contract=contract, **EVENING)]))
    hours = by_hour(found, "grid")
    assert max(hours[18], hours[19]) == pytest.approx(70e3, abs=10)
    assert max(hours[17], hours[20]) >= 99e3
    of_contract = "held by the 70.0 kW of the contract of demand"
    assert {step.at.astimezone(BERLIN).hour for step in found.steps if of_contract in step.reason} == {18, 19}


def test_a_contract_that_cannot_be_kept_is_said_by_its_name() -> None:
    contract = charge(demand=0.0, price=None, contract={"power": 70.0, "limit": True}, name="P1", **EVENING)
    look = outlook(24, **FLAT | {"load": 200e3}, charges=[contract])
    (words,) = beyond(look, [step.grid for step in good(look).steps])
    assert words.startswith("the contract of P1, 70.0 kW, cannot be kept from 10 Jun 18:")


def test_windows_that_slide_see_what_lies_across_two() -> None:
    """Half an hour of 200 kW from a quarter past: two fixed half hours see 125 kW each, one that slides 200."""
    load = [50e3] * 17 + [200e3] * 2 + [50e3] * 77
    still: dict[str, Any] = {"load": load, "soc": 10.0, "rated": 1e3, "buy": 0.2}
    fixed = good(outlook(24, **still, charges=[charge(demand=9.0, minutes=30)]))
    slides = good(outlook(24, **still, charges=[charge(demand=9.0, minutes=30, sliding=5)]))
    assert fixed.peak == pytest.approx(125e3, rel=0.02)
    assert slides.peak == pytest.approx(200e3, rel=0.02)


@pytest.mark.parametrize(
    ("noon", "hours"),
    [(datetime(2026, 3, 28, 11, tzinfo=UTC), 23), (datetime(2026, 10, 24, 10, tzinfo=UTC), 25)],
    ids=["spring", "autumn"],
)
def test_a_night_window_is_one_of_the_local_clock(noon: datetime, hours: int) -> None:
    """From one to four it has two hours in March and four in October."""
    night: dict[str, Any] = {"hours": [{"start": "01:00", "end": "04:00"}]}
    look = outlook(hours, noon, **FLAT, charges=[charge(noon, demand=20.0, **night)])
    assert len(look.windows[0].begins) == 4 * (hours - 21)
    assert sum(step.grid < 99e3 for step in good(look).steps) == 4 * (hours - 21)


MORE: list[dict[str, Any]] = [
    {"demand": 9.0, "hours": [{"start": "12:00", "end": "13:30"}]},
    {"demand": 4.0, **ELEVEN, "expected": 60e3},
    {"demand": 1.0, "floor": 20e3, "contract": {"power": 50.0, "price": 2.0, "penalty": 30.0}},
    {"demand": 0.0, "price": None, "contract": {"power": 60.0, "penalty": 8.0, "limit": True}},
    {"demand": 6.0, "minutes": 60, "sliding": 15, "imported": 8e3},
]


@st.composite
def several(draw: st.DrawFn) -> Outlook:
    """Anything that could happen, with some demands."""
    given_ = draw(wild())
    chosen = draw(st.lists(st.sampled_from(range(len(MORE))), unique=True, min_size=1, max_size=3))
    more = [charge(given_.now, name=f"more {number}", **MORE[number]) for number in chosen]
    return replace(given_, charges=[*given_.charges, *more])


@settings(max_examples=60)
@given(several())
def test_with_any_demands_a_plan_is_never_dearer_than_resting(look: Outlook) -> None:
    assert verify(plan(look), look) == []


@settings(max_examples=40)
@given(several(), st.randoms(use_true_random=False))
def test_the_order_of_the_demands_does_not_matter(look: Outlook, dice: Any) -> None:
    others = [*look.charges]
    dice.shuffle(others)
    one, two = plan(look), plan(replace(look, charges=others))
    assert one.cost == pytest.approx(two.cost, abs=1e-2, rel=1e-3)
    assert one.peaks.keys() == two.peaks.keys()


@settings(max_examples=40)
@given(wild())
def test_a_demand_that_never_counts_changes_nothing(look: Outlook) -> None:
    never = Charge(Demand.model_validate({"name": "never", "price": 99.0, "hours": [{"days": []}]}))
    one, two = plan(look), plan(replace(look, charges=[*look.charges, never]))
    # Of plans that cost the same any may be found: what is compared is what they cost.
    assert two.cost == pytest.approx(one.cost, abs=1e-2, rel=1e-3)
    assert np.isfinite(two.peaks["never"])
