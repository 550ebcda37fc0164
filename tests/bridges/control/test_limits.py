"""The clamp never lets a power through that a stronger limit forbids, and names what moved it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.limits import Limit, LimitInputs, clamp, limits, reactive, settle

CALM = LimitInputs(
    rated_power=100_000,
    apparent_power=110_000,
    reactive_power=0,
    runs=True,
    charge=140e3,
    discharge=140e3,
    soc=50,
    soc_min=10,
    soc_max=90,
    net_load=20_000,
    import_limit=250_000,
    export_limit=100_000,
    position=0,
    ramp=1e9,
)


@pytest.mark.parametrize(
    ("change", "wanted", "allowed", "sources"),
    [
        ({}, 50_000, 50_000, []),
        ({}, 130_000, 100_000, ["pcs:apparent_power", "pcs:rated_power"]),
        ({"sun": 70_000}, 50_000, 30_000, ["pcs:own_pv"]),
        ({"sun": 70_000}, -50_000, -50_000, []),
        ({"reactive_power": 88_000}, 80_000, 66_000, ["pcs:apparent_power"]),
        ({"discharge": 7e3}, 50_000, 6_650, ["bms:current"]),
        ({"charge": 7e3}, -50_000, -7_000, ["bms:current"]),
        ({"charge": -7e3}, -50_000, 0, ["bms:current"]),
        ({"charge": None}, 50_000, 0, ["bms:missing"]),
        ({"soc": None}, 50_000, 0, ["bms:soc_missing"]),
        ({"soc": 10}, 50_000, 0, ["battery:soc"]),
        ({"soc": 90}, -50_000, 0, ["battery:soc"]),
        ({"soc": 90}, 50_000, 50_000, []),
        ({"net_load": -90_000}, 50_000, 10_000, ["site:grid"]),
        ({"net_load": 240_000}, -50_000, -10_000, ["site:grid"]),
        ({"net_load": None}, 50_000, 0, ["meter:missing"]),
        ({"dso": 30_000}, 50_000, 30_000, ["dso:limit"]),
        ({"dso": 0}, -50_000, 0, ["dso:limit"]),
        ({"power_factor": 0.9}, 110_000, 99_000, ["pcs:apparent_power"]),
        (
            {"discharge": 91e3, "net_load": -20_000, "dso": 70_000, "ramp": 60_000},
            120_000,
            60_000,
            ["pcs:apparent_power", "pcs:rated_power", "bms:current", "site:grid", "dso:limit", "battery:ramp"],
        ),
        ({"ramp": 20_000}, 50_000, 20_000, ["battery:ramp"]),
        ({"ramp": 20_000, "position": 90_000, "charge": None}, 90_000, 0, ["bms:missing"]),
        ({"runs": False}, 50_000, 0, ["pcs:not_running"]),
        ({"runs": None}, 50_000, 0, ["pcs:state_unknown"]),
        ({"stopping": True, "position": 90_000, "ramp": 1000}, 90_000, 0, ["pcs:stopping"]),
        ({"interlocks": (Limit("interlock:fire", 0.0, 0.0),)}, -50_000, 0, ["interlock:fire"]),
        ({"dso": 30_000, "dso_name": "protection:limit"}, 50_000, 30_000, ["protection:limit"]),
        ({"soc": 10, "net_load": 300_000}, 0, 0, []),
    ],
    ids=[
        "within everything",
        "more than the PCS has",
        "the PV of a hybrid takes its share",
        "the PV of a hybrid leaves room to charge",
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
        "network operator",
        "network operator forbids",
        "a power factor takes its share",
        "each in its order",
        "ramp",
        "protection is faster than the ramp",
        "a stopped inverter is told 0: it would jump at its start",
        "an unknown state is no running one",
        "a stop is faster than the ramp",
        "an interlock",
        "a protection is named",
        "an empty battery does not discharge to save the import limit",
    ],
)
def test_the_clamp_says_who_decided(change: dict[str, Any], wanted: float, allowed: float, sources: list[str]) -> None:
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


some = st.floats(-2e5, 2e5)
maybe = st.none() | st.floats(0, 400)
situations = st.builds(
    LimitInputs,
    rated_power=st.just(100_000.0),
    apparent_power=st.floats(100_000, 120_000),
    reactive_power=st.floats(-120_000, 120_000),
    charge=maybe,
    discharge=maybe,
    soc=st.none() | st.floats(0, 100),
    soc_min=st.just(10.0),
    soc_max=st.just(90.0),
    runs=st.sampled_from([True, False, None]),
    net_load=st.none() | some,
    stopping=st.booleans(),
    import_limit=st.floats(0, 2e5),
    export_limit=st.floats(0, 2e5),
    position=some,
    ramp=st.floats(0, 1e5),
    dso=st.none() | st.floats(0, 1e5),
    power_factor=st.none() | st.floats(-1, 1),
)


@given(situations, some, st.sampled_from([0.0, 1.0, 10.0, 100.0]))
def test_whatever_happens_the_battery_is_protected(now: LimitInputs, wanted: float, step: float) -> None:
    chain = limits(now)
    power = settle(clamp(wanted, chain)[0], step, chain)
    assert abs(power) <= min(now.rated_power, now.apparent_power)
    if None in (now.charge, now.discharge, now.soc, now.net_load) or not now.runs:
        assert power == 0
        return
    assert -(now.charge or 0) <= power <= (now.discharge or 0)
    assert power <= 0 or (now.soc or 0) > now.soc_min
    assert power >= 0 or (now.soc or 0) < now.soc_max
    if now.power_factor is None:
        assert power**2 + now.reactive_power**2 <= now.apparent_power**2 + 1e-3 or power == 0


@given(some, st.sampled_from([1.0, 10.0, 100.0, 0.1]), st.lists(ranges, max_size=5))
def test_a_register_never_rounds_over_a_limit(wanted: float, step: float, given_ranges: list[list[float]]) -> None:
    chain = [Limit(str(n), low, high) for n, (low, high) in enumerate(given_ranges) if low <= 0 <= high]
    allowed, _ = clamp(wanted, chain)
    held = settle(allowed, step, chain)
    assert abs(held - allowed) <= step * 1.000001
    assert clamp(held, chain)[0] == pytest.approx(held, abs=1e-6)


@given(st.floats(-1, 1).filter(lambda one: abs(one) > 0.01), some)
def test_a_power_factor_gives_its_var(factor: float, power: float) -> None:
    q = reactive(factor, power, 1e6)
    assert abs(power) == pytest.approx(abs(factor) * (power**2 + q**2) ** 0.5, abs=1e-3, rel=1e-6)
    assert q * factor >= 0
