"""A BMS that stands still while current flows is not believed; an honest one is never doubted, at rest least of all."""

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.telemetry.quality import Judge
from bridges.telemetry.standstill import FROZEN, NOT_MEASURED, READINGS, flows
from schemas.messages import Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.units import Kind, Quality
from simulator.battery import Battery
from simulator.sunspec import SCALES

POWER, ENERGY = 100_000.0, 200_000.0
BATTERIES = [
    name for name in sorted(one.stem for one in PROFILES.glob("*.toml")) if load_profile(name).kind is Kind.BMS
]


@dataclass
class Told:
    """A BMS, reading by reading."""

    judge: Judge
    values: dict[str, Value]
    now: float = 0.0

    def reads(self, seconds: float, *, current: bool = False, **moved: float) -> float | None:
        """It is read for so long; gives when it was found frozen first, counted from now."""
        self.values |= moved
        began, turn = self.now, 0
        while self.now < began + seconds:
            turn += 1
            raw = {"registers": [1, turn % 7]}  # something else moves: a clock, a heartbeat
            if "soc" in self.judge.judge(self.values, raw, self.now, current=current):
                return self.now - began
            self.now += self.judge.poll
        return None


def bms(profile: Profile, poll: float = 1.0, power: float | None = POWER) -> Told:
    values: dict[str, Value] = {name: 3.3 if "cell_u" in name else 50.0 for name in profile.points}
    values |= {"u": 780.0, "i": 0.0, "ccl": 100.0, "dcl": 100.0}
    values |= {name: "closed" for name, point in profile.points.items() if point.enum or point.first}
    values.pop("hb_device", None)  # its pulse is another story
    return Told(Judge(profile, power, ENERGY, poll), values)


def test_the_shipped_batteries_are_these() -> None:
    assert len(BATTERIES) == 7
    for name in BATTERIES:
        points = load_profile(name).points
        assert {"u", "i", "soc", "ccl", "dcl"} <= points.keys()
        assert all(name in points or name in ("ccl", "dcl", "u_charge_max", "u_discharge_min") for name in NOT_MEASURED)


@pytest.mark.parametrize("name", BATTERIES)
def test_it_is_frozen_when_current_flows_and_nothing_that_it_measures_moves(name: str) -> None:
    one = bms(load_profile(name))
    after = one.reads(120, current=True)
    assert after is not None
    assert 30 <= FROZEN <= after <= 60
    quality = one.judge.judge(one.values, {"registers": [1]}, one.now, current=True)
    analog = {name for name, point in load_profile(name).points.items() if point.unit}
    assert set(quality.values()) == {Quality.FROZEN}
    assert quality.keys() >= analog
    assert {"u", "soc", "ccl", "dcl"} <= analog, "limits of 0 follow from these"
    assert "contactor" not in quality, "a state may well stand still"


@pytest.mark.parametrize("name", BATTERIES)
def test_at_rest_nothing_is_frozen(name: str) -> None:
    assert bms(load_profile(name)).reads(7200) is None


def test_its_own_current_counts_as_well() -> None:
    profile = load_profile("byd_c130")
    assert bms(profile).reads(120, i=60.0) == FROZEN
    assert bms(profile).reads(7200, i=0.3) is None, "the offset of a sensor is no current"
    assert bms(profile, power=None).reads(7200, i=60.0) is None, "without a rating only the outside tells"
    assert bms(profile, power=None).reads(120, i=60.0, current=True) == FROZEN


MOVES = [("u", 780.1), ("i", 0.1), ("cell_u_min", 3.301), ("cell_t_max", 50.1)]
NO_MOVES = [("soc", 51.0), ("ccl", 99.0), ("dcl", 99.0), ("soh", 49.0), ("cell_u_max_id", 7.0)]


@pytest.mark.parametrize(("point", "value"), [*MOVES, *NO_MOVES], ids=[row[0] for row in [*MOVES, *NO_MOVES]])
def test_what_is_a_sign_of_life(point: str, value: float) -> None:
    one = bms(load_profile("byd_c130"))
    assert one.reads(FROZEN - 5, current=True) is None
    after = one.reads(FROZEN, current=True, **{point: value})
    assert (after is None) == ((point, value) in MOVES)


def test_the_time_begins_with_the_current() -> None:
    one = bms(load_profile("soltaro_single_rack_vc"))
    assert one.reads(3600) is None
    after = one.reads(120, current=True)
    assert after == FROZEN


def test_current_that_comes_and_goes_is_added_up() -> None:
    one = bms(load_profile("soltaro_single_rack_vc"))
    turns = [one.reads(10, current=turn % 2 == 0) for turn in range(12)]
    first = next(turn for turn, after in enumerate(turns) if after is not None)
    assert first == 8, "five times 9 s, whatever was between them"


def test_what_was_found_frozen_stays_so_at_rest_until_it_moves() -> None:
    one = bms(load_profile("pylontech_powercube_m2"))
    assert one.reads(120, current=True) == FROZEN
    assert one.reads(1) == 0.0, "the limits of 0 have stopped the current"
    one.now += 3600
    assert one.reads(1) == 0.0
    assert one.reads(600, current=True, u=780.3, i=0.0) == FROZEN, "it moved once and stands still again"
    assert one.reads(5, u=781.0) is None


def test_a_silence_is_no_standstill() -> None:
    one = bms(load_profile("byd_c130"))
    assert one.reads(20, current=True) is None
    one.now += 600
    after = one.reads(60, current=True)
    assert after is not None
    assert after > 10


@pytest.mark.parametrize("poll", [0.5, 1.0, 2.0, 6.0, 20.0])
def test_a_slow_poll_needs_more_time(poll: float) -> None:
    after = bms(load_profile("byd_c130"), poll).reads(3600, current=True)
    assert after == pytest.approx(max(FROZEN, READINGS * poll), abs=poll)


@pytest.mark.parametrize(("given", "after"), [(0.0, None), (20.0, 20.0), (300.0, 300.0)])
def test_a_profile_may_say_otherwise(given: float, after: float | None) -> None:
    profile = load_profile("byd_c130").model_copy(update={"frozen_after": given})
    assert bms(profile).reads(3600, current=True) == after


def test_only_a_bms_is_judged_so() -> None:
    pcs = load_profile("sinexcel_pws2")
    one = Judge(pcs, POWER)
    values: dict[str, Value] = {"p": 50_000.0, "soc": 50.0}
    assert all(one.judge(values, {"registers": [1]}, float(now), current=True) == {} for now in range(600))


@pytest.mark.parametrize(
    ("power", "is_current"), [(None, False), (0.0, False), (2000.0, False), (2001.0, True), (-50_000.0, True)]
)
def test_what_counts_as_current(power: float | None, is_current: bool) -> None:
    assert flows(power, POWER) is is_current


NOISE = 0.0005
"""Of the rated current: a tenth of what a class 0.5 sensor may have."""


def step(profile: Profile, name: str) -> float:
    """Of the register; where it scales itself, as the simulated device does."""
    point = profile.points[name]
    if point.scale_register is None:
        return abs(point.scale)
    return (
        10.0
        ** SCALES[
            {"V": "CellV_SF" if name.startswith("cell") else "V_SF", "A": "A_SF", "degC": "ModTmp_SF"}[point.unit]
        ]
    )


@given(
    name=st.sampled_from(BATTERIES),
    power=st.floats(0.025, 1.0).flatmap(lambda share: st.sampled_from([-share * POWER, share * POWER])),
    soc=st.floats(25.0, 75.0),
    poll=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
    seed=st.integers(0, 2**32),
)
def test_no_honest_battery_is_ever_doubted(*, name: str, power: float, soc: float, poll: float, seed: int) -> None:
    """Constant power at the terminals, in the steps of its registers, with noise in its current alone."""
    profile, battery = load_profile(name), Battery(ENERGY, POWER, ENERGY * soc / 100)
    one, chance = Judge(profile, POWER, ENERGY, poll), random.Random(seed)
    steps = {
        point: step(profile, point) for point in profile.points if profile.points[point].unit in ("V", "A", "degC")
    }
    for turn in range(int(900 / poll)):
        battery.step(power, poll)
        low, high = battery.cell_volts
        cold, hot = battery.cell_degrees
        shown = {
            "u": battery.voltage,
            "i": battery.current + NOISE * battery.rated_current * chance.gauss(0, 1),
            "cell_u_min": low,
            "cell_u_max": high,
            "cell_t_min": cold,
            "cell_t_max": hot,
        }
        values: dict[str, Value] = {
            point: round(value / steps[point]) * steps[point] for point, value in shown.items() if point in steps
        }
        values["soc"] = round(battery.soc, 1)
        assert one.judge(values, {"registers": [1]}, turn * poll, current=True) == {}


def test_without_any_noise_an_honest_battery_cannot_be_told_from_a_frozen_one() -> None:
    """Why the noise is part of the story: in the plateau no register moves for minutes."""
    battery, seen = Battery(ENERGY, POWER, ENERGY / 2), []
    for _ in range(600):
        battery.step(10_000.0, 1.0)
        seen.append((round(battery.voltage, 1), round(battery.current, 1)))
    moves = [now for now, (before, after) in enumerate(pairwise(seen)) if before != after]
    assert max(after - before for before, after in pairwise([0, *moves, 600])) > 2 * FROZEN
