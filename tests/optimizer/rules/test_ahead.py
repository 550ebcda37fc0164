"""What a plan can know of the rules of its hours."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from optimizer.grid_bounds import bounds
from optimizer.outlook import step_starts
from optimizer.rules.ahead import foreseen
from optimizer.rules.facts import Quarters
from tests.optimizer.outlooks import BERLIN, NOON, battery, grid
from tests.optimizer.rules.stories import prices, rule

NOTHING = Quarters()


def test_hours_are_foreseen_step_by_step() -> None:
    """From 13 to 14 h in Berlin, which is 11 h UTC: steps 4 to 7 of today and 100 to 103 of tomorrow."""
    one = rule(when=[{"hours": {"start": "13:00", "end": "14:00"}}], then={"import_limit": 90e3, "soc_min": 50.0})
    found = foreseen([one], step_starts(NOON, 30), NOTHING, BERLIN)
    narrow = [n for n, held in enumerate(found.held()) if bounds(grid(), held).import_limit == 90e3]
    assert narrow == [4, 5, 6, 7, 100, 101, 102, 103]
    assert found.held()[4][0].source == "rule:noon"
    assert np.flatnonzero(found.soc_min(battery()) == 50.0).tolist() == narrow
    assert set(found.soc_min(battery())) == {10.0, 50.0}


def test_what_began_before_lasts_into_the_plan() -> None:
    """At noon in Berlin: it began at 11:00, its hours were over at 11:30, and it lasts until 13:00."""
    one = rule(when=[{"hours": {"start": "11:00", "end": "11:30"}}], then={"power": 5e3}, until={"at": "13:00"})
    found = foreseen([one], step_starts(NOON, 4), NOTHING, BERLIN)
    powers = found.power(np.full(16, 40e3))
    assert powers[:4].tolist() == [5e3] * 4
    assert np.isnan(powers[4:]).all()


def test_the_cheapest_hours_are_foreseen_where_the_whole_day_is_priced() -> None:
    one = rule(when=[{"quantity": "price_import", "cheapest": 1}], then={"grid_target": 60e3, "discharge_limit": 0.0})
    known = prices(lambda at: abs(at.astimezone(BERLIN).hour - 15))
    found = foreseen([one], step_starts(NOON, 12), known, BERLIN)
    assert np.flatnonzero(found.discharge(100e3) == 0.0).tolist() == [12, 13, 14, 15]
    assert np.nanmax(found.power(np.full(48, 20e3))) == -40e3
    less = Quarters({at: price for at, price in known.buy.items() if at != NOON + timedelta(hours=9)})
    assert np.isnan(foreseen([one], step_starts(NOON, 12), less, BERLIN).power(np.zeros(48))).all()


LOAD = {"device": "grid", "point": "p", "above": 100e3}
DAY = {"hours": {"start": "00:00", "end": "12:15"}}
"""Until a quarter after the plan's begin."""


@pytest.mark.parametrize(
    ("when", "holding", "steps"),
    [
        ([LOAD], {}, 0),
        ([LOAD], {"another": None}, 0),
        ([LOAD], {"noon": None}, 2),
        ([LOAD, DAY], {"noon": None}, 1),
        ([LOAD, DAY], {"noon": NOON + timedelta(minutes=70)}, 5),
        ([LOAD], {"noon": NOON - timedelta(minutes=1)}, 0),
        ([{"quantity": "soc", "below": 99}], {"noon": None}, 2),
        ([LOAD, {"mode": "auto"}], {"noon": None}, 2),
        ([LOAD, {"mode": "manual"}], {"noon": None}, 0),
        ([{"mode": "auto"}], {}, 24),
        ([{"mode": "manual"}], {}, 0),
    ],
    ids=[
        "it does not hold now",
        "another holds",
        "it holds now, and for a while",
        "until its hours are over",
        "it has an end of its own",
        "its end has come",
        "the SoC",
        "a plan is followed in auto",
        "and in no other mode",
        "a mode alone",
        "another mode alone",
    ],
)
def test_what_is_measured_is_taken_to_hold_on_for_a_while(
    when: list[dict[str, Any]], holding: dict[str, datetime | None], steps: int
) -> None:
    found = foreseen([rule(when=when)], step_starts(NOON, 6), prices(lambda _: 0.1), BERLIN, holding=holding)
    assert [bool(one) for one in found.held()] == [True] * steps + [False] * (24 - steps)


def test_a_reserve_is_energy_above_the_batterys_own_least() -> None:
    """40 kWh of 200 are 20 %, above 10 %."""
    one = rule(when=[{"quantity": "pv_today", "below": 25e3}], then={"reserve": 40e3, "soc_max": 70.0})
    found = foreseen([one], step_starts(NOON, 6), prices(lambda _: 0.1), BERLIN)
    assert set(found.soc_min(battery())) == {30.0}
    assert set(found.soc_max(battery())) == {70.0}
