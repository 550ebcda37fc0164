"""Why a setpoint is what it is just now, as codes: what binds it, then what was wished."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from optimizer.dispatch import decide
from optimizer.reserve_now import Keeps
from optimizer.rules.wishes import NONE, Wishes, combine
from optimizer.running_window import RunningWindow
from optimizer.why_words import Place, sentence
from schemas.messages import ControlMode, Mode, Step, Why
from schemas.tariff import Demand
from schemas.units import LARGEST
from tests.optimizer.outlooks import BERLIN, NOON
from tests.optimizer.rules.test_wishes import holds
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS, planned

EUR = Place("EUR", BERLIN)
BUSY = RunningWindow(BERLIN, Demand(price=15.0), at=MOMENT.now - timedelta(seconds=1), power=40e3, energy=5e3, seen=299)
MANUAL = ControlMode(at=NOON, mode=Mode.MANUAL, who="anna", power=150e3, until=NOON + timedelta(hours=1))
COVERS = [Why(code="covers_load", price=0.2, limit=0.18)]
STEP = planned(40e3, why=COVERS).steps[0]
DEAR = STEP.model_copy(update={"policy": [(-100e3, 0.0), (0.0, 0.0), (100e3, 90e3)], "cap": 60e3})
RESTS = planned(0.0, why=[Why(code="rests")]).steps[0]

CASES: dict[str, tuple[Step | None, dict[str, Any], list[str], str]] = {
    "the plan": (STEP, {}, ["covers_load"], "covers the load; 0.20 EUR/kWh now, it pays from 0.18 EUR/kWh"),
    "a peak that is billed": (
        RESTS,
        {"net": 90e3, "billing": BUSY, "peak": 60e3},
        ["holds_peak", "rests"],
        "holds the month's peak of 60.0 kW at 12:00, worth 15.00 EUR/kW; rests",
    ),
    "the import limit": (
        RESTS,
        {"net": 300e3},
        ["import_held", "rests"],
        "held by the import limit of 250.0 kW; rests",
    ),
    "what a kWh through the export limit is worth": (
        planned(90e3, 0.0, price_export=0.4, why=[Why(code="sells", price=0.4)]).steps[0],
        {"net": -20e3},
        ["export_held", "sells"],
        "held by the export limit of 80.0 kW; a kWh more of it is worth 0.22 EUR; sells; 0.40 EUR/kWh now",
    ),
    "an empty battery": (STEP, {"soc": 10.0}, ["rests_empty", "covers_load"], "rests: empty at 10 %; covers the load"),
    "a full one": (
        planned(-40e3, why=[Why(code="charges_for_later", price=0.2)]).steps[0],
        {"soc": 90.0},
        ["rests_full", "charges_for_later"],
        "rests: full at 90 %; charges; 0.20 EUR/kWh now",
    ),
    "a BMS that derates": (
        STEP,
        {"discharge": 25e3},
        ["bms_held", "covers_load"],
        "held by the 25.0 kW of the BMS; covers the load",
    ),
    "the rating, asked by a person": (
        STEP,
        {"mode": MANUAL, "discharge": 300e3},
        ["at_rated", "asked"],
        "at the 100.0 kW of its power; asked by anna until 13:00",
    ),
    "a silent meter": (
        STEP,
        {"meter_age": 3.0, "last": 20e3},
        ["meter_silent"],
        "the grid meter does not say what is needed, not for more than 2.5 s",
    ),
    "one that is lost": (STEP, {"meter_age": 9.0}, ["meter_silent"], "the grid meter does not say what is needed, not"),
    "one not read yet": (STEP, {"net": None}, ["meter_silent"], "the grid meter does not say what is needed"),
    "a silent BMS": (STEP, {"bms_age": 9.0}, ["bms_silent"], "the BMS does not say what is needed, not for more than"),
    "no plan": (None, {}, ["no_plan"], "no valid plan: covers the load and stores PV"),
    "no plan, and a billed peak": (
        None,
        {"net": 80e3, "soc": 40.0, "billing": BUSY, "peak": 200e3},
        ["keeps_without_plan"],
        "no valid plan: keeps 50 % for the month's peak",
    ),
    "PV that nobody forecast": (
        RESTS,
        {"net": -20e3},
        ["stores_pv"],
        "stores PV, sold for 0.05 EUR/kWh, worth 0.15 EUR/kWh later",
    ),
    "what is kept in reserve": (
        STEP,
        {"ratings": replace(RATINGS, keeps=Keeps(up=70e3, below=1e3))},
        ["reserve_held", "covers_load"],
        "held to 30.0 kW for what is kept in reserve; covers the load",
    ),
    "a limit of a rule": (
        STEP,
        {"wishes": combine([holds("quiet", discharge_limit=15e3)])},
        ["rule_held", "covers_load"],
        "held to 15.0 kW by the rule `quiet`; covers the load",
    ),
    "the target of a rule": (
        STEP,
        {"wishes": combine([holds("trade", power=-30e3)])},
        ["rule"],
        "follows the rule `trade`",
    ),
    "a policy, for a load it did not foresee": (
        DEAR.model_copy(update={"power": 0.0, "load": 0.0}),
        {"net": 40e3},
        ["covers_load"],
        "covers the load; 0.20 EUR/kWh now",
    ),
}


@pytest.mark.parametrize(("step", "change", "codes", "words"), CASES.values(), ids=CASES)
def test_a_setpoint_says_what_binds_it(step: Step | None, change: dict[str, Any], codes: list[str], words: str) -> None:
    given = dict(change)
    how: dict[str, Any] = {name: given.pop(name) for name in ("mode", "billing", "peak") if name in given}
    ratings, wishes = given.pop("ratings", RATINGS), given.pop("wishes", NONE)
    found = _decided(ratings, step, wishes, how, given)
    assert [one.code for one in found] == codes
    assert sentence(found, EUR, NOON).startswith(words)


def _decided(
    ratings: Any, step: Step | None, wishes: Wishes, how: dict[str, Any], change: dict[str, Any]
) -> tuple[Why, ...]:
    moment, mode = replace(MOMENT, **change), how.pop("mode", AUTO)
    return decide(ratings, moment, mode, step=step, wishes=wishes, **({"billing": QUIET} | how)).whys


def test_a_policy_that_holds_its_peak_says_which() -> None:
    billing = replace(BUSY, peak=50e3)
    tight = DEAR.model_copy(update={"policy": [(0.0, 0.0), (50e3, 0.0), (150e3, 100e3)], "cap": 50e3})
    (why,) = _decided(RATINGS, tight, NONE, {"billing": billing, "peak": 50e3}, {"net": 120e3})[:1]
    assert (why.code, why.price, why.per, why.at) == ("holds_peak", 15.0, "month", NOON)


@pytest.mark.parametrize(
    ("marginal", "rate", "net"), [(LARGEST, 0.0, 300e3), (-LARGEST, 15.0, -300e3), (0.0, LARGEST, 90e3)]
)
def test_a_number_that_no_message_carries_is_left_out(marginal: float, rate: float, net: float) -> None:
    """And the power is told all the same."""
    step = RESTS.model_copy(update={"marginal_value": marginal, "price_import": -marginal, "price_export": marginal})
    billing = replace(BUSY, demand=Demand(price=min(rate, 1e9)))
    found = _decided(RATINGS, step, NONE, {"billing": billing, "peak": LARGEST if net > 100e3 else 60e3}, {"net": net})
    assert found
    assert found[0].price is None or abs(found[0].price) <= LARGEST
