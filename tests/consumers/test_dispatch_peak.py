"""The month's peak that dispatch holds: the plan's, or without one the last that was planned or billed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.dispatch.kept import Stored
from schemas.messages import Plan
from schemas.tariff import Demand
from tests.consumers.test_dispatch_desk import NOON, UNBILLED, Story, plant_site
from tests.optimizer.test_dispatch import planned

JULY = datetime(2026, 6, 30, 22, tzinfo=UTC)
"""It begins in Berlin."""


def plan(peak: float | None, made: datetime = NOON, hours: float = 1.0) -> Plan:
    """It would rest all the time."""
    step = planned(0.0, load=40e3, at=made, seconds=hours * 3600).steps[0]
    until = made + timedelta(hours=hours)
    return planned(0.0, peak=peak).model_copy(update={"at": made, "until": until, "steps": [step]})


def runs(story: Story, seconds: int, load: float, soc: float = 80.0, every: int = 10) -> float | None:
    """The load goes on, the battery follows at once; gives the last power."""
    power = 0.0
    for _ in range(0, seconds, every):
        for _ in range(2):  # a BMS is believed for 5 s
            story.second += every / 2
            story.hear_all(grid=load - power, power=power, soc=soc)
        power = story.power() or 0.0
    return power


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(plant_site(tmp_path))


def test_a_tariff_that_is_read_later_is_billed_by(tmp_path: Path) -> None:
    """In windows of its length; those of another length tell nothing of them."""
    story = Story(plant_site(tmp_path, tariff=UNBILLED))
    story.desk.fold.billing = replace(story.desk.fold.billing, peak=90e3)
    for minutes, peak in ((15, 90e3), (30, 0.0)):
        story.desk.peaks.bill(Demand.model_validate({"price": 15.0, "minutes": minutes}))
        assert story.desk.peaks.demand is not None
        assert (story.desk.fold.billing.minutes, story.desk.fold.billing.peak) == (minutes, peak)


def test_a_plan_that_was_taken_back_leaves_its_peak(story: Story) -> None:
    story.desk.plans.hear(plan(60e3), story.now)
    assert runs(story, 900, 90e3) == pytest.approx(30e3, abs=1e3)
    assert "as planned; limited by the month's peak" in story.desk.detail
    story.desk.plans.hear(None, story.now)
    power = runs(story, 1800, 90e3, soc=50.0)
    assert power == pytest.approx(30e3, abs=1e3)
    assert "no valid plan: keeps 50 % for the month's peak" in story.desk.detail


def test_without_any_plan_the_billed_peak_so_far_is_held_and_not_emptied_under(story: Story) -> None:
    """Two windows at 60 kW are billed; then 90 kW come, and what is left in the battery is for them."""
    assert runs(story, 60, 60e3, soc=50.0) == pytest.approx(60e3), "nothing is billed yet: it covers the load"
    story.desk.fold.billing = replace(
        story.desk.fold.billing, at=story.now, power=60e3, energy=0.0, seen=0.0, peak=60e3
    )
    assert runs(story, 1800, 55e3, soc=50.0) == pytest.approx(0.0), "below the peak it keeps its reserve"
    assert runs(story, 1800, 90e3, soc=50.0) == pytest.approx(30e3, abs=1e3)
    assert story.desk.fold.billing.peak <= 60.5e3


def test_a_restart_knows_it(story: Story, tmp_path: Path) -> None:
    story.desk.plans.hear(plan(60e3), story.now)
    runs(story, 30, 50e3)
    kept = story.desk.keep(story.now, story.second)
    assert kept is not None
    assert kept.peak == 60e3
    other = Story(plant_site(tmp_path))
    other.second = 4000.0  # an hour later: no plan is valid any more
    other.desk.begin(Stored(kept.mode, kept=kept), Stored(), other.now, other.second)
    assert runs(other, 1800, 90e3, soc=50.0) == pytest.approx(30e3, abs=1e3)


@pytest.mark.parametrize(
    ("peak", "made", "asked", "holds"),
    [
        (60e3, JULY - timedelta(minutes=30), JULY - timedelta(minutes=1), 60e3),
        (60e3, JULY - timedelta(minutes=30), JULY + timedelta(minutes=1), 60e3),
        (40e3, JULY + timedelta(minutes=5), JULY + timedelta(minutes=6), 40e3),
        (400e3, NOON, NOON + timedelta(minutes=1), 250e3),
        (None, NOON, NOON + timedelta(minutes=1), None),
    ],
    ids=["this month", "a new month goes on with the last one's", "until it is planned", "never above the limit", "-"],
)
def test_which_peak_holds(
    story: Story, *, peak: float | None, made: datetime, asked: datetime, holds: float | None
) -> None:
    found = plan(peak, made)
    story.desk.peaks.lowest(found, made)
    assert story.desk.peaks.lowest(found, asked) == holds


def test_a_site_without_a_demand_tariff_has_none(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, tariff=UNBILLED))
    assert story.desk.peaks.lowest(plan(60e3), NOON) is None
    assert runs(story, 1800, 70e3, soc=50.0) == pytest.approx(70e3)
