"""A plan's policy at the real desk, its battery and its late meter, in virtual time: no swing, no window beyond."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.messages import Plan
from schemas.site import Site
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_loop import NOON, Loop
from tests.optimizer.test_dispatch import planned

CAP = 60e3
HOLD = [(0.0, 0.0), (CAP, 0.0), (CAP + 100e3, 100e3)]
COVER = [(-100e3, -100e3), (0.0, 0.0), (100e3, 100e3)]


def plan(policy: list[tuple[float, float]], minute: int = 0) -> Plan:
    """Made in that minute of the quarter hour."""
    at = NOON + timedelta(minutes=minute)
    one = planned(0.0, load=40e3, at=at, seconds=900.0 - 60 * minute, policy=policy, cap=CAP)
    return one.model_copy(
        update={"at": at, "until": at + timedelta(hours=1), "currency": "CHF", "peak": CAP, "peaks": {"demand": CAP}}
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return plant_site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize(
    ("delay", "ramp", "noise"),
    [(1.0, None, 0.0), (8.0, None, 0.0), (2.0, 5e3, 0.0), (5.0, 50e3, 300.0)],
    ids=["late 1 s", "late 8 s", "a slow PCS", "noise"],
)
def test_the_mean_is_held_without_a_swing(site: Site, delay: float, ramp: float | None, noise: float) -> None:
    """The load rises to 90 kW and stays: the battery comes in once, as what the window owes grows."""
    loop = Loop(site, 1.0, 1.0, delay, ramp, noise=noise)
    for minute in range(6):
        loop.desk.plans.hear(plan(HOLD, minute), NOON + timedelta(seconds=loop.second))
        loop.run(60, 40e3 if minute < 2 else 90e3)
    moves = loop.moves(0.0)
    assert sum(-move for move in moves if move < 0) <= 0.1 * 30e3 + 30 * noise, "it goes up, and hardly back"
    assert max(loop.moves(300.0), default=0.0) <= 2e3 + 10 * noise, "and evenly"
    assert 12e3 < loop.wanted[-1][1] < 40e3
    assert "holds 60 kW mean of 12:00-12:15; " in loop.desk.detail


@pytest.mark.parametrize("delay", [0.0, 2.0, 8.0])
def test_it_covers_a_load_without_a_swing_whatever_the_meter(site: Site, delay: float) -> None:
    loop = Loop(site, 1.0, 1.0, delay, 50e3)
    loop.desk.plans.hear(plan(COVER), NOON)
    loop.run(60, 20e3)
    loop.run(60, 70e3)
    began = loop.second
    loop.run(40, 70e3)
    assert loop.moves(began) == []
    assert loop.plant.grid == pytest.approx(0.0, abs=1e3)


@pytest.mark.parametrize(("delay", "ramp"), [(20.0, 50e3), (30.0, 2e3)], ids=["late 20 s", "late 30 s, 2 kW/s"])
def test_a_meter_later_than_anybody_said_makes_one_swing(site: Site, delay: float, ramp: float) -> None:
    """It is measured by the first one. Beyond 16 s it was not, and the battery went to and fro by 88 kW without end."""
    loop = Loop(site, 1.0, 1.0, delay, ramp, noise=100.0)
    loop.desk.plans.hear(plan(COVER), NOON)
    loop.run(60, 20e3)
    loop.run(140, 70e3)
    began = loop.second
    loop.run(60, 70e3)
    powers = [power for second, power in loop.wanted if second > began]
    assert max(powers) - min(powers) <= 1e3
    assert loop.plant.grid == pytest.approx(0.0, abs=1e3)


def test_a_plan_each_minute_moves_nothing(site: Site) -> None:
    """The policy is the same: that a plan is new is no reason to move."""
    loop = Loop(site, 1.0, 1.0, 1.0, 50e3)
    for minute in range(4):
        loop.desk.plans.hear(plan(COVER, minute), NOON + timedelta(seconds=loop.second))
        loop.run(60, 50e3)
    assert loop.moves(60.0) == []


def test_what_binds_is_said_with_its_currency(tmp_path: Path) -> None:
    loop = Loop(plant_site(tmp_path), 1.0, 1.0)
    loop.desk.plans.hear(plan(HOLD), NOON)
    loop.run(30, 120e3)
    assert "holds 60 kW mean of 12:00-12:15; 15 CHF/kW" in loop.desk.detail
