"""What holds a battery back, and which word of the bridge proves that nothing does any more."""

from datetime import UTC, datetime

import pytest

from consumers.dispatch.held_back import LASTS, HeldBack, hear, probe
from optimizer.split import Room
from schemas.messages import Limited, Outcome, OutcomeState

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
HOT = HeldBack(30e3, 10e3, 0.0, "interlock:hot")
RAMP = "battery:ramp"

WORDS: dict[str, tuple[HeldBack | None, float, str, list[tuple[str, float, float]], HeldBack | None]] = {
    "nothing": (None, 30e3, "verified", [], None),
    "it is held back": (None, 30e3, "applied", [("interlock:hot", 30e3, 10e3)], HeldBack(30e3, 10e3, 9.0, HOT.source)),
    "by two": (None, 30e3, "limited", [("interlock:hot", 30e3, 10e3), ("bms:current", 10e3, 5e3)],
               HeldBack(30e3, 5e3, 9.0, "bms:current")),
    "only for a moment": (None, 30e3, "limited", [(RAMP, 30e3, 10e3)], None),
    "less is asked than passed": (HOT, 9e3, "verified", [], HOT),
    "as much is asked": (HOT, 10e3, "verified", [], HOT),
    "more passes": (HOT, 11e3, "verified", [], None),
    "more is written": (HOT, 11e3, "applied", [], None),
    "more is refused": (HOT, 11e3, "refused", [], HOT),
    "more has run out": (HOT, 11e3, "expired", [], HOT),
    "the other way": (HOT, -11e3, "verified", [], HOT),
    "still held back": (HOT, 11e3, "limited", [("interlock:hot", 11e3, 10e3)], HeldBack(11e3, 10e3, 9.0, HOT.source)),
    "what acts later got more": (HOT, 11e3, "limited", [("site:grid", 11e3, 0.0)], None),
    "what acts before left less": (HeldBack(30e3, 10e3, 0.0, "dso:limit"), 11e3, "limited", [("site:grid", 11e3, 0.0)],
                                   HeldBack(30e3, 10e3, 0.0, "dso:limit")),
    "nobody knows when it acts": (HOT, 11e3, "limited", [("newer:thing", 11e3, 0.0)], HOT),
    "of charging": (HeldBack(-30e3, 0.0, 0.0, "interlock:hot"), -1e3, "verified", [], None),
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_the_bridge(word: str) -> None:
    held, requested, state, limits, after = WORDS[word]
    outcome = Outcome(
        id="x", at=NOON, state=OutcomeState(state), source="dispatch", requested={"p_set": requested},
        limited_by=[Limited(point="p_set", source=source, wanted=a, allowed=b) for source, a, b in limits],
    )  # fmt: skip
    assert hear(held, outcome, 9.0) == after


def test_it_narrows_the_one_direction_and_not_for_ever() -> None:
    room = Room("pcs1", -50e3, 50e3, 50e3, 1e5, 50.0)
    assert (HOT.narrowed(room).low, HOT.narrowed(room).high) == (-50e3, 10e3)
    charging = HeldBack(-30e3, 0.0, 0.0, "interlock:cold").narrowed(room)
    assert (charging.low, charging.high) == (0.0, 50e3)
    assert [HOT.holds(second) for second in (0.0, LASTS, LASTS + 0.1)] == [True, True, False]


@pytest.mark.parametrize(
    ("share", "whole", "more"),
    [(0.0, 30e3, 1e3), (0.0, -30e3, -1e3), (10e3, 10.5e3, 500.0), (10e3, 5e3, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0)],
)
def test_no_more_is_asked_than_its_share_and_a_little(share: float, whole: float, more: float) -> None:
    assert probe(share, whole, 50e3) == more
