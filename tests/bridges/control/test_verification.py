"""Whether the power follows: told every 2 s, as dispatch does, to devices that are good, slow, late, stuck, half and
reversed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.verification import Following, doubt, follows
from schemas.messages import Cause

RATED = 100_000.0
Plan = Callable[[float], float]
Power = Callable[[float, float], float]
"""Of the setpoint that works now, and of the power before."""


def steady(_: float) -> float:
    return 40_000.0


def restless(now: float) -> float:
    """The load wanders, and dispatch with it: another setpoint each 2 s."""
    return 40_000.0 + 9_000.0 * ((now // 2 * 37) % 11 - 5) / 5


def reversing(now: float) -> float:
    return 60_000.0 if now % 80 < 40 else -60_000.0


PLANS = {"steady": steady, "restless": restless, "reversing": reversing}


def run(plan: Plan, device: str, *, dead: float = 0.2, ramp: float = 1e9, poll: float = 0.5) -> tuple[Following, float]:
    """120 s of it; gives when something was named first, infinite for never."""
    following, told, power, now, named = Following(RATED), [(0.0, 0.0)], 0.0, 0.0, float("inf")
    while now < 120.0:
        now = round(now + 0.1, 6)
        if round(now * 10) % 20 == 0:
            told.append((now, plan(now)))
            following.told(now, plan(now))
        target = [value for at, value in told if at <= now - dead][-1:] or [0.0]
        aim = {"good": target[0], "half": target[0] / 2, "reversed": -target[0], "stuck": 0.0}[device]
        power += max(-ramp * 0.1, min(ramp * 0.1, aim - power))
        if round(now * 10) % round(poll * 10) == 0:
            following.see(now, power, dead + poll)
            if following.cause is not None:
                named = min(named, now)
    return following, named


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("dead", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("ramp", [1e9, 20_000.0, 5_000.0])
@pytest.mark.parametrize("poll", [0.5, 1.0, 5.0])
def test_who_follows_is_never_named_however_slow_or_late(plan: str, dead: float, ramp: float, poll: float) -> None:
    _, named = run(PLANS[plan], "good", dead=dead, ramp=ramp, poll=poll)
    assert named == float("inf")


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    ("device", "cause", "within"), [("stuck", Cause.NOT_OBEYED, 20.0), ("half", Cause.NOT_OBEYED, 25.0)]
)
@pytest.mark.parametrize("dead", [0.1, 1.0])
def test_who_does_not_follow_is_named_at_the_rhythm_of_the_field(
    plan: str, device: str, cause: Cause, within: float, dead: float
) -> None:
    following, named = run(PLANS[plan], device, dead=dead)
    assert named <= within + dead
    assert following.cause is cause or plan == "reversing"


@pytest.mark.parametrize("dead", [0.1, 1.0, 3.0])
def test_who_runs_the_other_way_is_named_at_once(dead: float) -> None:
    following, named = run(steady, "reversed", dead=dead)
    assert following.cause is Cause.REVERSED
    assert named <= 2.0 + 2 * dead + 4.0
    assert "it runs in the other direction" in following.words


def test_a_device_that_follows_again_is_no_longer_named() -> None:
    following, named = run(steady, "stuck")
    assert named < float("inf")
    following.see(121.0, 40_000.0, 0.7)
    assert following.cause is None


@pytest.mark.parametrize(
    ("target", "power", "rated", "near"),
    [
        (5_000.0, -14_000.0, 1e6, False),
        (5_000.0, -100.0, 1e6, False),
        (5_000.0, 14_000.0, 1e6, True),
        (500_000.0, 508_000.0, 1e6, True),
        (500_000.0, 515_000.0, 1e6, False),
        (0.0, -300.0, 1e5, True),
        (10_000.0, 9_100.0, 1e5, True),
        (10_000.0, 8_900.0, 1e5, False),
    ],
)
def test_how_near_is_near(target: float, power: float, rated: float, near: bool) -> None:
    assert follows(target, power, rated) == near
    assert (doubt({"p_set": target}, {"p": power}, rated) == "") == near


def test_what_is_not_measured_proves_nothing() -> None:
    assert "unknown" in doubt({"p_set": 1000.0}, {}, RATED)
    assert "unknown" in doubt({"pf_set": 0.9}, {"p": 1000.0, "q": "running"}, RATED)
    assert "unknown" in doubt({"p_limit_pct": 50.0}, {"p": "running"}, RATED)


@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=40), st.floats(0.1, 5.0))
def test_who_does_at_once_what_it_is_told_is_never_named(targets: list[float], poll: float) -> None:
    following, now = Following(RATED), 0.0
    for target in targets:
        now += poll
        following.told(now, target)
        assert following.see(now + 0.05, target, 0.2) is None
