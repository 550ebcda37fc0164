"""What each battery leaves the others, told without devices: no two take the whole of a correction, and together they
never go beyond a limit."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.limits import LimitInputs, clamp, limits
from optimizer.shared_load import ON_ITS_WAY, Member, SharedLoad
from optimizer.site_load import SiteLoad

RATED = 100e3
DT = 0.5


def shared(*names: str) -> SharedLoad:
    load = SharedLoad(SiteLoad(RATED * len(names)))
    load.members = {name: Member(RATED, DT, 0.0, 0.0) for name in names}
    return load


class Plant:
    """Batteries that follow at once, or not at all, behind a meter."""

    def __init__(self, *names: str, load: float, low: float = -1e9, high: float = 1e9) -> None:
        """The grid may carry from `low` to `high` W."""
        self.shared, self.load, self.low, self.high = shared(*names), load, low, high
        self.now, self.powers = 0.0, dict.fromkeys(names, 0.0)
        self.stuck: set[str] = set()
        self.silent: set[str] = set()

    @property
    def grid(self) -> float:
        return self.load - sum(self.powers.values())

    def cycle(self, wishes: dict[str, float], order: list[str] | None = None) -> None:
        """All are read, then decided one after the other, and each decision is written at once."""
        self.now += DT
        for name, power in self.powers.items():
            if name not in self.silent:
                self.shared.read(name, self.now, power)
        self.shared.gather()
        self.shared.meter(self.now + 0.01, self.grid)
        for name in order or [*self.powers]:
            if name not in self.silent:
                self._decide(name, wishes[name])

    def _decide(self, name: str, wish: float) -> None:
        net, beside = self.shared.net(self.now), self.shared.beside(name, self.now)
        inputs = LimitInputs(
            rated_power=RATED, apparent_power=RATED, reactive_power=0.0, runs=True, charge=8e5,
            discharge=8e5, soc=50.0, soc_min=0.0, soc_max=100.0,
            net_load=None if net is None else net - beside.power, import_limit=self.high, export_limit=-self.low,
            position=self.powers[name], ramp=1e9, beside_less=beside.less, beside_more=beside.more,
        )  # fmt: skip
        power, _ = clamp(wish, limits(inputs))
        self.shared.claims(name, self.now, power)
        self.shared.told(name, self.now, power)
        if name not in self.stuck:
            self.powers[name] = power


def test_the_first_takes_the_correction_and_the_second_has_nothing_left_to_do() -> None:
    plant = Plant("a", "b", load=160e3, high=100e3)
    plant.cycle({"a": 0.0, "b": 0.0})
    assert plant.powers == {"a": pytest.approx(60e3), "b": pytest.approx(0)}


def test_what_the_first_cannot_the_second_does() -> None:
    plant = Plant("a", "b", load=250e3, high=100e3)
    plant.cycle({"a": 0.0, "b": 0.0})
    assert plant.powers == {"a": RATED, "b": pytest.approx(50e3)}


def test_one_that_is_stuck_is_no_help_to_the_others() -> None:
    plant = Plant("a", "b", load=160e3, high=100e3)
    plant.stuck = {"a"}
    for _ in range(40):
        plant.cycle({"a": 0.0, "b": 0.0})
    assert plant.powers["b"] == pytest.approx(60e3, rel=0.01)


@given(st.integers(2, 4), st.integers(0, 10**6))
def test_whatever_is_wished_in_whatever_order_the_sum_stays_within_the_limits(count: int, seed: int) -> None:
    """At a load that stands still, once the meter has been read: never beyond, also while wishes jump."""
    chance, names = random.Random(seed), [f"b{number}" for number in range(count)]
    plant = Plant(*names, load=chance.uniform(-50e3, 150e3), low=-100e3, high=200e3)
    for _ in range(60):
        wishes = {name: chance.choice([0.0, RATED, -RATED, chance.uniform(-RATED, RATED)]) for name in names}
        plant.cycle(wishes, chance.sample(names, count))
        assert plant.low - 1.0 <= plant.grid <= plant.high + 1.0


def test_one_that_falls_silent_takes_room_and_moves_nobody() -> None:
    """It was told to rise and nobody knows whether it has: so long the other may not use what it may need."""
    plant = Plant("a", "b", load=100e3, low=0.0)
    for _ in range(20):
        plant.cycle({"a": 0.0, "b": 40e3})
    plant.shared.claims("a", plant.now, 50e3)
    plant.shared.told("a", plant.now, 50e3)
    plant.silent = {"a"}
    for _ in range(20):
        plant.cycle({"a": 0.0, "b": 100e3})
        assert plant.powers["b"] <= 50e3 + 1.0
    for _ in range(round(ON_ITS_WAY / DT)):
        plant.cycle({"a": 0.0, "b": 100e3})
    assert plant.powers["b"] == pytest.approx(100e3, abs=1.0), "then it stays as it is"


def test_what_a_silent_one_did_is_taken_for_load_until_it_is_read_again() -> None:
    plant = Plant("a", "b", load=100e3, low=0.0)
    for _ in range(20):
        plant.cycle({"a": 50e3, "b": 50e3})
    plant.silent = {"a"}
    plant.powers["a"] = 0.0  # its watchdog has acted
    for _ in range(20):
        plant.cycle({"a": 50e3, "b": 100e3})
    assert plant.grid == pytest.approx(0, abs=1.0), "the other gives what is missing"
    plant.silent = set()
    for _ in range(20):
        plant.cycle({"a": 50e3, "b": 100e3})
        assert plant.grid >= -1.0, "and when it is back nothing is given twice"


def test_two_that_change_places_are_no_load() -> None:
    """One gives up at once what the other takes over 3 s later: meanwhile the sum is neither what it was nor what it
    is told, and a meter that is read between two readings of theirs shows it first."""
    both, now = shared("a", "b"), 0.0
    told = {"a": 0.0, "b": 50e3}
    for step in range(120):
        now = step * DT
        if step == 40:
            told = {"a": 50e3, "b": 0.0}
        for name, power in told.items():
            both.claims(name, now, power)
            both.told(name, now, power)
        power_b, power_a = told["b"], 50e3 if step >= 46 else 0.0
        both.meter(now + 0.01, 50e3 - power_a - power_b)
        both.read("a", now + 0.02, power_a)
        both.read("b", now + 0.02, power_b)
        both.gather()
        if step >= 38:
            assert both.net(now) == pytest.approx(50e3, abs=1.0), step
