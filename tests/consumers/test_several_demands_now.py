"""Of several demands dispatch keeps to the lowest that counts now, and a plan knows each one's own peak."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.plans import binding, planned
from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.think import think
from optimizer.billing import Quarter
from optimizer.outlook import QUARTER
from schemas.messages import Plan
from schemas.tariff import Demand
from tests.consumers.test_dispatch_desk import Story, plant_site
from tests.consumers.test_dispatch_peak import plan, runs
from tests.consumers.test_optimize_pure import NOON, told
from tests.optimizer.outlooks import BERLIN
from tests.optimizer.test_site_billing import archived

TARIFF = """\
import.period = [{ price = 0.2 }]
[[demand]]
name = "all"
price = 15
[[demand]]
name = "on-peak"
price = 20
hours = [{ start = "16:00", end = "20:00" }]
"""
ALL = Demand(name="all", price=15.0)


def evening(**more: Any) -> Demand:
    return Demand.model_validate({"name": "on-peak", "hours": [{"start": "16:00", "end": "20:00"}], **more})


CONTRACT = {"power": 80.0, "penalty": 9.0}


@pytest.mark.parametrize(
    ("hour", "one", "peak", "least"),
    [
        (12, evening(price=20.0), 60e3, 100e3),
        (17, evening(price=20.0), 60e3, 60e3),
        (20, evening(price=20.0), 60e3, 100e3),
        (17, evening(price=20.0), None, 100e3),
        (17, evening(price=20.0, floor=75.0), 60e3, 75e3),
        (17, evening(contract=CONTRACT), 60e3, 80e3),
        (17, evening(contract=CONTRACT), 90e3, 90e3),
        (17, evening(contract=CONTRACT | {"limit": True}), 90e3, 80e3),
        (17, evening(contract=CONTRACT), None, 80e3),
        (12, evening(contract=CONTRACT), None, 100e3),
        (17, evening(contract=CONTRACT, price=4.0), 60e3, 60e3),
    ],
    ids=["before", "in it", "after", "unknown", "floor", "below a contract", "beyond it is billed", "a limit",
         "a contract alone", "not yet", "a price beside it"],
)  # fmt: skip
def test_the_lowest_of_those_that_count_is_held(hour: int, one: Demand, peak: float | None, least: float) -> None:
    now = datetime(2026, 6, 10, hour, 5, tzinfo=BERLIN)
    for each in ([(ALL, 100e3), (one, peak)], [(one, peak), (ALL, 100e3)]):
        assert binding(each, now, BERLIN, 500e3) == least
    assert binding([(one, None)], now, BERLIN, 500e3) in {None, 80e3}


def test_a_plan_tells_dispatch_the_peak_of_each(tmp_path: Path) -> None:
    site = plant_site(tmp_path, tariff=TARIFF)
    past = Past(site)
    past.means = {"grid": {NOON - number * QUARTER: 30e3 for number in range(1, 97)}}
    past.means["grid"][NOON - timedelta(hours=2)] = 90e3  # at ten, local time: it counts for one of them
    past.means["pcs1"] = dict.fromkeys(past.means["grid"], 0.0)
    seen = told(site)
    made = [Quarter(at, power / 4, 900.0) for at, power in sorted(past.means["grid"].items())]
    seen.billing = archived(seen.billing, made)
    each, peaks = look(seen, past, {}, NOON, 0.0).outlook.charges, {"all": 90e3, "on-peak": 30e3}
    assert {one.component.name: max(one.peaks.values()) for one in each} == peaks
    plan, wrong, _ = think(seen, past, {}, NOON, 0.0)
    assert wrong == []
    assert plan.peak == plan.peaks["all"]
    assert plan.peaks["on-peak"] < plan.peaks["all"]
    desk = Story(site).desk
    five = datetime(2026, 6, 10, 17, tzinfo=BERLIN)
    assert (desk.peaks.lowest(plan, NOON), desk.peaks.lowest(plan, five)) == (plan.peaks["all"], plan.peaks["on-peak"])


def test_without_a_plan_what_the_owner_knows_is_held() -> None:
    one = evening(price=20.0, known=[{"peak": 70.0, "on": "2026-06-02"}])
    assert planned(None, one, None, 70e3, NOON, BERLIN) == 70e3
    assert planned(None, evening(price=20.0), None, 0.0, NOON, BERLIN) is None
    of_may = Plan.model_validate(
        {"id": "1", "at": NOON - timedelta(days=20), "until": NOON, "currency": "EUR", "steps": [], "cost": 0.0,
         "cost_idle": 0.0, "peaks": {"on-peak": 10e3}}
    )  # fmt: skip
    assert planned(of_may, one, None, 70e3, NOON, BERLIN) == 70e3, "the plan is of the month before"


@pytest.mark.parametrize("order", [(60, 15), (15, 60)], ids=["hours first", "quarters first"])
def test_each_is_held_in_its_own_window(tmp_path: Path, order: tuple[int, int]) -> None:
    """20 kW for three quarters of an hour, then 90: the hour has room for all of it, the quarter for 60 kW. After the
    full hour a window begins anew, and of the hour 50 kW may be drawn, of the quarter 60."""
    peaks = {"15": 60e3, "60": 50e3}
    demands = [f'[[demand]]\nname = "{minutes}"\nprice = 15\nminutes = {minutes}\n' for minutes in order]
    story = Story(plant_site(tmp_path, tariff="import.period = [{ price = 0.2 }]\n" + "".join(demands)))
    rests = plan(peaks[str(order[0])], hours=2.0).model_copy(update={"peaks": peaks})
    story.desk.plans.hear(rests, story.now)
    assert runs(story, 2600, 20e3) == 0.0
    assert runs(story, 600, 90e3) == pytest.approx(30e3, abs=2e3)
    runs(story, 900, 90e3)
    assert runs(story, 1500, 90e3) == pytest.approx(40e3, abs=2e3)
