"""How late the meter shows the battery, and the battery its setpoint: measured while the load moves as it likes."""

import math
import random

import pytest

from optimizer.delays import KEPT, RASTER, Delay
from optimizer.site_load import ASSUMED_DEAD_TIME, ASSUMED_DELAY, SiteLoad
from tests.optimizer.closed_loop import (
    NO_EXPORT,
    RATED,
    Limits,
    Naive,
    Power,
    Rig,
    jumps,
    run,
    sine,
    square,
    steps,
    walk,
)
from tests.timed import some

NEAR = 1.0
"""Seconds: less than what is too short to matter, and what is too long to be slow."""


def after(rig: Rig, load: Power, seconds: float = 120.0, limits: Limits = NO_EXPORT) -> SiteLoad:
    return run(rig, load, seconds, limits).site


@pytest.mark.parametrize("load", [steps(50e3, 20e3), jumps(3, 7.0), jumps(5, 11.0), square(30.0)],
                         ids=["a step", "each 7 s", "each 11 s", "up and down"])  # fmt: skip
@pytest.mark.parametrize(
    "rig",
    [
        Rig(noise=300.0),
        Rig(meter_delay=0.3, meter_poll=1.0, noise=300.0),
        Rig(meter_delay=2.0, noise=300.0),
        Rig(meter_delay=5.0, meter_poll=1.0, dead_time=1.0, noise=300.0),
        Rig(meter_delay=0.5, dead_time=3.0, noise=300.0),
        Rig(meter_delay=2.0, meter_poll=1.0, dead_time=1.0, ramp=10e3, noise=300.0),
        Rig(meter_delay=2.0, our_ramp=20e3, noise=300.0),
        Rig(meter_delay=1.0, meter_poll=0.1, pcs_poll=0.1, our_ramp=50e3, noise=300.0),
    ],
    ids=["at once", "0.3 s", "2 s", "5 s", "dead for 3 s", "a slow battery", "our ramp", "10 Hz"],
)
def test_both_delays_are_found_under_any_load(rig: Rig, load: Power) -> None:
    site = after(rig, load)
    assert site.delay.done is not None
    assert site.dead.begun is not None
    unsure = 3 * NEAR if rig.ramp < math.inf else 2 * NEAR  # a ramp has no edges
    assert rig.meter_delay - 0.25 <= site.delay.done <= rig.meter_delay + unsure
    assert rig.dead_time - 0.25 <= site.dead.begun <= rig.dead_time + rig.pcs_poll + 2 * NEAR


@pytest.mark.parametrize("mean", [1.0, 2.0, 3.0, 5.0])
def test_a_meter_that_averages_is_late_by_all_that_it_averages_over(mean: float) -> None:
    site = after(Rig(meter_delay=0.5, meter_mean=mean, noise=300.0), steps(50e3, 20e3, 60e3, each=40.0))
    assert site.delay.done is not None
    assert 0.5 + mean - 0.5 <= site.delay.done <= 0.5 + mean + 2 * NEAR


def test_a_pcs_that_shows_later_than_the_meter_is_a_negative_delay() -> None:
    site = after(Rig(pcs_delay=2.5, noise=300.0), steps(50e3, 20e3, 60e3, each=40.0))
    assert site.delay.done is not None
    assert -2.5 <= site.delay.done <= -1.0
    assert site.net.meter_delay == 0.0
    assert 2.8 - 0.25 <= site.net.dead_time <= 2.8 + 2 * NEAR


@pytest.mark.parametrize("pcs", [2.0, 5.0])
def test_a_pcs_that_is_polled_seldom_makes_it_unsure_and_not_short(pcs: float) -> None:
    site = after(Rig(meter_delay=1.0, pcs_poll=pcs, noise=300.0), steps(50e3, 20e3, 60e3, 0.0, each=30.0))
    assert 1.0 <= site.net.meter_delay <= 1.0 + 2 * pcs + NEAR


@pytest.mark.parametrize(
    ("rig", "load"),
    [
        (Rig(noise=300.0), steps(50e3)),
        (Rig(gain=0.0, noise=300.0), jumps(3, 7.0)),
        (Rig(noise=300.0), steps(0.0)),
    ],
    ids=["at rest, after one step", "stuck", "nothing to do"],
)
def test_who_does_not_move_tells_nothing(rig: Rig, load: Power) -> None:
    limits = Limits() if load(0.0) == 0.0 else NO_EXPORT
    site = run(rig, load, 60.0, limits).site
    if rig.gain == 0.0 or load(0.0) == 0.0:
        assert not site.measured
        assert (site.net.meter_delay, site.net.dead_time) == (ASSUMED_DELAY, ASSUMED_DEAD_TIME)
    assert not site.alone


@pytest.mark.parametrize("load", [walk(1), sine(60.0), walk(4, 6e3)], ids=["wanders", "an hour in a minute", "wild"])
@pytest.mark.parametrize("delay", [0.0, 2.0, 5.0])
def test_a_load_that_moves_smoothly_makes_it_no_shorter(load: Power, delay: float) -> None:
    assert after(Rig(meter_delay=delay, noise=300.0), load).net.meter_delay >= delay - 0.25


@pytest.mark.parametrize(("before", "later"), [(0.5, 4.0), (0.0, 7.0), (5.0, 0.5), (12.0, 1.0), (1.0, 12.0)])
def test_a_delay_that_changes_is_found_again(before: float, later: float) -> None:
    rig = Rig(meter_delay=before, changes=((60.0, later),), noise=300.0)
    site = run(rig, jumps(2, 13.0), 180.0, NO_EXPORT).site
    assert later - 0.25 <= site.net.meter_delay <= later + 2 * NEAR


@pytest.mark.parametrize("gain", [0.5, 0.9, 1.1])
def test_a_battery_that_gives_another_power_than_told_is_as_late(gain: float) -> None:
    site = after(Rig(meter_delay=2.0, dead_time=1.0, gain=gain, noise=300.0), jumps(3, 9.0))
    assert 1.75 <= site.net.meter_delay <= 2.0 + 2 * NEAR
    assert 0.75 <= site.net.dead_time <= 1.0 + 3 * NEAR


def test_a_swing_at_constant_load_is_the_battery_alone() -> None:
    """As it was: the last readings added, a meter that is 2 s late."""
    ran = run(Rig(meter_delay=2.0, noise=300.0), steps(50e3), 60.0, NO_EXPORT, site=Naive(RATED))
    assert ran.swing(30.0, 60.0) > 0.5 * RATED
    assert all(one.alone for one in ran.between(40.0, 60.0))


def pair(delay: float, seconds: range, held: bool = True) -> Delay:
    """A cause that steps by 20 kW each 10 s, an effect that follows."""
    found = Delay(RATED, held=held)
    for second in seconds:
        found.cause(float(second), 20e3 * (second // 10 % 2))
        found.effect(second + 0.1, 20e3 * (int(second + 0.1 - delay) // 10 % 2))
    return found


def test_a_setpoint_that_stood_for_an_hour_is_still_known_when_it_changes() -> None:
    found = Delay(RATED, held=True)
    found.cause(0.0, 10e3)
    for number in range(8000):
        if number == 7200:
            found.cause(3600.0, 60e3)
        found.effect(number / 2, 60e3 if number / 2 >= 3602.0 else 10e3)
    assert found.begun is not None
    assert 1.5 <= found.begun <= 2.0 + NEAR  # the reading before showed nothing yet


def test_a_silence_is_no_ramp() -> None:
    found = pair(2.0, range(100))
    done = found.done
    found.cause(100.0 + 2 * KEPT * RASTER, -80e3)
    found.effect(100.1 + 2 * KEPT * RASTER, 0.0)
    assert found.done == done


def test_readings_out_of_order_change_nothing() -> None:
    found, other = pair(2.0, range(100)), pair(2.0, range(100))
    found.cause(50.0, 90e3)
    found.effect(50.0, 90e3)
    for second in range(100, 130):
        for one in (found, other):
            one.cause(float(second), 0.0)
            one.effect(second + 0.1, 0.0)
    assert (found.begun, found.done) == (other.begun, other.done)


def test_noise_alone_says_nothing() -> None:
    chance, found = random.Random(1), Delay(RATED)
    for number in range(600):
        found.cause(number / 2, chance.gauss(20e3, 300.0))
        found.effect(number / 2 + 0.1, chance.gauss(20e3, 300.0))
    assert found.done is None
    assert not found.alone


def test_two_that_know_nothing_of_each_other_are_not_compared() -> None:
    chance, found = random.Random(1), Delay(RATED)
    cause = effect = 0.0
    for number in range(2400):
        if number % 20 == 0:
            cause = chance.uniform(-RATED, RATED)
        if number % 26 == 13:
            effect = chance.uniform(-RATED, RATED)
        found.cause(number / 2, cause)
        found.effect(number / 2 + 0.1, effect)
    assert found.done is None or math.isfinite(found.done)
    assert not found.alone


SIGNS = {"grid": 1, "round": -1, "elsewhere": 0}


@pytest.mark.parametrize(("shows", "delay"), [(shows, delay) for shows in SIGNS for delay in (0.0, 2.0, 4.0, 5.5)])
def test_steps_by_the_clock_tell_the_sign_or_nothing(shows: str, delay: float) -> None:
    """Half a period late they look like the opposite sign: all but the first."""
    rig = Rig(meter_delay=delay, dead_time=0.1, noise=300.0, shows=shows)
    site = run(rig, steps(50e3), 90.0, None, told=lambda now: 30e3 if now > 6.0 and now % 8.0 < 4.0 else 0.0).site
    assert site.delay.sign in (0, SIGNS[shows])
    assert site.delay.sign or shows == "elsewhere" or delay >= 4.0, "it is known where the next step is not there yet"
    assert shows == "elsewhere" or site.shows >= delay


@pytest.mark.parametrize(
    ("load", "delay"), some([square(40.0), jumps(3, 7.0), walk(1), sine(18.0)], [0.0, 5.0, 12.0], one_in=3)
)
def test_a_battery_that_answers_the_meter_tells_no_opposite_sign(load: Power, delay: float) -> None:
    assert after(Rig(meter_delay=delay, noise=300.0), load, 240.0).delay.sign != -1


SAID = {
    "prompt, and it is 4 s late": (0.0, 0.0, 4.0),
    "2 s, and it is 4 s late": (2.0, 2.0, 4.0),
    "6 s, and it is 4 s late": (6.0, 6.0, 6.0),
}
"""What the site file says, what counts at once, and what counts once the meter was seen."""


@pytest.mark.parametrize("case", SAID)
def test_what_the_site_file_says_bounds_what_is_measured(case: str) -> None:
    said, at_once, then = SAID[case]
    site = SiteLoad(RATED, known_delay=said)
    assert (site.net.meter_delay, site.meter_late, site.measured) == (at_once, at_once, True)
    run(Rig(meter_delay=4.0), steps(50e3, 20e3, 60e3, each=40.0), 120.0, NO_EXPORT, site=site)
    assert site.net.meter_delay == site.meter_late
    assert then - 0.25 <= site.meter_late <= then + NEAR
    assert site.shows >= said
