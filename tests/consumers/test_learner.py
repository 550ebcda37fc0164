"""Learning beside the plans: no plan waits for it; what dies or hangs leaves the forecast of before, and is said."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic, sleep

import numpy as np
import pytest

from consumers.optimize.learner import DAILY, Learner
from consumers.optimize.learning import Learning
from optimizer.forecast.model import Model, learn
from optimizer.record import QUARTER, Record
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_optimize_pure import NOON

DAYS = 5
RECORD = Record(NOON - DAYS * DAILY, np.full((DAYS + 3) * 96, 50e3), np.zeros((DAYS + 3) * 96))
TOMORROW = NOON + DAILY


def soon(true: Callable[[], bool]) -> bool:
    """The other thread comes to it."""
    begun = monotonic()
    while not true() and monotonic() - begun < 10:
        sleep(0.005)
    return true()


class School:
    """The real learning, held up or broken on its way."""

    def __init__(self, site_zone: object) -> None:
        self.zone, self.may, self.breaks, self.times = site_zone, Event(), "", 0
        self.may.set()

    def __call__(self, record: Record, now: object, before: Model | None) -> Model:
        self.times += 1
        assert self.may.wait(10)
        if self.breaks and len(record):
            raise ValueError(self.breaks)
        return learn(record, now, self.zone, (), before)  # type: ignore[arg-type]


@pytest.fixture
def school(tmp_path: Path) -> tuple[Learner, School]:
    site = plant_site(tmp_path)
    found = School(site.zone)
    return Learner(site, found), found


def test_a_plan_has_the_forecast_of_yesterday_while_another_is_learned(school: tuple[Learner, School]) -> None:
    learner, taught = school
    first = learner.current(RECORD.until(NOON), NOON)
    assert learner.current(RECORD.until(NOON + QUARTER), NOON + QUARTER) is first
    taught.may.clear()
    for minutes in range(3):  # it is slow: a plan a minute, and one that learns
        assert learner.current(RECORD.until(TOMORROW), TOMORROW + timedelta(minutes=minutes)) is first
    assert taught.times == 2
    assert learner.words == "", "a day old is no age"
    taught.may.set()
    assert soon(lambda: learner.known is not None and learner.known.model.at == TOMORROW)


def test_one_that_hangs_is_said_with_the_age_of_the_forecast(school: tuple[Learner, School]) -> None:
    learner, taught = school
    learner.current(RECORD.until(NOON), NOON)
    taught.may.clear()
    for hours in (24, 30, 40):
        at = NOON + timedelta(hours=hours)
        learner.current(RECORD.until(at), at)
    assert taught.times == 2, "no second thread beside one that hangs"
    assert learner.words.startswith("the forecast is as it was learned on 20")
    assert "; learning has not ended since " in learner.words
    taught.may.set()
    assert soon(lambda: not learner.words)


def test_one_that_dies_leaves_the_forecast_and_is_tried_again(school: tuple[Learner, School]) -> None:
    learner, taught = school
    first = learner.current(RECORD.until(NOON), NOON)
    taught.breaks = "an odd record"
    learner.current(RECORD.until(TOMORROW), TOMORROW)
    assert soon(lambda: "learning failed: ValueError: an odd record" in learner.words)
    taught.breaks = ""
    assert learner.current(RECORD, TOMORROW + timedelta(minutes=1)) is first
    assert taught.times == 2
    learner.current(RECORD.until(TOMORROW), TOMORROW + timedelta(minutes=11))
    assert soon(lambda: learner.known is not None and learner.known.model is not first)
    assert learner.words == ""


def test_a_past_that_nothing_can_be_learned_from_costs_no_plan(tmp_path: Path) -> None:
    learning = Learning(plant_site(tmp_path))
    taught = School(learning.site.zone)
    taught.breaks = "an odd record"
    learning.learner.learn = taught
    ahead = learning.ahead(RECORD.until(NOON), NOON, [NOON + step * QUARTER for step in range(4)], 70e3, 0.0)
    assert list(ahead.load) == [pytest.approx(70e3)] * 4
    assert ahead.spread.min() > 1e3
    assert "learning failed: ValueError: an odd record" in learning.notes[0]
