"""The reactive power of a rule: tables, the S-circle, and the loop over the meter with its delays."""

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.reactive import GridSeen, Inverter, factor_of, filtered, of_factor, reactive
from schemas.site_reactive import Reactive

S, NOTHING = 100e3, GridSeen()
EEG = [[0.5, 1.0], [1.0, -0.95]]
QU = [[0.94, 0.33], [0.97, 0.0], [1.03, 0.0], [1.06, -0.33]]


def one(power: float, last: float = 0.0, name: str = "a", apparent: float = 110e3) -> Inverter:
    return Inverter(name, power, S, apparent, last)


def told(rule: Reactive, power: float, seen: GridSeen = NOTHING, last: float = 0.0) -> float:
    return reactive(rule, [one(power, last)], seen)["a"]


@pytest.mark.parametrize(
    ("rule", "power", "seen", "var"),
    [
        (Reactive(q=20e3), 50e3, GridSeen(), 20e3),
        (Reactive(q=-20e3), -50e3, GridSeen(), -20e3),
        (Reactive(q=90e3), 100e3, GridSeen(), math.sqrt(110e3**2 - 100e3**2)),  # active power first
        (Reactive(power_factor=0.95), 50e3, GridSeen(), 50e3 * math.tan(math.acos(0.95))),
        (Reactive(power_factor=-0.95), -50e3, GridSeen(), -50e3 * math.tan(math.acos(0.95))),
        (Reactive(power_factor=1.0), 50e3, GridSeen(), 0.0),
        (Reactive(power_factor_at_power=EEG), 40e3, GridSeen(), 0.0),
        (Reactive(power_factor_at_power=EEG), 75e3, GridSeen(), -75e3 * math.tan(math.acos(0.975))),
        (Reactive(power_factor_at_power=EEG), 100e3, GridSeen(), -100e3 * math.tan(math.acos(0.95))),
        (Reactive(power_factor_at_power=EEG), -100e3, GridSeen(), 0.0),  # by what is fed in
        (Reactive(q_at_voltage=QU, nominal_voltage=400), 0.0, GridSeen(voltage=400.0), 0.0),
        (Reactive(q_at_voltage=QU, nominal_voltage=400), 0.0, GridSeen(voltage=370.0), 0.33 * 110e3),
        (Reactive(q_at_voltage=QU, nominal_voltage=400), 0.0, GridSeen(voltage=418.0), -0.165 * 110e3),
        (Reactive(q_at_voltage=QU, nominal_voltage=400), 0.0, GridSeen(voltage=440.0), -0.33 * 110e3),
    ],
)
def test_a_rule_is_followed(rule: Reactive, power: float, seen: GridSeen, var: float) -> None:
    assert told(rule, power, seen) == pytest.approx(var, abs=1.0)


@pytest.mark.parametrize(
    "rule", [Reactive(q_at_voltage=QU, nominal_voltage=400), Reactive(meter_power_factor=0.95)], ids=["Q(U)", "meter"]
)
def test_without_the_meter_it_stays_where_it_is_inside_the_circle(rule: Reactive) -> None:
    assert told(rule, 0.0, last=20e3) == 20e3
    assert told(rule, 109e3, last=20e3) == pytest.approx(math.sqrt(110e3**2 - 109e3**2), abs=1)


RULES = [
    Reactive(q=1e6),
    Reactive(power_factor=-0.8),
    Reactive(power_factor_at_power=EEG),
    Reactive(q_at_voltage=QU, nominal_voltage=400),
    Reactive(meter_power_factor=0.99),
]
SEEN = st.builds(GridSeen, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1000))


@given(
    rule=st.sampled_from(RULES),
    powers=st.lists(st.floats(-120e3, 120e3), min_size=1, max_size=4),
    lasts=st.lists(st.floats(-120e3, 120e3), min_size=4, max_size=4),
    seen=SEEN,
)
def test_it_never_leaves_the_circle(rule: Reactive, powers: list[float], lasts: list[float], seen: GridSeen) -> None:
    each = [one(power, last, str(n)) for n, (power, last) in enumerate(zip(powers, lasts, strict=False))]
    found = reactive(rule, each, seen)
    for inverter in each:
        assert math.hypot(found[inverter.name], min(abs(inverter.power), inverter.apparent)) <= inverter.apparent + 1
    assert found == reactive(rule, each, seen)


@pytest.mark.parametrize("late", [0, 1, 3, 10], ids=lambda steps: f"{2 * steps} s late")
@pytest.mark.parametrize("load", [60e3, -60e3, 10e3], ids=["draws", "feeds", "is inside"])
def test_the_loop_over_the_meter_comes_to_rest_inside_of_the_band(late: int, load: float) -> None:
    """200 kW are drawn, 0.97 is allowed: 50.1 kvar."""
    rule, given_ = Reactive(meter_power_factor=0.97), {"a": 0.0, "b": 0.0}
    seen, track = deque([load] * (late + 1)), []
    band = of_factor(0.97, 200e3)
    for _ in range(300):
        each = [one(30e3, given_["a"], "a"), one(10e3, given_["b"], "b")]
        given_ = reactive(rule, each, GridSeen(200e3, seen[0], None))
        track.append(load - sum(given_.values()))
        seen.append(track[-1])
        seen.popleft()
    assert abs(track[-1]) <= band
    assert max(track[-50:]) - min(track[-50:]) < 200.0  # it stands
    over = [value for value in track[120:] if abs(value) > band]
    assert not over


def pv(power: float, last: float = 0.0, stuck: float | None = None) -> Inverter:
    """It takes a power factor only."""
    return Inverter("pv", power, S, 110e3, last, by_factor=True, stuck=stuck)


SHARED: dict[str, tuple[float, list[Inverter], dict[str, float]]] = {
    "by the room of each": (30e3, [one(0.0), one(0.0, name="b", apparent=55e3)], {"a": 20e3, "b": 10e3}),
    "no power factor below 0.8": (300e3, [one(0.0), pv(40e3)], {"a": 110e3, "pv": 30e3}),
    "a power factor without power gives none": (30e3, [one(0.0), pv(0.0)], {"a": 30e3, "pv": 0.0}),
    "a power factor near to its part stays": (50e3, [one(0.0), pv(80e3, 20e3)], {"a": 30e3, "pv": 20e3}),
    "nobody draws what another one feeds in": (1e3, [one(0.0), pv(80e3, 5e3)], {"a": 0.65e3, "pv": 0.35e3}),
    "what one leaves the others give": (30e3, [one(0.0), pv(80e3, 10e3, stuck=0.0)], {"a": 30e3}),
    "what one gives unasked the others take back": (10e3, [one(0.0), pv(80e3, stuck=40e3)], {"a": -30e3}),
}


@pytest.mark.parametrize("what", SHARED)
def test_a_reactive_power_is_shared(what: str) -> None:
    q, inverters, wanted = SHARED[what]
    found = reactive(Reactive(q=q), inverters, NOTHING)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=100)


@given(st.floats(-80e3, 80e3), st.floats(-100e3, 100e3))
def test_a_power_factor_gives_what_is_wanted_in_its_direction(q: float, power: float) -> None:
    factor, most = factor_of(q, power), abs(of_factor(0.8, power))
    assert 0.8 <= abs(factor) <= 1.0
    assert of_factor(factor, power) == pytest.approx(max(-most, min(most, q)) if power else 0.0, rel=1e-3, abs=1)


@pytest.mark.parametrize("hundredths", [False, True], ids=["fine", "0.01"])
def test_power_factors_alone_come_to_rest_inside_of_the_band(hundredths: bool) -> None:
    """40 kvar are drawn beside 90 kW of PV; 0.97 of 70 kW allows 17.5."""
    told, drawn, track = 0.0, 40e3, []
    for _ in range(200):
        told = reactive(Reactive(meter_power_factor=0.97), [pv(90e3, told)], GridSeen(70e3, drawn))["pv"]
        factor = factor_of(told, 90e3)
        drawn = 40e3 - of_factor(round(factor, 2) if hundredths else factor, 90e3)
        track.append(drawn)
    assert abs(drawn) <= of_factor(0.97, 70e3)
    assert max(track[-60:]) - min(track[-60:]) < 200.0, "it stands"


def test_what_is_not_needed_any_more_is_taken_back() -> None:
    rule, given_ = Reactive(meter_power_factor=0.9), {"a": 40e3}
    for _ in range(120):  # 4 minutes
        given_ = reactive(rule, [one(0.0, given_["a"])], GridSeen(200e3, 10e3 - given_["a"], None))
    assert abs(given_["a"]) < 100


def test_a_voltage_is_followed_in_ten_seconds_to_95_percent() -> None:
    volts = filtered(None, 400.0)
    for _ in range(5):
        volts = filtered(volts, 420.0)
    assert 418.8 <= volts <= 419.5


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "give exactly one of"),
        ({"q": 1.0, "power_factor": 0.9}, "given: q, power_factor"),
        ({"q_at_voltage": QU}, "`nominal_voltage`"),
        ({"q": 0.0, "nominal_voltage": 400}, "`nominal_voltage`"),
        ({"power_factor": 0.5}, "below 0.8"),
        ({"power_factor_at_power": [[1.0, 1.0], [0.5, -0.95]]}, "must rise"),
        ({"power_factor_at_power": [[0.5, 1.0], [1.0, 0.1]]}, "from 0.8 to 1"),
        ({"q_at_voltage": [[0.9, 2.0], [1.1, 0.0]], "nominal_voltage": 400}, "from -1 to 1"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(written: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reactive.model_validate(written)
