"""How a power is shared among batteries: the sentences of `optimizer.split` as properties, and stories."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.split import Room, split


def room(name: str = "a", **change: float) -> Room:
    """50 kW, 100 kWh, half full."""
    given_ = {"low": -50e3, "high": 50e3, "rated": 50e3, "energy": 100e3, "soc": 50.0, **change}
    return Room(name, **given_)


@st.composite
def rooms(draw: st.DrawFn) -> list[Room]:
    """Any batteries, full, empty, blocked in one direction or in both."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        rated = draw(st.floats(1e3, 1e6))
        down, up = (draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)) for _ in range(2))
        energy, soc = draw(st.floats(1e3, 5e6)), draw(st.floats(0, 100))
        found.append(Room(f"b{number}", -down * rated, up * rated, rated, energy, soc))
    return found


POWERS = st.floats(-5e6, 5e6)


@st.composite
def moments(draw: st.DrawFn) -> tuple[float, list[Room], dict[str, float]]:
    """A power, batteries, and what each was told before, however wrong."""
    batteries = draw(rooms())
    last = {one.name: draw(st.sampled_from([0.0, one.low, one.high]) | POWERS) for one in batteries}
    return draw(POWERS), batteries, draw(st.just(last) | st.just(dict[str, float]()))


@given(moments())
def test_no_share_leaves_its_limits_and_together_they_do_what_they_can(
    moment: tuple[float, list[Room], dict[str, float]],
) -> None:
    power, batteries, last = moment
    shares = split(power, batteries, last)
    assert shares.keys() == {one.name for one in batteries}
    for one in batteries:
        assert one.low <= shares[one.name] <= one.high
    able = min(max(power, sum(one.low for one in batteries)), sum(one.high for one in batteries))
    assert sum(shares.values()) == pytest.approx(able, abs=1e-3)


@given(moments())
def test_no_battery_charges_another(moment: tuple[float, list[Room], dict[str, float]]) -> None:
    power, batteries, last = moment
    assert all(share * power >= 0 for share in split(power, batteries, last).values())


@given(moments(), st.randoms())
def test_the_same_question_has_the_same_answer_in_whatever_order(
    moment: tuple[float, list[Room], dict[str, float]], chance: random.Random
) -> None:
    power, batteries, last = moment
    shuffled = chance.sample(batteries, len(batteries))
    assert split(power, shuffled, last) == pytest.approx(split(power, batteries, last), abs=1e-3)


@given(moments())
def test_it_comes_to_rest(moment: tuple[float, list[Room], dict[str, float]]) -> None:
    """Asked again and again at the same moment it does not change its mind."""
    power, batteries, last = moment
    for _ in range(len(batteries) + 1):
        last = split(power, batteries, last)
    assert split(power, batteries, last) == pytest.approx(last, abs=1e-3)


STORIES = {
    "nothing is wanted": (0.0, [room("a"), room("b")], {"a": 0, "b": 0}),
    "at low power one works alone": (10e3, [room("a"), room("b")], {"a": 10e3, "b": 0}),
    "and it is the fuller one": (10e3, [room("a", soc=50), room("b", soc=55)], {"a": 0, "b": 10e3}),
    "charging, the emptier one": (-10e3, [room("a", soc=50), room("b", soc=55)], {"a": -10e3, "b": 0}),
    "above half of its power the other one helps": (40e3, [room("a"), room("b")], {"a": 20e3, "b": 20e3}),
    "the larger takes more": (80e3, [room("a"), room("b", energy=3e5, high=1e5, rated=1e5)], {"a": 20e3, "b": 60e3}),
    "the fuller takes more": (40e3, [room("a", soc=51), room("b", soc=49)], {"a": 24e3, "b": 16e3}),
    "one far behind rests": (40e3, [room("a", soc=60), room("b", soc=40)], {"a": 40e3, "b": 0}),
    "unless the others cannot": (70e3, [room("a", soc=60), room("b", soc=40)], {"a": 50e3, "b": 20e3}),
    "all they can is all they do": (500e3, [room("a"), room("b", high=30e3)], {"a": 50e3, "b": 30e3}),
    "one that may not, does not": (40e3, [room("a", high=0), room("b")], {"a": 0, "b": 40e3}),
    "nobody may": (40e3, [room("a", high=0), room("b", high=0)], {"a": 0, "b": 0}),
    "a blocked direction is no other's": (-40e3, [room("a", low=0), room("b", low=-15e3)], {"a": 0, "b": -15e3}),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: str) -> None:
    power, batteries, shares = STORIES[story]
    assert split(power, batteries, {}) == pytest.approx(shares, abs=1e-3)


def test_who_works_stays_until_another_is_well_ahead() -> None:
    works = {"a": 10e3, "b": 0.0}
    assert split(10e3, [room("a", soc=50), room("b", soc=52)], works) == works
    assert split(10e3, [room("a", soc=50), room("b", soc=54)], works) == {"a": 0, "b": 10e3}


def test_an_inverter_joins_and_leaves_at_different_powers() -> None:
    """Up to 60 kW and back: at 20 kW the second one still works when power falls, and does not yet when it rises."""
    both = [room("a"), room("b")]
    last: dict[str, float] = {}
    working = []
    for power in (10e3, 20e3, 30e3, 60e3, 30e3, 20e3, 10e3):
        last = split(power, both, last)
        working.append(sum(share > 0 for share in last.values()))
    assert working == [1, 1, 2, 2, 2, 2, 1]


def test_a_small_difference_is_no_reason_to_write() -> None:
    before = {"a": 20e3, "b": 20e3}
    assert split(40e3, [room("a", soc=50.05), room("b", soc=50)], before) == before


@st.composite
def fleets(draw: st.DrawFn) -> list[Room]:
    """Batteries of a usual kind, each with a charge of its own."""
    found = []
    for number in range(draw(st.integers(2, 5))):
        energy, rate = draw(st.floats(50e3, 500e3)), draw(st.floats(0.4, 1.0))
        power, soc = energy * rate, draw(st.floats(10, 90))
        found.append(Room(f"b{number}", -power, power, power, energy, soc))
    return found


@settings(max_examples=40, deadline=None)
@given(fleets(), st.floats(0.05, 0.3))
def test_after_a_cycle_they_are_together(fleet: list[Room], rate: float) -> None:
    """Charged to 90 % and discharged to 20 %, with any power that all of them can keep up with."""
    power, last, energy = rate * sum(one.energy for one in fleet), dict[str, float](), sum(one.energy for one in fleet)
    for wanted, end in ((-power, 88.0), (power, 20.0)):
        for _ in range(5000):
            mean = sum(one.energy * one.soc for one in fleet) / energy
            if (mean - end) * wanted <= 0:
                break
            fleet = [
                replace(one, low=-one.rated if one.soc < 90 else 0.0, high=one.rated if one.soc > 10 else 0.0)
                for one in fleet
            ]
            last = split(wanted, fleet, last)
            fleet = [replace(one, soc=one.soc - last[one.name] * 100 / one.energy * 60 / 3600) for one in fleet]
    assert max(one.soc for one in fleet) - min(one.soc for one in fleet) < 5.0


@settings(max_examples=40, deadline=None)
@given(fleets(), st.floats(0.05, 0.9), st.integers(0, 10**6))
def test_it_does_not_flap(fleet: list[Room], share: float, seed: int) -> None:
    """An hour at a power that wanders by a tenth, decided each 2 s: inverters start and stop a few times, not each
    minute."""
    chance, last, starts = random.Random(seed), dict[str, float](), 0
    fleet = [replace(one, soc=50 + one.soc / 10) for one in fleet]
    level = share * sum(one.rated for one in fleet)
    for _ in range(1800):
        before, last = last, split(level * chance.uniform(0.95, 1.05), fleet, last)
        starts += sum(not before.get(name) and power != 0 for name, power in last.items())
        fleet = [replace(one, soc=one.soc - last[one.name] * 100 / one.energy * 2 / 3600) for one in fleet]
    assert starts <= 6 * len(fleet)
