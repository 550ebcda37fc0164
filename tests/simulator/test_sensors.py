"""Sensors are noisy by as much as real ones are, counters and setpoints are not, and the physics stays exact."""

import asyncio
from pathlib import Path
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site import Site
from schemas.units import Kind
from simulator.recent import KEPT, Recent
from simulator.sensors import NOISE, Sensors
from tests.simulator.rig import rig
from tests.virtual import virtual

NAMES = sorted(path.stem for path in Path(PROFILES).glob("*.toml"))
UNITS = ("W", "var", "VA", "V", "A", "Hz", "degC", "%")
EXACT = {
    *(
        "p_set",
        "p_set_least",
        "q_set",
        "p_set_pct",
        "q_set_pct",
        "p_limit_pct",
        "throttle_pct",
        "ccl",
        "dcl",
        "u_charge_max",
    ),
    *("u_discharge_min", "p_max_inj", "p_max_abs", "s_max", "p_rated", "soh"),
}
"""Settings, limits and promises."""


def sensors(profile: Profile, seed: str = "s") -> Sensors:
    return Sensors(profile, 100_000.0, dict, Random(seed))


@pytest.mark.parametrize("name", NAMES)
def test_every_analog_value_of_every_profile_is_noisy_and_nothing_else_is(name: str) -> None:
    profile = load_profile(name)
    sense = sensors(profile)
    for point, spec in profile.points.items():
        measured = (spec.unit in UNITS and point not in EXACT) or point == "pf"
        value = 0.5 if point == "pf" else 20.0
        noisy = {sense(point, value) for _ in range(5)} != {value}
        assert noisy == (measured and profile.kind in NOISE), point


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(data=st.data())
def test_noise_stays_small_and_within_what_is_plausible(name: str, data: st.DataObject) -> None:
    profile = load_profile(name)
    sense = sensors(profile, str(data.draw(st.integers())))
    points = [name for name, spec in profile.points.items() if spec.unit in NOISE.get(profile.kind, {})]
    for point in data.draw(st.lists(st.sampled_from(points), min_size=1)) if points else []:
        spec = profile.points[point]
        low, high = -500.0 if spec.low is None else spec.low, 500.0 if spec.high is None else spec.high
        value = data.draw(st.floats(low, high))
        shown = sense(point, value)
        assert isinstance(shown, float)
        assert low <= shown <= high or spec.low is None or spec.high is None
        assert shown == pytest.approx(value, rel=0.03, abs=0.03 * 100_000 if spec.unit in ("W", "var", "VA") else 2.5)


@virtual
async def test_a_noisy_site_is_right_on_average_and_each_read_is_another(site: Site) -> None:
    """50 kW: a PCS is good to 0.3 %, and the meter's noise is below that of the load."""
    async with rig(site, noisy=True) as it:
        await it.tell(p_set=50_000.0)
        powers, volts, currents = [], [], []
        for _ in range(400):
            await asyncio.sleep(0.1)
            powers.append(float(await it.look("pcs", "p")))
            volts.append(float(await it.look("bms", "u")))
            currents.append(float(await it.look("bms", "i")))
        assert fmean(powers) == pytest.approx(50_000, rel=0.001)
        assert 50 < stdev(powers) < 500
        assert 0.005 < stdev(volts) < 0.5
        assert 0.02 < stdev(currents) < 0.5
        assert len(set(powers)) > 20
        assert {await it.look("pcs", "p_set") for _ in range(20)} == {50_000}
        assert it.bess.pcs.p == pytest.approx(50_000), "the physics is exact"


@virtual
async def test_a_noisy_site_tells_the_same_story_each_time(site: Site) -> None:
    told = []
    for seed in (1, 1, 2):
        async with rig(site, noisy=True, seed=seed) as it:
            told.append([await it.look("pcs", "dc_u") for _ in range(20)])
    assert told[0] == told[1] != told[2]


@virtual
async def test_counters_of_a_noisy_site_never_run_backwards(site: Site) -> None:
    async with rig(site, noisy=True) as it:
        before = 0.0
        for _ in range(200):
            await asyncio.sleep(1)
            now = float(await it.look("meter", "e_import"))
            assert now >= before
            before = now


@virtual
async def test_without_noise_a_site_is_exact(site: Site) -> None:
    async with rig(site) as it:
        await it.tell(p_set=50_000.0)
        assert {await it.look("pcs", "p") for _ in range(50)} == {50_000}


def test_every_kind_that_can_be_simulated_has_noise() -> None:
    assert NOISE.keys() == {Kind.PCS, Kind.BMS, Kind.METER, Kind.PV}


# what flowed a while ago ------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.05, 2.0), st.floats(-1e5, 1e5)), min_size=30, max_size=60), st.floats(0.5, 10))
def test_a_mean_is_the_energy_of_its_time(steps: list[tuple[float, float]], over: float) -> None:
    recent, at = Recent(), 1_000.0
    seen: list[tuple[float, float, float]] = []
    for dt, power in steps:
        at += dt
        recent.step(at, dt, power, -power)
        seen.append((at, dt, power))
    found = recent.mean(0.0, over)
    assert found is not None
    kept, energy, time = 0.0, 0.0, 0.0
    for _, dt, power in reversed(seen):
        if kept and time >= over - 1e-9:
            break
        kept, energy, time = 1.0, energy + power * dt, time + dt
        assume(abs(time - over) > 1e-6)  # one step more or less: a float decides
    assert found[0] == pytest.approx(energy / time, abs=1e-3, rel=1e-6)
    assert found[1] == pytest.approx(-found[0], abs=1e-3)


def test_what_was_a_while_ago_comes_after_that_while() -> None:
    recent = Recent()
    for tenth in range(1000):
        recent.step(tenth / 10, 0.1, 1.0 if tenth < 500 else 2.0, 0.0)
        for ago in (0.5, 3.0):
            found = recent.mean(ago, 0.0)
            if found is not None and tenth >= 100:
                assert found[0] == pytest.approx(1.0 if tenth - 10 * ago < 500 else 2.0)
    assert recent.mean(0.0, 0.0) is None, "neither late nor a mean"
    assert len(recent._seen) <= 10 * KEPT + 2
