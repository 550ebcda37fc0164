"""Physics before repetition: what a counter may gain is what can have gone through its device."""

import json
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.telemetry.counted import COUNTED, PHASES, counts, is_counter, power_of
from bridges.telemetry.counter_memory import CounterMemory
from bridges.telemetry.energy_counter import DAY, HEADROOM, HOUR, RESERVE, SEEN, STRAY, EnergyCounter
from runtime.memory import Memory
from schemas.profiles import load_profile
from schemas.register import Point
from schemas.units import Kind

RATED = 20_000.0
LIFE = 87_300_000.0


def counter(power: float | None = RATED, poll: float = 5.0, sign: int = 1, **point: Any) -> EnergyCounter:
    shape = {"register": 0, "type": "u32", "scale": 10, "unit": "Wh"} | point
    return EnergyCounter(Point.model_validate(shape), power, poll, sign)


def told(one: EnergyCounter, readings: Iterable[tuple[float | None, float]], start: float = 0.0) -> list[bool]:
    """Power and counter, poll by poll; which of them were believed."""
    said = []
    for turn, (power, value) in enumerate(readings):
        now = start + turn * one.poll
        one.passes(power, now)
        said.append(one.believes(value, now))
    return said


def honest(power: float, begin: float, turns: int, poll: float = 5.0) -> Iterator[tuple[float, float]]:
    """A constant power, in steps of 10 Wh."""
    for turn in range(turns):
        yield power, begin + power * turn * poll / 3600 // 10 * 10


NIGHT = int(8 * HOUR / 5)


def test_a_jump_after_a_quiet_night_is_doubted_although_the_rating_allows_it() -> None:
    one = counter()
    night = told(one, [(0.0, LIFE)] * NIGHT)
    assert all(night)
    assert told(one, [(0.0, LIFE + 80_000)] * 9, NIGHT * 5.0) == [False] * 9, "8 h of 20 kW would be 160 kWh"
    assert told(one, [(0.0, LIFE)], NIGHT * 5.0 + 45) == [True]


def test_one_that_counts_once_in_a_quarter_of_an_hour_is_believed() -> None:
    """The inverter gives 15 kW all the time; its counter moves each 15 min."""
    one = counter()
    readings = [(15_000.0, LIFE + turn // 180 * 3750.0) for turn in range(1800)]
    assert all(told(one, readings))


def test_a_scale_of_the_device_that_nobody_knows_before_is_no_jump() -> None:
    """SunSpec: the counter moves in steps of 1 kWh by its scale register, at 400 W."""
    one = counter(scale=1, scale_register=5)
    assert all(told(one, [(400.0, 5e6 + 400 * turn * 5 / 3600 // 1000 * 1000) for turn in range(20_000)]))


@pytest.mark.parametrize("power", [None, 15_000.0], ids=["by its rating", "by its power"])
def test_another_meter_is_believed_after_an_hour_of_counting_and_told(power: float | None) -> None:
    one = counter()
    assert all(told(one, honest(15_000, LIFE, 100)))
    said = told(one, [(power, value) for _, value in honest(15_000, 0, 1500)], 500.0)
    first = said.index(True)
    assert HOUR <= first * 5.0 <= HOUR + 60
    assert all(said[first:])
    words = one.words(500.0 + first * 5)
    assert "instead of 873" in words
    assert "another meter" in words
    assert not one.words(501.0 + first * 5 + HOUR)


def test_one_that_counts_less_than_its_power_says_is_not_believed() -> None:
    """It says 0 and then the energy of a tenth of its power: another device's counter, or the wrong words."""
    one = counter()
    told(one, honest(15_000, LIFE, 100))
    assert not any(told(one, [(15_000.0, value) for _, value in honest(1500, 0, int(2 * DAY / 5))], 500.0))
    assert told(one, [(15_000.0, LIFE + 15_000 * 48)], 500.0 + 2 * DAY) == [True], "it was never away"


def test_one_that_stands_at_another_place_is_believed_after_a_day_without_power() -> None:
    """The export of a site that never exports, after its meter was replaced; not that of one which does."""
    for power, believed in ((0.0, True), (5000.0, False)):
        one = counter(poll=60.0)
        told(one, [(power, 12_000.0)] * 3)
        said = told(one, [(power, 0.0)] * 1500, 180.0)
        assert said == [believed and turn * 60.0 >= DAY for turn in range(1500)]


def test_across_a_silence_the_rating_bounds_it() -> None:
    for gained, good in ((8 * 2 * RATED, True), (8 * 2 * RATED + 1000, False)):
        one = counter()
        told(one, [(0.0, LIFE)] * 3)
        assert told(one, [(0.0, LIFE + gained)], 10.0 + 8 * HOUR) == [good], "its power at both ends tells nothing"


def test_across_a_restart_it_goes_on_from_what_was_believed() -> None:
    one = counter()
    one.recall(LIFE, 0.0, 600.0)
    dawn = [(300.0, 0.0)] * 48 + [(300.0, LIFE + 20.0)] * 3
    assert told(one, dawn) == [False] * 48 + [True] * 3


@pytest.mark.parametrize(
    ("shape", "before", "after"),
    [
        ({"type": "u16"}, 65_535 * 10.0, 0.0),
        ({"type": "u32"}, (2**32 - 1) * 10.0, 10.0),
        ({"type": "u32", "scale": 1, "scale_register": 3}, (2**32 - 1) * 100.0, 0.0),
        ({"type": "u32"}, 9_999_990.0, 0.0),
    ],
)
def test_a_wrap_is_no_fault(shape: dict[str, Any], before: float, after: float) -> None:
    assert told(counter(**shape), [(10_000.0, before), (10_000.0, before), (10_000.0, after)]) == [True] * 3
    assert told(counter(**shape), [(10_000.0, before - 1e5), (10_000.0, after)]) == [True, False], "not near its end"


FAULTS = ("zero", "ahead", "tenfold", "half", "back", "swapped")


def wrong(fault: str, value: float, size: float) -> float:
    match fault:
        case "zero":
            return 0.0
        case "ahead":
            return value + size
        case "tenfold":
            return value * 10
        case "half":
            return value / 2
        case "back":
            return value - 10
        case _:
            raw = int(value / 10)
            return ((raw & 0xFFFF) << 16 | raw >> 16) * 10.0


@settings(max_examples=40)
@given(
    profile=st.lists(st.tuples(st.floats(0, RATED), st.integers(1, 100)), min_size=1, max_size=8),
    faults=st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 600), st.integers(1, 600)), max_size=4),
    size=st.floats(1000, 2e6),
    unread=st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    seed=st.integers(0, 99),
)
def test_what_is_counted_is_never_more_than_what_has_passed(
    profile: list[tuple[float, int]], faults: list[tuple[str, int, int]], size: float, unread: float, seed: int
) -> None:
    """Any course of the power, any faults of up to 50 minutes at any time, now and then no power read at all."""
    chance, one, energy, last = random.Random(seed), counter(), 0.0, 0.0
    good: list[float] = []
    passed, blind = 0.0, False
    powers = [power for power, turns in profile for _ in range(turns)]
    for turn, power in enumerate([*powers, *[0.0] * 300]):
        read = chance.random() >= unread
        seen = SEEN * max(power, last) + STRAY * RATED if read and not blind else HEADROOM * RATED
        energy, last, blind = energy + power * 5 / 3600, power, not read
        passed += seen * 5 / 3600
        value = (LIFE + energy) // 10 * 10
        for fault, begins, lasts in faults:
            value = wrong(fault, value, size) if begins <= turn < begins + lasts else value
        one.passes(power if read else None, turn * 5.0)
        if one.believes(value, turn * 5.0):
            good.append(value)
    up = sum(after - before for before, after in pairwise(good))
    assert up <= passed + RATED * RESERVE / 3600 + 20
    assert all(after >= before for before, after in pairwise(good))


@given(st.lists(st.floats(0, 3 * RATED), min_size=1, max_size=300), st.floats(0, 4e10), st.sampled_from([1.0, 5.0]))
def test_no_honest_counter_is_ever_doubted_by_its_own_power(powers: list[float], begin: float, poll: float) -> None:
    """Any course of powers, also beyond the rating, each lasting for a poll before it is read."""
    one, energy = counter(poll=poll), begin
    for turn, power in enumerate(powers):
        energy += power * poll / 3600 if turn else 0.0
        one.passes(power, turn * poll)
        assert one.believes(energy // 10 % 2**32 * 10, turn * poll)


def test_every_counter_of_a_shipped_profile_has_its_power_or_its_rating() -> None:
    found = {
        f"{name}.{point}": counts(profile, point).powers
        for name in (
            "sunspec_pv",
            "sunspec_meter_203",
            "eastron_sdm630",
            "goodwe_et",
            "huawei_sun2000_luna",
            "sungrow_sh",
        )
        for profile in [load_profile(name)]
        for point, one in profile.points.items()
        if is_counter(point, one.unit)
    }
    assert found["sunspec_pv.e_inj_total"] == (("p",),)
    assert found["sunspec_meter_203.e_import"] == (PHASES, ("p",)), "a meter may count its phases apart"
    assert found["goodwe_et.e_pv_total"] == (("pv_p_1", "pv_p_2"),)
    assert found["goodwe_et.e_load"] == (), "by its rating"
    assert COUNTED.keys() == set(Kind), "every kind has a row"


def kept(path: Path, one: EnergyCounter, profile: str = "sunspec_pv") -> CounterMemory:
    return CounterMemory(Memory(path), {"pv": {"e_inj_total": one}}, {"pv": profile})


@pytest.mark.parametrize(
    ("later", "gained", "good"),
    [
        (600.0, 2 * RATED / 6, True),
        (600.0, 2 * RATED / 6 + 1000, False),
        (-3600.0, 2 * RATED * 24, True),  # the clock was set back: a day may have passed
        (-3600.0, 2 * RATED * 24 + 1000, False),
    ],
)
def test_what_is_kept_on_disk_has_its_age(tmp_path: Path, later: float, gained: float, good: bool) -> None:
    before, after, path = counter(), counter(), tmp_path / "counters.json"
    told(before, [(0.0, LIFE)] * 3)
    memory = kept(path, before)
    memory.keep(1e9)
    memory.keep(1e9 + 500)  # its device was silent meanwhile: it is no younger
    kept(path, after).recall(1e9 + later)
    assert told(after, [(0.0, LIFE + gained)]) == [good]


@pytest.mark.parametrize(
    "file", ["", "[]", '{"pv": 3}', '{"pv": {"profile": "sunspec_pv", "e_inj_total": [1, "a", 3]}}']
)
def test_what_cannot_be_read_is_not_recalled(tmp_path: Path, file: str) -> None:
    one, path = counter(), tmp_path / "counters.json"
    path.write_text(file)
    kept(path, one).recall(1e9)
    assert one.value is None


def test_another_profile_is_another_device(tmp_path: Path) -> None:
    one, path = counter(), tmp_path / "counters.json"
    told(one, [(0.0, LIFE)])
    kept(path, one).keep(1e9)
    assert json.loads(path.read_text())["pv"]["e_inj_total"][0] == LIFE
    other = counter()
    kept(path, other, "sunspec_pv_701").recall(1e9)
    assert other.value is None


@pytest.mark.parametrize(
    ("values", "doubted", "power"),
    [
        ({"p": 0.0, "p_l1": 5000.0, "p_l2": -5000.0, "p_l3": 0.0}, set(), 10_000.0),
        ({"p": -7000.0, "p_l1": -7000.0}, set(), -7000.0),  # a meter of one phase
        ({"p": -7000.0}, {"p"}, None),
        ({"p": "n/a"}, set(), None),
    ],
)
def test_the_power_of_a_meter(values: dict[str, Any], doubted: set[str], power: float | None) -> None:
    assert power_of(counts(load_profile("sunspec_meter_203"), "e_import"), values, doubted) == power


def test_an_inverter_that_sleeps_gives_nothing_although_it_does_not_say_so() -> None:
    counted = counts(load_profile("sunspec_pv"), "e_inj_total")
    assert power_of(counted, {"state": "sleeping"}, ()) == 0.0
    assert power_of(counted, {"state": "running"}, ()) is None
