"""A limit that is not kept, and a reactive power that does not come, are named; what is on its way is not."""

from collections.abc import Callable

import pytest

from bridges.control.obedience import Obedience
from bridges.control.read_back import ReadBack
from schemas.messages import Value

RATED, APPARENT = 10_000.0, 12_000.0
SAFE = {"p_limit_pct": 100.0, "q_set": 0.0}


def told(point: str, value: float, at: float = 0.0) -> dict[str, ReadBack]:
    one = ReadBack()
    one.wrote(value, at)
    return {point: one}


STORIES: dict[str, tuple[float, Callable[[float], float], bool]] = {
    "it keeps 30 %": (30.0, lambda _: 3000.0, False),
    "less is right": (30.0, lambda _: 100.0, False),
    "it gives all": (30.0, lambda _: 10_000.0, True),
    "it gives a little more": (30.0, lambda _: 3300.0, True),
    "it comes down by 1 % a second": (30.0, lambda at: max(3000.0, 10_000.0 - 100 * at), False),
    "released": (100.0, lambda _: 11_000.0, False),
    "nothing may flow, and all does": (0.0, lambda _: 10_000.0, True),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_limit(story: str) -> None:
    percent, power, wrong = STORIES[story]
    one = Obedience(RATED, APPARENT)
    found = {}
    for turn in range(120):
        one.see(float(turn), {"p": power(float(turn)), "state": "running"}, told("p_limit_pct", percent), SAFE)
        found[turn] = one.words
    assert bool(found[119]) == wrong
    assert bool(found[20]) == wrong, "within 20 s"
    assert not found[9], "it has some seconds"
    assert not wrong or "is measured" in found[119]


def test_a_limit_that_changes_each_two_seconds_is_not_kept_either() -> None:
    """Export 0: the limit follows the load, and the inverter gives 10 kW all the time."""
    one = Obedience(RATED, APPARENT)
    for turn in range(40):
        one.see(float(turn), {"p": 10_000.0}, told("p_limit_pct", 20.0 + turn // 2 % 7, turn - turn % 2), SAFE)
    assert one.words


def test_one_that_follows_a_changing_limit_two_seconds_late_is_not_named() -> None:
    one, limits = Obedience(RATED, APPARENT), [20.0 + 10 * (turn // 2 % 7) for turn in range(200)]
    for turn in range(2, 200):
        one.see(float(turn), {"p": 100 * limits[turn - 2]}, told("p_limit_pct", limits[turn], turn - turn % 2), SAFE)
        assert not one.words


@pytest.mark.parametrize(
    ("q", "state", "named"),
    [
        (4000.0, "running", False),
        (0.0, "running", True),
        (0.0, "off", False),
        (0.0, "starting", False),
        (0.0, None, True),
    ],
)
def test_reactive_power(q: float, state: str | None, named: bool) -> None:
    one = Obedience(RATED, APPARENT)
    for turn in range(90):
        seen: dict[str, Value] = {"q": q}
        if state is not None:
            seen["state"] = state
        one.see(float(turn), seen, told("q_set", 4000.0), SAFE)
    assert bool(one.words) == named
    assert not named or "4000 var is wanted, 0 var is measured" in one.words


def test_a_reactive_power_that_settles_slowly_is_on_its_way() -> None:
    """As the grid code wants it: a first-order lag with 20 s."""
    one, q = Obedience(RATED, APPARENT), 0.0
    for turn in range(200):
        wanted = 5000.0 if turn < 100 else -5000.0
        q += (wanted - q) / 20
        one.see(float(turn), {"q": q}, told("q_set", wanted, 0.0 if turn < 100 else 100.0), SAFE)
        assert not one.words


def test_what_the_register_does_not_hold_is_another_trouble() -> None:
    one, setpoint = Obedience(RATED, APPARENT), told("p_limit_pct", 30.0)
    setpoint["p_limit_pct"].judge(50.0, 0.1)
    for turn in range(30):
        one.see(float(turn), {"p": 10_000.0}, setpoint, SAFE)
    assert not one.words


@pytest.mark.parametrize(("gives", "wrong"), [(0.484, False), (0.46, False), (0.0, True), (-0.484, True)])
def test_a_power_factor_is_followed_in_its_direction_whatever_the_sun_does(gives: float, wrong: bool) -> None:
    """0.9 over-excited: 0.484 var fed in for each W."""
    one = Obedience(RATED, APPARENT)
    for turn in range(200):
        power = 6000.0 + 30 * (turn % 100)
        one.see(float(turn), {"p": power, "q": gives * power}, told("pf_set", 0.9), SAFE | {"pf_set": 1.0})
    assert bool(one.words) == wrong
    one.see(200.0, {"p": 6000.0, "q": 0.0}, told("pf_set", 1.0), SAFE | {"pf_set": 1.0})
    assert not one.words, "nothing is wanted of it any more"
