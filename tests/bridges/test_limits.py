"""The clamp never lets a power through that a stronger limit forbids, and names what moved it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.limits import Limit, Situation, clamp, limits

CALM = Situation(
    rated_power=100_000,
    apparent_power=110_000,
    reactive_power=0,
    voltage=700,
    charge_current=200,
    discharge_current=200,
    soc=50,
    soc_min=10,
    soc_max=90,
    grid=20_000,
    battery=0,
    import_limit=250_000,
    export_limit=100_000,
    last=0,
    ramp=1e9,
)


@pytest.mark.parametrize(
    ("change", "wanted", "allowed", "sources"),
    [
        ({}, 50_000, 50_000, []),
        ({}, 130_000, 100_000, ["pcs:apparent_power", "pcs:rated_power"]),
        ({"reactive_power": 88_000}, 80_000, 66_000, ["pcs:apparent_power"]),
        ({"discharge_current": 10}, 50_000, 6_650, ["bms:current"]),
        ({"charge_current": 10}, -50_000, -7_000, ["bms:current"]),
        ({"charge_current": -10}, -50_000, 0, ["bms:current"]),
        ({"voltage": None}, 50_000, 0, ["bms:missing"]),
        ({"soc": None}, 50_000, 0, ["bms:soc_missing"]),
        ({"soc": 10}, 50_000, 0, ["battery:soc"]),
        ({"soc": 90}, -50_000, 0, ["battery:soc"]),
        ({"soc": 90}, 50_000, 50_000, []),
        ({"grid": -90_000}, 50_000, 10_000, ["site:grid"]),
        ({"grid": 240_000}, -50_000, -10_000, ["site:grid"]),
        ({"grid": None}, 50_000, 0, ["meter:missing"]),
        ({"ramp": 20_000}, 50_000, 20_000, ["battery:ramp"]),
        ({"ramp": 20_000, "last": 90_000, "voltage": None}, 90_000, 0, ["bms:missing"]),
        ({"soc": 10, "grid": 300_000}, 0, 0, []),
    ],
    ids=[
        "within everything",
        "more than the PCS has",
        "reactive power takes its share",
        "BMS limits discharge",
        "BMS limits charge",
        "a negative CCL is none",
        "no BMS",
        "no SoC",
        "empty",
        "full",
        "full, discharging",
        "export limit",
        "import limit",
        "no meter",
        "ramp",
        "protection is faster than the ramp",
        "an empty battery does not discharge to save the import limit",
    ],
)
def test_the_clamp_says_who_decided(
    change: dict[str, float], wanted: float, allowed: float, sources: list[str]
) -> None:
    power, steps = clamp(wanted, limits(replace(CALM, **change)))
    assert power == pytest.approx(allowed)
    assert [source for source, _, _ in steps] == sources


ranges = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted)


@given(st.floats(-1e6, 1e6), st.lists(ranges, min_size=1, max_size=7))
def test_no_limit_is_broken_unless_a_stronger_one_forbids_it(wanted: float, given_ranges: list[list[float]]) -> None:
    chain = [Limit(str(n), low, high) for n, (low, high) in enumerate(given_ranges)]
    power, _ = clamp(wanted, chain)
    low, high = -1e9, 1e9
    for limit in chain:
        if limit.low > high or limit.high < low:
            break  # contradicts a stronger one, which it follows as far as that allows; nothing is left to choose
        low, high = max(low, limit.low), min(high, limit.high)
        assert limit.low <= power <= limit.high


@given(st.floats(-1e6, 1e6), st.lists(ranges, max_size=7))
def test_the_steps_lead_from_the_wish_to_the_power(wanted: float, given_ranges: list[list[float]]) -> None:
    power, steps = clamp(wanted, [Limit(str(n), low, high) for n, (low, high) in enumerate(given_ranges)])
    assert [before for _, before, _ in steps] == [wanted, *[after for _, _, after in steps]][: len(steps)]
    assert power == (steps[-1][2] if steps else wanted)
