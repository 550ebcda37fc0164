"""A loop that goes on swinging at constant load is named within a minute; a battery that follows a load never is."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.swing import LASTS, OVER, SwingWatch
from optimizer.site_load import SiteLoad
from tests.optimizer.closed_loop import (
    LOW_IMPORT,
    NO_EXPORT,
    RATED,
    Limits,
    Naive,
    Power,
    Rig,
    Run,
    jumps,
    run,
    sine,
    square,
    steps,
    walk,
)
from tests.timed import some


def watch(
    setpoint: Power, seconds: float, *, closed: bool = True, alone: Callable[[float], bool] = lambda _: True
) -> float:
    """When it was named; infinite for never."""
    found = SwingWatch(RATED)
    for number in range(round(seconds / 0.5)):
        now = number / 2
        if found.see(now, setpoint(now), closed=closed, alone=alone(now)):
            return now
    return math.inf


@pytest.mark.parametrize(
    ("setpoint", "named"),
    [
        (square(4.0), LASTS + 5.0),
        (square(30.0), 60.0),
        (sine(6.0), LASTS + 10.0),
        (sine(20.0), 50.0),
        (square(2.0, 0.03 * RATED), LASTS + 5.0),
        (square(4.0, 0.02 * RATED), math.inf),
        (square(50.0), math.inf),
        (steps(50e3), math.inf),
        (steps(50e3, -50e3, 50e3, each=12.0), math.inf),
        (lambda now: 1000.0 * now, math.inf),
        (lambda now: 50e3 * math.exp(-now / 8) * math.cos(now), math.inf),
    ],
    ids=["each 2 s", "each 15 s", "a sine of 6 s", "of 20 s", "small", "noise", "too slow for a loop", "still",
         "two steps", "a ramp", "it comes to rest"],
)  # fmt: skip
def test_what_goes_to_and_fro_for_long_enough_is_named(setpoint: Power, named: float) -> None:
    at = watch(setpoint, 240.0)
    assert at <= named
    assert (at == math.inf) == (named == math.inf)


def test_who_swings_by_plan_or_after_a_load_is_not_named() -> None:
    assert watch(square(4.0), 240.0, closed=False) == math.inf
    assert watch(square(4.0), 240.0, alone=lambda _: False) == math.inf
    assert watch(square(4.0), 240.0, alone=lambda now: now % 60 < 10.0) == math.inf


def test_one_step_of_the_load_in_between_delays_it_only() -> None:
    assert watch(square(4.0), 240.0, alone=lambda now: not 20.0 < now < 30.0) <= LASTS + OVER


def test_it_says_what_it_saw_and_forgets_when_a_person_has_looked() -> None:
    found = SwingWatch(RATED)
    said = [found.see(now / 2, square(4.0)(now / 2), closed=True, alone=True) for now in range(80)]
    assert said[-1] == "the battery turned round 18 times in 34 s while the load stood still"
    found.forget()
    assert found.see(40.0, 70e3, closed=True, alone=True) == ""


@given(st.lists(st.floats(-0.024 * RATED, 0.024 * RATED), min_size=1), st.floats(-RATED, RATED))
def test_noise_is_never_named(noise: list[float], power: float) -> None:
    assert watch(lambda now: power + noise[int(now * 2) % len(noise)], 100.0) == math.inf


# with the real delays ------------------------------------------------------------------------------


def named(ran: Run) -> float:
    """When the watch names it; infinite for never."""
    found = SwingWatch(RATED)
    for one in ran.moments[::10]:
        if found.see(one.at, one.setpoint, closed=True, alone=one.alone):
            return one.at
    return math.inf


@pytest.mark.parametrize("limits", [NO_EXPORT, LOW_IMPORT], ids=["export", "import"])
@pytest.mark.parametrize(
    "rig",
    [
        Rig(meter_delay=1.0),
        Rig(meter_delay=2.0),
        Rig(meter_delay=2.0, our_ramp=20e3),
        Rig(meter_delay=2.0, noise=300.0, meter_poll=1.0, pcs_poll=1.0),
        Rig(meter_delay=5.0, dead_time=1.0, noise=300.0),
        Rig(meter_delay=1.0, dead_time=3.0),
        Rig(pcs_delay=2.0, dead_time=1.0, noise=300.0),
        Rig(meter_mean=3.0, dead_time=1.0, noise=300.0),
    ],
    ids=["1 s", "2 s", "2 s, our ramp", "2 s, noise", "5 s", "a slow PCS", "a late PCS", "an averaging meter"],
)
def test_the_last_readings_added_are_named_within_a_minute(rig: Rig, limits: Limits) -> None:
    """As the loop was: it swings at constant load for ever."""
    ran = run(rig, steps(50e3), 90.0, limits, site=Naive(RATED))
    assert ran.swing(60.0, 90.0) > 0.1 * RATED
    assert 20.0 < named(ran) <= 60.0


@pytest.mark.parametrize("delay", [0.0, 2.0, 5.0, 7.0, 12.0])
def test_the_first_swing_of_a_loop_that_measures_is_not_named(delay: float) -> None:
    rig = Rig(meter_delay=delay, dead_time=1.0, noise=300.0)
    assert named(run(rig, steps(50e3, 20e3, 60e3, each=60.0), 180.0, NO_EXPORT)) == math.inf


LOADS = {
    **{f"a sine of {period:g} s": sine(period) for period in (4.0, 6.0, 8.0, 12.0, 18.0, 30.0, 60.0)},
    **{f"up and down each {period / 2:g} s": square(period) for period in (4.0, 6.0, 8.0, 12.0, 20.0, 30.0)},
    **{f"another each {each:g} s": jumps(3, each) for each in (3.0, 7.0, 15.0)},
    "it wanders": walk(2),
}


FOLLOW = {
    "at once": Rig(),
    "0.3 s": Rig(meter_delay=0.3, meter_poll=1.0),
    "2 s": Rig(meter_delay=2.0, noise=300.0),
    "5 s": Rig(meter_delay=5.0, dead_time=1.0),
    "a late PCS": Rig(pcs_delay=3.0),
    "a slow PCS": Rig(meter_delay=0.5, dead_time=3.0, noise=300.0),
}


@pytest.mark.search
@pytest.mark.parametrize(("follows", "moves"), some(FOLLOW, LOADS, one_in=5))
def test_a_battery_that_follows_a_load_is_never_named(follows: str, moves: str) -> None:
    rig, load = FOLLOW[follows], LOADS[moves]
    assert named(run(rig, load, 240.0, NO_EXPORT)) == math.inf


@pytest.mark.parametrize("each", [2.0, 5.0, 10.0])
def test_steps_of_a_plan_are_never_named_however_alone(each: float) -> None:
    site = SiteLoad(RATED)
    plan = square(2 * each)
    ran = run(Rig(meter_delay=1.0), steps(50e3), 120.0, None, told=plan, site=site)
    assert any(one.alone for one in ran.moments)
    found = SwingWatch(RATED)
    assert not any(found.see(one.at, one.setpoint, closed=False, alone=one.alone) for one in ran.moments[::10])
