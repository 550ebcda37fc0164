"""The net load from readings of two sides of a step: the bounds hold the load, and the estimate never goes past it."""

import math
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.net_load import LONGEST, NetLoad
from optimizer.site_load import SiteLoad
from tests.optimizer.closed_loop import RATED, Rig, run

Tell = Callable[[NetLoad], None]


def net(delay: float = 0.0, dead: float = 0.0) -> NetLoad:
    """A battery that has rested, a load of 50 kW."""
    found = NetLoad(delay, dead)
    found.battery(0.0, 0.0)
    found.meter(0.1, 50e3)
    assert found.value == 50e3
    return found


def test_nothing_is_known_until_both_were_read() -> None:
    unread = NetLoad(1.0, 1.0)
    unread.meter(1.0, 50e3)
    assert unread.value is None
    assert unread.shown is None
    unread.battery(1.1, 20e3)
    unread.meter(1.2, 30e3)
    assert unread.value == 50e3


@pytest.mark.parametrize(
    ("delay", "dead", "readings", "estimate"),
    [
        # (kind, at, W): the battery steps from 0 to 30 kW in the middle, the load is 50 kW all the time
        (0.0, 1.0, [("told", 0.5, 30e3), ("meter", 1.0, 20e3)], 50e3),
        (0.0, 1.0, [("told", 0.5, 30e3), ("meter", 1.0, 50e3)], 50e3),
        (0.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("meter", 1.3, 20e3)], 50e3),
        (2.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("meter", 1.3, 50e3)], 50e3),
        (2.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("meter", 3.1, 20e3)], 50e3),
        # the load steps to 70 kW: as soon as no power of the battery explains it
        (2.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("meter", 1.3, 70e3)], 70e3),
        (2.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("meter", 1.3, 40e3)], 50e3),
        (2.0, 0.5, [("told", 0.5, 30e3), ("battery", 1.2, 30e3), ("battery", 4.0, 30e3), ("meter", 4.1, 40e3)], 70e3),
        # a battery that nobody looks at goes on with its ramp, and not past what it was told
        (0.0, 0.5, [("told", 0.5, 60e3), ("battery", 1, 0), ("battery", 2, 10e3), ("meter", 3, 30e3)], 50e3),
        (0.0, 0.0, [("told", 0.5, 60e3), ("battery", 4, 30e3), ("battery", 5, 50e3), ("meter", 7, -20e3)], 40e3),
        # what it was told long ago and does not give is not believed for ever
        (0.0, 0.5, [("told", 0.5, 60e3), ("battery", 8, 30e3), ("battery", 9, 30e3), ("meter", 9.1, 30e3)], 60e3),
        # the same setpoint again is no new one
        (0.0, 0.5, [("told", 0.5, 60e3), ("told", 8.9, 60e3), ("battery", 8, 30e3), ("battery", 9, 30e3),
                    ("meter", 9.1, 30e3)], 60e3),
    ],
    ids=["meter sees it first", "nobody sees it", "both see it", "PCS alone sees it", "a late meter sees it",
         "the load too", "perhaps the load", "surely the load", "on its ramp", "at its end", "half", "told again"],
)  # fmt: skip
def test_a_step_of_the_battery_is_none_of_the_load(
    delay: float, dead: float, readings: list[tuple[str, float, float]], estimate: float
) -> None:
    found = net(delay, dead)
    for kind, at, power in readings:
        getattr(found, kind)(at, power)
    assert found.value == estimate


def test_what_comes_late_or_twice_changes_nothing() -> None:
    found = net()
    found.meter(0.1, 90e3)
    found.meter(0.05, 90e3)
    found.battery(0.0, 70e3)
    assert found.value == 50e3
    assert found.shown == (0.0, 0.0)


def test_a_person_who_looked_begins_anew() -> None:
    found = net()
    found.forget()
    found.meter(0.2, 10e3)
    assert found.value is None
    assert found.bounds(1.0, 10e3) is None
    found.battery(0.3, 5e3)
    found.meter(0.4, 10e3)
    assert found.value == 15e3


class Known(SiteLoad):
    """Somebody told it how late the meter is at most, and how long the battery may take."""

    def __init__(self, delay: float, dead: float) -> None:
        super().__init__(RATED)
        self.known = delay, dead

    def battery(self, at: float, power: float) -> None:
        self.net.battery(at, power)

    def meter(self, at: float, grid: float) -> None:
        self.net.meter_delay, self.net.dead_time = self.known
        self.net.meter(at, grid)


rigs = st.builds(
    Rig,
    meter_delay=st.floats(0, 5),
    meter_mean=st.sampled_from([0.0, 0.0, 1.0, 3.0]),
    meter_poll=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0]),
    pcs_delay=st.sampled_from([0.0, 0.0, 1.0, 4.0]),
    pcs_poll=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0]),
    dead_time=st.floats(0.05, 5),
    ramp=st.sampled_from([math.inf, math.inf, 50e3, 5e3]),
    our_ramp=st.sampled_from([math.inf, 50e3, 20e3]),
    jitter=st.sampled_from([0.0, 0.02, 0.3]),
)


@given(rigs, st.lists(st.floats(-RATED, RATED), min_size=1, max_size=12), st.floats(0.5, 8), st.integers(0, 1000))
def test_at_constant_load_it_never_moves_whatever_the_battery_does(
    rig: Rig, powers: list[float], each: float, seed: int
) -> None:
    known = Known(rig.meter_delay + rig.meter_mean + 0.05, rig.dead_time + rig.pcs_delay + 0.1)
    ran = run(
        rig, lambda _: 50e3, 60.0, None, told=lambda now: powers[int(now / each) % len(powers)], seed=seed, site=known
    )
    assert all(abs(one.net - 50e3) < 0.001 * RATED for one in ran.moments if one.net is not None)


@given(rigs, st.lists(st.floats(0, 80e3), min_size=2, max_size=5), st.integers(0, 1000))
def test_it_moves_towards_the_load_and_never_past_it(rig: Rig, loads: list[float], seed: int) -> None:
    known = Known(rig.meter_delay + rig.meter_mean + 0.05, rig.dead_time + rig.pcs_delay + 0.1)
    ran = run(
        rig, lambda now: loads[int(now / 30) % len(loads)], 60.0, None,
        told=lambda now: 40e3 * math.sin(now), seed=seed, site=known,
    )  # fmt: skip
    slack = 0.001 * RATED
    assert all(min(loads) - slack < one.net < max(loads) + slack for one in ran.moments if one.net is not None)


@pytest.mark.parametrize("rate", [1, 10])
def test_a_reading_costs_less_than_30_us_and_the_past_is_bounded(rate: int) -> None:
    best = math.inf
    for _ in range(5):
        found = NetLoad(12.0, 5.0)
        began = time.process_time()
        for number in range(100 * rate):
            at = number / rate
            found.battery(at, float(number % 7))
            found.told(at, float(number % 5))
            found.meter(at, float(number % 3))
        best = min(best, (time.process_time() - began) / (100 * rate))
    assert best < 30e-6
    assert len(found._shown) <= LONGEST * rate + 2
    assert len(found._told) <= LONGEST * rate + 2
