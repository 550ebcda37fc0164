"""A step of the battery must appear at the meter with the other sign, whatever the load does and however late it is."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.control.meter_polarity import ENOUGH, FEWEST, MeterPolarity
from optimizer.site_load import SiteLoad
from tests.optimizer.closed_loop import (
    LOW_IMPORT,
    NO_EXPORT,
    RATED,
    Limits,
    Power,
    Rig,
    jumps,
    run,
    sine,
    square,
    steps,
    walk,
)
from tests.timed import FULL, some

ROUND, ELSEWHERE = "its sign is wrong", "it does not show"


class Watched(SiteLoad):
    """As the bridge has it: the same readings, and what was told."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.polarity = MeterPolarity(self.rated, self.shows)
        self.named: dict[str, float] = {}
        """What was suspected, and when first."""

    def told(self, at: float, power: float) -> None:
        super().told(at, power)
        self.polarity.told(power)

    def battery(self, at: float, power: float) -> None:
        super().battery(at, power)
        self.polarity.battery(at, power)

    def meter(self, at: float, grid: float) -> None:
        super().meter(at, grid)
        self.polarity.shows = self.shows
        self.polarity.meter(at, grid)
        if why := self.polarity.suspicion:
            self.named.setdefault(why[:17].strip(), at)


def watch(
    rig: Rig, load: Power, seconds: float, limits: Limits | None = None, *, told: Power | None = None, seed: int = 0
) -> dict[str, float]:
    site = Watched(RATED)
    run(rig, load, seconds, limits, told=told, seed=seed, site=site)
    return {
        next(name for name in (ROUND, ELSEWHERE) if why.startswith(name[:16])): at for why, at in site.named.items()
    }


def clock(period: float, size: float = 30e3) -> Power:
    """Steps that come by the clock, from rest."""
    return lambda now: size if now > 5.0 and (now - 5.0) % period < period / 2 else 0.0


def pulses(period: float, rate: float, low: float = 20e3, high: float = 80e3) -> Power:
    """A load that ramps up, stays, ramps down and stays."""

    def load(now: float) -> float:
        way, place = (high - low) / rate, now % period
        up = min(1.0, place / way)
        return low + (high - low) * (up if place < period / 2 else 1.0 - min(1.0, (place - period / 2) / way))

    return load


STILL = steps(50e3)
LOADS = {
    "constant": STILL,
    "wanders": walk(1),
    "a sine of 18 s": sine(18.0),
    "up and down each 6 s": square(12.0),
    "up and down each 20 s": square(40.0),
    "another each 7 s": jumps(3, 7.0),
    "a slow ramp": pulses(120.0, 1e3),
    "a fast ramp": pulses(40.0, 10e3),
    "a steep ramp": pulses(30.0, 40e3),
}
RIGS = {
    "at once": Rig(noise=300.0),
    "10 Hz": Rig(meter_poll=0.1, pcs_poll=0.1, noise=300.0, dead_time=0.05),
    "0.3 s": Rig(meter_delay=0.3, meter_poll=1.0, noise=300.0),
    "2 s": Rig(meter_delay=2.0, noise=300.0),
    "5 s": Rig(meter_delay=5.0, dead_time=1.0, noise=300.0),
    "averages": Rig(meter_mean=5.0, noise=300.0),
    "12 s": Rig(meter_delay=12.0, noise=300.0),
    "dead 3 s": Rig(meter_delay=0.5, dead_time=3.0, noise=300.0),
    "our ramp": Rig(our_ramp=20e3, noise=300.0),
    "its ramp": Rig(ramp=5e3, noise=300.0),
    "late PCS": Rig(pcs_delay=2.0, noise=300.0),
    "read seldom": Rig(meter_poll=5.0, pcs_poll=2.0, noise=300.0),
    "half": Rig(gain=0.5, noise=300.0),
}


@pytest.mark.search
@pytest.mark.parametrize(("rig", "load", "limit"), some(RIGS, LOADS, ("export", "import"), one_in=20))
def test_a_right_meter_in_a_closed_loop_is_never_suspected(rig: str, load: str, limit: str) -> None:
    assert watch(RIGS[rig], LOADS[load], 240.0, NO_EXPORT if limit == "export" else LOW_IMPORT) == {}


@pytest.mark.search
@pytest.mark.parametrize(
    ("period", "late", "mean"),
    some([1.4, 2.8, 4.0, 8.0, 10.0, 16.0], [0.0, 0.25, 0.5, 1.0], [0.0, 1.0, 5.0], one_in=9),
)
def test_a_slow_one_beside_steps_by_the_clock_is_never_suspected(period: float, late: float, mean: float) -> None:
    """Half a period late it looks like a wrong sign, a whole one like none."""
    rig = Rig(meter_delay=late * period, meter_mean=mean, noise=300.0, dead_time=0.1)
    for load in (STILL, walk(1)):
        assert watch(rig, load, 180.0, told=clock(period)) == {}


SEEN = [(period, delay) for period in (8.0, 10.0, 16.0, 30.0) for delay in (0.0, 0.5, 2.0) if delay <= period / 2 - 3.5]
"""Each step has been shown, and the meter was quiet, before the next one comes."""


BESIDE = {"constant": STILL, "wanders": walk(1, 1e3), "ramps": pulses(60.0, 2e3)}


@pytest.mark.search
@pytest.mark.parametrize(("seen", "beside"), some(SEEN, BESIDE, one_in=4))
def test_a_wrong_one_is_found_beside_steps_by_the_clock(seen: tuple[float, float], beside: str) -> None:
    (period, delay), load = seen, BESIDE[beside]
    rig = Rig(meter_delay=delay, noise=300.0, dead_time=0.1, shows="round")
    found = watch(rig, load, 240.0, told=clock(period))
    assert [*found] == [ROUND]
    assert found[ROUND] <= 5.0 + (FEWEST + 5) * period / 2 + 6.0


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_one_that_measures_somewhere_else_is_found(delay: float) -> None:
    found = watch(Rig(meter_delay=delay, noise=300.0, shows="elsewhere"), STILL, 300.0, told=clock(30.0))
    assert [*found] == [ELSEWHERE]
    assert found[ELSEWHERE] <= 5.0 + (ENOUGH + 6) * 15.0


rigs = st.builds(
    Rig,
    meter_delay=st.floats(0, 6),
    meter_mean=st.sampled_from([0.0, 0.0, 1.0, 5.0]),
    meter_poll=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    pcs_delay=st.sampled_from([0.0, 0.0, 1.0]),
    pcs_poll=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    dead_time=st.floats(0.05, 3),
    ramp=st.sampled_from([math.inf, math.inf, 50e3, 5e3]),
    our_ramp=st.sampled_from([math.inf, 50e3, 20e3]),
    noise=st.sampled_from([0.0, 300.0]),
    jitter=st.sampled_from([0.0, 0.02, 0.2]),
)


@settings(max_examples=1000 if FULL else 25)
@given(rigs, st.lists(st.floats(-RATED, RATED), min_size=2, max_size=12), st.floats(1, 12), st.integers(0, 1000))
def test_no_right_meter_is_suspected_whatever_a_plan_wants(
    rig: Rig, powers: list[float], each: float, seed: int
) -> None:
    def told(now: float) -> float:
        return powers[int(now / each) % len(powers)]

    assert watch(rig, walk(seed % 50, 1e3), 150.0, told=told, seed=seed) == {}


def test_one_that_is_turned_round_in_service_is_found() -> None:
    """After thirty steps that it has shown as it should."""
    check = MeterPolarity(RATED, shows=0.5)
    for number in range(30 * 20 + 200):
        at, step = number / 2, number // 20
        if number % 20 == 0:
            check.told(30e3 * (step % 2))
        power = 30e3 * (step % 2)
        check.battery(at, power)
        check.meter(at + 0.1, 50e3 - power if step < 30 else power - 50e3)
        assert step >= 30 or check.suspicion == ""
        if check.suspicion:
            break
    assert check.suspicion.startswith(ROUND)
    assert step <= 30 + 2 * FEWEST


def test_a_battery_that_rests_or_creeps_proves_nothing() -> None:
    for told in (lambda _: 0.0, lambda now: 200.0 * now):
        site = Watched(RATED)
        run(Rig(noise=300.0, shows="round"), walk(1), 120.0, None, told=told, site=site)
        assert len(site.polarity.steps) == 0


def test_a_person_who_looked_begins_anew() -> None:
    site = Watched(RATED)
    run(Rig(shows="round"), STILL, 80.0, None, told=clock(10.0), site=site)
    assert site.polarity.suspicion
    site.polarity.forget()
    assert site.polarity.suspicion == ""
