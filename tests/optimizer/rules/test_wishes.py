"""What rules come to together, and that everything else stands above them."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optimizer.dispatch import (
    DEADBAND,
    Ratings,
    Wanted,
    _device_bounds,
    _grid_bounds,
    _peak_bounds,
    decide,
)
from optimizer.follow_policy import Held
from optimizer.rules.judge import Proposal, State
from optimizer.rules.wishes import NONE, Wishes, combine
from optimizer.running_window import RunningWindow
from optimizer.setpoint_whys import clamp
from schemas.messages import Authority, ControlMode, Mode
from schemas.tariff import Demand
from tests.optimizer.outlooks import BERLIN, NOON
from tests.optimizer.rules.stories import rule
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS, planned

MANUAL = ControlMode(at=NOON, mode=Mode.MANUAL, who="anna", power=-20e3)
STEP = planned(40e3).steps[0]


def holds(name: str = "noon", priority: int = 0, **then: Any) -> Proposal:
    one = rule(name, then=then, priority=priority)
    return Proposal(one, State.HOLDING, f"rule `{name}` holds")


def decided(*proposals: Proposal, mode: ControlMode = AUTO, peak: float | None = None, **change: Any) -> Wanted:
    """With a plan that covers 40 kW of load."""
    moment = replace(MOMENT, **change)
    return decide(RATINGS, moment, mode, billing=QUIET, step=STEP, peak=peak, wishes=combine(proposals))


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.HOLDING, State.ENDING, State.LASTING)]
)
def test_a_rule_that_does_not_hold_proposes_nothing(state: State) -> None:
    assert combine([replace(holds(power=1e3, import_limit=0.0), state=state)]) == NONE


def test_the_narrowest_limit_wins_whatever_its_priority() -> None:
    found = combine(
        [
            holds("a", 9, import_limit=200e3, soc_min=40.0, soc_max=80.0),
            holds("b", 1, import_limit=100e3, soc_min=60.0, soc_max=90.0),
        ]
    )
    assert {key: (one.rule, one.value) for key, one in found.limits.items()} == {
        "import_limit": ("b", 100e3),
        "soc_min": ("b", 60.0),
        "soc_max": ("a", 80.0),
    }


def test_of_targets_the_highest_priority_wins_and_a_tie_is_said() -> None:
    found = combine([holds("a", 1, power=10e3), holds("b", 2, grid_target=0.0), holds("c", 2, power=5e3)])
    says = (
        "rules `b` and `c` hold at the same priority, 2, and contradict each other: grid target 0 kW is followed "
        "and not battery power 5 kW"
    )
    assert found.target is not None
    assert (found.target.rule, found.ties) == ("b", (says,))
    assert combine([holds("b", 2, power=5e3), holds("c", 2, power=5e3)]).ties == (), "they agree"


@pytest.mark.parametrize(
    ("then", "change", "power"),
    [
        ({}, {}, 40e3),
        ({"power": 25e3}, {}, 25e3),
        ({"power": -25e3}, {}, -25e3),
        ({"grid_target": 10e3}, {}, 30e3),
        ({"grid_target": -15e3}, {}, 55e3),
        ({"discharge_limit": 12e3}, {}, 12e3),
        ({"import_limit": 10e3, "power": 0.0}, {}, 30e3),
        ({"export_limit": 0.0, "power": 90e3}, {}, 40e3),
        ({"charge_limit": 5e3, "power": -90e3}, {}, -5e3),
        ({"soc_min": 60.0}, {}, 0.0),
        ({"soc_min": 49.5}, {}, 40e3),
        ({"soc_min": 49.9}, {}, 10e3),
        ({"soc_max": 45.0, "power": -20e3}, {}, 0.0),
        ({"reserve": 90e3}, {}, 0.0),
        ({"reserve": 79e3}, {}, 40e3),
        ({"import_limit": 10e3, "soc_min": 60.0}, {}, 0.0),
        ({"grid_target": 0.0}, {"spare": 30e3}, 0.0),
        ({"grid_target": 0.0}, {"net": -20e3}, -20e3),
    ],
    ids=str,
)
def test_what_a_wish_makes_of_the_plan(then: dict[str, Any], change: dict[str, Any], power: float) -> None:
    """40 kW of load, 50 % of 200 kWh that stay above 10 %, 100 kW rated, and a plan that covers the load."""
    assert decided(*([holds(**then)] if then else []), **change).power == pytest.approx(power)


def test_the_reason_names_the_rule() -> None:
    assert decided(holds(power=25e3)).reason == "rule `noon` holds"
    assert decided(holds(discharge_limit=12e3)).reason == "as planned; limited by rule `noon` holds"


def test_a_person_is_not_limited_by_a_rule() -> None:
    found = decided(holds(power=90e3, charge_limit=0.0, soc_max=20.0), mode=MANUAL)
    assert (found.power, found.authority) == (-20e3, Authority.OPERATOR)


def test_it_claims_no_more_than_the_plan() -> None:
    assert decided(holds(power=25e3)).authority is Authority.PLAN


def test_the_billed_peak_and_the_grid_connection_stand_above() -> None:
    """The rule wants the battery to charge with 90 kW; the peak leaves 60 kW of import, and 40 kW are load."""
    assert decided(holds(power=-90e3), peak=60e3, now=NOON).power == pytest.approx(-20e3)
    assert decided(holds(discharge_limit=0.0), net=300e3).power == pytest.approx(50e3), "250 kW may be drawn"
    assert decided(holds(power=95e3), net=-10e3).power == pytest.approx(70e3), "80 kW may be fed in"


THEN = st.dictionaries(
    st.sampled_from(["import_limit", "export_limit", "charge_limit", "discharge_limit", "reserve"]),
    st.floats(1.0, 150e3),
).map(lambda found: {**found})
PERCENT = st.dictionaries(st.sampled_from(["soc_min", "soc_max"]), st.floats(10, 90))
TARGET = st.sampled_from([{}, {"power": 90e3}, {"power": -90e3}, {"grid_target": 0.0}, {"grid_target": -70e3}])


def proposed(found: tuple[dict[str, float], dict[str, float], dict[str, float], int]) -> Wishes:
    limits, percents, target, priority = found
    parts = [{key: value} for key, value in {**limits, **percents, **target}.items()]
    return combine(holds(f"r{n}", priority * n, **part) for n, part in enumerate(parts))


@given(
    st.tuples(THEN, PERCENT, TARGET, st.integers(0, 3)).map(proposed),
    st.floats(-300e3, 400e3),
    st.floats(0, 100),
    st.floats(0, 120e3),
    st.floats(0, 120e3),
    st.floats(-100e3, 100e3),
    st.sampled_from([None, 30e3, 120e3]),
    st.booleans(),
)
@example(combine([holds(soc_min=90.0)]), 300e3, 50.0, 90e3, 90e3, 0.0, None, True)
def test_no_rule_ever_makes_a_site_less_safe(  # noqa: PLR0917  # all that is measured
    wishes: Wishes,
    net: float,
    soc: float,
    charge: float,
    discharge: float,
    last: float,
    peak: float | None,
    follows: bool,
) -> None:
    """Whatever is wished, what the power comes to lies within every bound that there is without the rules."""
    moment = replace(MOMENT, net=net, soc=soc, charge=charge, discharge=discharge, last=last)
    step = STEP if follows else None
    found = decide(RATINGS, moment, AUTO, billing=QUIET, step=step, peak=peak, wishes=wishes)
    held: Held = [] if peak is None else [(QUIET, peak)]
    inner = _device_bounds(RATINGS, moment)
    assert not isinstance(inner, str)
    bounds = [*_peak_bounds(held, moment.now, net, 0.0), *_grid_bounds(RATINGS.grid, net), *inner]
    inside, _ = clamp(found.power, bounds)
    assert inside == pytest.approx(found.power, abs=1.0 + DEADBAND)


@pytest.mark.parametrize(
    "change", [{"soc": None}, {"meter_age": 60.0}, {"bms_age": 60.0}, {"net": None, "meter_age": inf}]
)
def test_what_is_not_known_rests_the_battery_also_under_a_rule(change: dict[str, Any]) -> None:
    found = decided(holds(power=50e3), **change)
    assert found.power == 0.0
    assert found.reason.startswith("rests: ")


def test_without_wishes_nothing_changes() -> None:
    """Of a fixed window and of many moments."""
    window = RunningWindow(BERLIN, Demand(price=15.0))
    for net in (-90e3, -10e3, 0.0, 10e3, 300e3):
        moment = replace(MOMENT, net=net)
        ratings = Ratings(RATINGS.battery, RATINGS.grid, 100e3)
        plain = decide(ratings, moment, AUTO, billing=window, peak=50e3)
        assert decide(ratings, moment, AUTO, billing=window, peak=50e3, wishes=combine([])) == plain
