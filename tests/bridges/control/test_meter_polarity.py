"""A step of the battery must appear at the meter with the other sign, whatever the load does meanwhile."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.meter_polarity import MeterPolarity

RATED = 100_000.0


def watch(powers: list[float], factor: float, noise: float, seed: int = 0) -> MeterPolarity:
    """A battery at these powers for 2 s each; the meter shows `factor` times its power and a load that wanders."""
    check, load, chance = MeterPolarity(RATED, settle=0.7), 50_000.0, random.Random(seed)
    for turn, power in enumerate(powers):
        for quarter in range(8):
            load += chance.gauss(0, noise)
            check.see(2 * turn + quarter / 4, power, load + factor * power)
    return check


def swings(steps: int, size: float = 30_000.0) -> list[float]:
    return [size * (turn % 2) for turn in range(steps + 1)]


@pytest.mark.parametrize(
    ("steps", "factor", "says"),
    [
        (12, -1.0, ""),
        (3, +1.0, ""),
        (6, +1.0, "its sign is wrong"),
        (12, 0.0, "it does not show"),
        (6, 0.0, ""),
    ],
    ids=["right", "too early to say", "inverted", "somewhere else", "somewhere else, too early"],
)
def test_what_is_suspected(steps: int, factor: float, says: str) -> None:
    assert watch(swings(steps), factor, noise=300.0).suspicion.startswith(says)
    assert bool(watch(swings(steps), factor, noise=300.0).suspicion) == bool(says)


@given(st.lists(st.floats(-RATED, RATED), min_size=2, max_size=25), st.floats(0, 3000), st.integers(0, 1000))
def test_a_right_meter_is_never_suspected(powers: list[float], noise: float, seed: int) -> None:
    assert watch(powers, -1.0, noise, seed).suspicion == ""


@given(st.floats(10_000, RATED), st.floats(0, 1000), st.integers(0, 1000))
def test_a_wrong_one_is_found_within_eight_steps(size: float, noise: float, seed: int) -> None:
    assert watch(swings(8, size), +1.0, noise, seed).suspicion.startswith("its sign is wrong")


def test_a_battery_that_rests_or_creeps_proves_nothing() -> None:
    assert len(watch([0.0] * 10, 1.0, 5000.0).steps) == 0
    assert len(watch([100.0 * turn for turn in range(30)], 1.0, 0.0).steps) == 0


def test_a_person_who_looked_begins_anew() -> None:
    check = watch(swings(8), 1.0, 0.0)
    check.forget()
    assert check.suspicion == ""
