"""What is late, retained, unknown or contradictory is refused, and the refusal says why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.guard import History, Post, actions, identity, is_limit, refusal, remaining, understood
from schemas.messages import Action, Authority, Command, OutcomeState
from schemas.profiles import load_profile

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
POST = Post(points=["p_set"], actions=["start"], sources=["dispatch", "scada"])


def command(**change: Any) -> Command:
    wish: dict[str, Any] = {
        "id": "c1",
        "at": NOON,
        "until": NOON + timedelta(seconds=10),
        "source": "dispatch",
        "authority": Authority.PLAN,
        "values": {"p_set": 1000.0},
        "reason": "test",
    }
    return Command(**(wish | change))


def test_a_good_command_is_let_through() -> None:
    assert refusal(command(), False, POST, History(), NOON) is None


@pytest.mark.parametrize(
    ("change", "now", "starts"),
    [
        ({}, NOON + timedelta(seconds=10), "expired"),
        ({"at": NOON + timedelta(seconds=6), "until": NOON + timedelta(seconds=16)}, NOON, "clock_skew"),
        ({}, NOON + timedelta(hours=1), "clock_skew"),
        ({"until": NOON + timedelta(hours=1)}, NOON, "too_long"),
        ({"id": "old"}, NOON, "duplicate"),
        ({"at": NOON - timedelta(seconds=3)}, NOON, "out_of_order"),
        ({"source": "thief"}, NOON, "foreign_source"),
        ({"values": {"p_sett": 1.0}}, NOON, "unknown"),
        ({"values": {}, "action": Action.STOP}, NOON, "unknown"),
        ({"values": {"p_set": 1.0, "p_limit_pct": 50.0}}, NOON, "unknown"),
        ({"source": "scada", "authority": Authority.SELF_CONSUMPTION}, NOON, "authority"),
    ],
)
def test_a_bad_command_is_refused(change: dict[str, Any], now: datetime, starts: str) -> None:
    ledger = History()
    ledger.remember(command(id="old", at=NOON - timedelta(seconds=2), until=NOON + timedelta(seconds=5)))
    no = refusal(command(**change), False, POST, ledger, now)
    assert no is not None
    assert no.reason.startswith(starts)
    assert (no.state is OutcomeState.EXPIRED) == (starts == "expired")


@pytest.mark.parametrize(("skew", "seconds"), [(-4.0, 10.0), (0.0, 10.0), (4.0, 6.0)])
def test_a_clock_that_is_behind_makes_no_command_live_longer(skew: float, seconds: float) -> None:
    assert remaining(command(), NOON + timedelta(seconds=skew)) == seconds


def test_retained_and_read_only_are_refused_before_anything_else() -> None:
    retained = refusal(command(), True, POST, History(), NOON)
    watched = refusal(command(), False, Post(["p_set"], [], ["dispatch"], read_only=True), History(), NOON)
    assert retained is not None
    assert retained.reason.startswith("retained")
    assert watched is not None
    assert watched.reason.startswith("read_only")


def test_what_was_sent_before_the_bridge_began_is_not_obeyed_again() -> None:
    reborn = History(since=NOON + timedelta(seconds=1))
    no = refusal(command(), False, POST, reborn, NOON + timedelta(seconds=2))
    assert no is not None
    assert no.reason.startswith("before_start")


def test_the_same_source_may_weaken_its_own_claim() -> None:
    ledger = History()
    ledger.remember(command(authority=Authority.OPERATOR, at=NOON - timedelta(seconds=1)))
    assert refusal(command(id="c2", authority=Authority.PLAN), False, POST, ledger, NOON) is None


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b'{"id": "c7", "at": 3}', "c7"),
        (b"", "unknown"),
        (b"\xff\xfe", "unknown"),
        (b'["id"]', "unknown"),
        (b'{"id": 7}', "unknown"),
        (b'{"id": "\\ud800x"}', "\ufffdx"),
        (b"[" * 100_000, "unknown"),
    ],
)
def test_even_a_broken_command_is_answered_by_its_name(payload: bytes, name: str) -> None:
    assert identity(payload) == name


LIMIT: dict[str, Any] = {"values": {"p_limit_pct": 60.0}, "authority": Authority.DSO, "source": "scada"}


def test_a_limit_does_not_hold_the_device_and_is_never_overruled() -> None:
    ledger = History()
    ledger.remember(command(**LIMIT), holds=False)
    assert is_limit(command(**LIMIT))
    assert not is_limit(command(values={"p_limit_pct": 60.0}))
    assert refusal(command(id="c2"), False, POST, ledger, NOON) is None, "the plan steers within it"


@pytest.mark.parametrize("values", [{"p_limit_pct": 101.0}, {"p_limit_pct": -1.0}, {"pf_set": 1.1}, {"pf_set": -2.0}])
def test_what_lies_outside_of_any_range_is_refused(values: dict[str, float]) -> None:
    post = Post(["p_limit_pct", "pf_set"], [], ["dispatch"])
    no = refusal(command(values=values), False, post, History(), NOON)
    assert no is not None
    assert no.reason.startswith("unknown")


def test_what_a_device_understands() -> None:
    pcs, pv = load_profile("sinexcel_pws2"), load_profile("sunspec_pv")
    assert understood(pcs) == ["p_set", "pf_set", "q_set"]
    assert understood(pcs, command(**LIMIT)) == ["p_limit_pct", "p_set", "pf_set", "q_set"]
    assert understood(pv) == ["p_limit_pct"]
    assert "reset" in actions(pv, steers_battery=True)


@given(st.floats(0, 1e6), st.floats(-3600, 3600), st.floats(0.001, 3600))
def test_an_expired_command_is_never_obeyed(late: float, at: float, lives: float) -> None:
    born = NOON + timedelta(seconds=at)
    dead = born + timedelta(seconds=lives)
    no = refusal(command(at=born, until=dead), False, POST, History(), dead + timedelta(seconds=late))
    assert no is not None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 9)), max_size=30))
def test_no_id_is_obeyed_twice_and_no_source_goes_back_in_time(sent: list[tuple[str, int]]) -> None:
    ledger, obeyed = History(), list[Command]()
    for name, second in sent:
        one = command(id=name, at=NOON + timedelta(seconds=second / 9), until=NOON + timedelta(seconds=11))
        if refusal(one, False, POST, ledger, NOON) is None:
            ledger.remember(one)
            obeyed.append(one)
    assert len({one.id for one in obeyed}) == len(obeyed)
    assert [one.at for one in obeyed] == sorted(one.at for one in obeyed)
