"""A plan within the limits of the grid connection that were sent: each until its end, and no plan is missing."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from optimizer.limit_shortage import beyond
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.verify import verify
from schemas.messages import HeldLimit, Plan
from tests.optimizer.outlooks import NOON, battery, limit, outlook, prices_by_hour


def limited(held: list[HeldLimit], steps: int = 96, **change: Any) -> Outlook:
    """The limits hold in the first steps of a day, cheap from noon to 16 h."""
    each = [held if step < steps else [] for step in range(96)]
    return outlook(24, buy=prices_by_hour(), held=each, **change)


def planned(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def grids(found: Plan) -> np.ndarray[Any, Any]:
    return np.array([step.grid for step in found.steps])


def test_import_stays_below_the_limit_until_its_end_and_the_step_says_whose() -> None:
    """60 kW may be drawn for 2 h: the cheap charge of 100 kW begins after them."""
    free, kept = planned(limited([])), planned(limited([limit(power=60e3)], steps=8))
    assert grids(free)[:8].max() > 60e3
    assert grids(kept)[:8].max() <= 60e3 + 1
    assert grids(kept)[8:16].max() > 60e3
    assert any("held by the import limit of 60.0 kW by dso" in step.reason for step in kept.steps[:8])
    assert not any("limit" in step.reason for step in kept.steps[8:])


def test_what_batteries_may_draw_is_beside_the_load() -> None:
    """EnWG 14a: 4.2 kW of the steerable devices, and 50 kW of load."""
    found = planned(limited([limit(power=4.2e3, scope="steerable")]))
    assert min(step.power for step in found.steps) == pytest.approx(-4.2e3, abs=1)
    assert any("4.2 kW that batteries may draw by dso" in step.reason for step in found.steps)


def test_feed_in_is_limited_and_what_does_not_fit_into_the_battery_is_curtailed() -> None:
    """150 kW of PV, 50 kW of load, nothing may be fed in: the battery takes what it can."""
    shape: dict[str, Any] = {"pv": 150e3, "sell": 0.10, "curtails": True, "battery": battery(energy=20e3)}
    found = planned(limited([limit("feed_in", 0.0)], **shape))
    assert found.steps[0].power < -10e3
    assert any("kW of PV are curtailed for the export limit of 0.0 kW by dso" in step.reason for step in found.steps)
    assert beyond(limited([limit("feed_in", 0.0)], **shape), grids(found).tolist()) == []


def test_a_load_above_the_limit_is_met_as_far_as_the_battery_can_and_the_rest_is_named() -> None:
    look = limited([limit(power=20e3)], load=50e3, battery=battery(energy=100e3))
    found = planned(look)
    assert grids(found)[:4] == pytest.approx(20e3, abs=1), "now, and not in the dear hours that come"
    assert grids(found)[8:].min() > 20e3
    assert min(step.soc for step in found.steps) == pytest.approx(10.0, abs=0.1), "all that may be used is given"
    short = beyond(look, grids(found).tolist())
    assert short
    assert all("the import limit of dso as dso, 20.0 kW, cannot be kept from 1" in words for words in short)
    assert all(words.endswith("up to 30.0 kW too much") for words in short)


def test_nothing_may_be_drawn_and_the_battery_is_empty_there_is_a_plan_all_the_same() -> None:
    look = limited([limit(power=0.0)], soc=10.0)
    assert [step.power for step in planned(look).steps] == [0.0] * 96
    when, over = "from 10 Jun 12:00 to 11 Jun 12:00", "up to 50.0 kW too much"
    assert beyond(look, [50e3] * 96) == [f"the import limit of dso as dso, 0.0 kW, cannot be kept {when}: {over}"]


def test_the_site_files_own_limit_is_named_as_such() -> None:
    look = outlook(1, load=350e3, soc=10.0)
    when, over = "from 10 Jun 12:00 to 10 Jun 13:00", "up to 50.0 kW too much"
    assert beyond(look, [350e3] * 4) == [f"the import_limit of the site file, 300.0 kW, cannot be kept {when}: {over}"]


def test_a_limit_wider_than_the_site_files_changes_nothing() -> None:
    wide = limit(power=900e3, until=NOON + timedelta(hours=1))
    assert planned(limited([wide])) == planned(limited([]))
