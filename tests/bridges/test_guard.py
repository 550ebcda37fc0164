"""What is late, retained, unknown or contradictory is refused, and the refusal says why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridges.guard import Ledger, Post, identity, refusal
from schemas.messages import Action, Authority, Command, OutcomeState

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
    assert refusal(command(), False, POST, Ledger(), NOON) is None


@pytest.mark.parametrize(
    ("change", "now", "starts"),
    [
        ({}, NOON + timedelta(seconds=10), "expired"),
        ({"at": NOON + timedelta(seconds=6), "until": NOON + timedelta(seconds=16)}, NOON, "clock_skew"),
        ({"until": NOON + timedelta(hours=1)}, NOON, "too_long"),
        ({"id": "old"}, NOON, "duplicate"),
        ({"at": NOON - timedelta(seconds=3)}, NOON, "out_of_order"),
        ({"source": "thief"}, NOON, "foreign_source"),
        ({"values": {"p_sett": 1.0}}, NOON, "unknown"),
        ({"values": {}, "action": Action.STOP}, NOON, "unknown"),
        ({"source": "scada", "authority": Authority.SELF_CONSUMPTION}, NOON, "authority"),
    ],
)
def test_a_bad_command_is_refused(change: dict[str, Any], now: datetime, starts: str) -> None:
    ledger = Ledger()
    ledger.remember(command(id="old", at=NOON - timedelta(seconds=2), until=NOON + timedelta(seconds=5)))
    no = refusal(command(**change), False, POST, ledger, now)
    assert no is not None
    assert no.reason.startswith(starts)
    assert (no.state is OutcomeState.EXPIRED) == (starts == "expired")


def test_retained_and_read_only_are_refused_before_anything_else() -> None:
    retained = refusal(command(), True, POST, Ledger(), NOON)
    watched = refusal(command(), False, Post(["p_set"], [], ["dispatch"], read_only=True), Ledger(), NOON)
    assert retained is not None
    assert retained.reason.startswith("retained")
    assert watched is not None
    assert watched.reason.startswith("read_only")


def test_the_same_source_may_weaken_its_own_claim() -> None:
    ledger = Ledger()
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
        (b"[" * 100_000, "unknown"),
    ],
)
def test_even_a_broken_command_is_answered_by_its_name(payload: bytes, name: str) -> None:
    assert identity(payload) == name
