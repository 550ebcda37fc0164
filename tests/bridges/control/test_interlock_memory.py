"""What acts or waits for a person does so after a restart, whatever was done to its file."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_memory import keep, recall
from bridges.control.interlock_state import State
from bridges.control.interlocks import Entry, Memory, judge
from schemas.interlock import InterlockRule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def lock(name: str, reset: str) -> Interlock:
    rule = {
        "name": name,
        "device": "bms",
        "point": "x",
        "above": 55.0,
        "clear": 50.0,
        "effect": ["stop"],
        "reset": reset,
    }
    return Interlock(f"{name}-bms", InterlockRule.model_validate(rule), "bms", ("x",))


LOCKS = [lock("waits", "operator"), lock("ends", "auto")]


def restarted(memory: Memory, now: float, *, after: float, locks: list[Interlock] = LOCKS) -> tuple[Memory, list[str]]:
    """The monotonic clock begins anew."""
    return recall(keep(memory, now, NOON), locks, 5.0, NOON + timedelta(seconds=after))


def test_what_waits_for_a_person_waits_after_a_restart() -> None:
    memory = judge(LOCKS, Memory(), lambda *_: 60.0, 1000.0).memory
    memory = judge(LOCKS, memory, lambda *_: 40.0, 1010.0).memory
    again, gone = restarted(memory, 1020.0, after=100.0)
    assert gone == []
    assert again.entries == {"waits-bms": Entry(State.LATCHED, 5.0 - 110.0, "x of bms is 60")}
    says = judge(LOCKS, again, lambda *_: 40.0, 6.0)
    assert [(one.name, one.state, one.since) for one in says.acting] == [("waits-bms", State.LATCHED, -105.0)]
    assert says.stop


def test_what_acts_goes_on_until_its_cause_is_seen_to_be_gone() -> None:
    memory = judge(LOCKS, Memory(), lambda *_: 60.0, 1000.0).memory
    again, _ = restarted(memory, 1000.0, after=0.0)
    says = judge(LOCKS, again, lambda *_: None, 5.0)
    assert [one.state for one in says.acting] == [State.ACTIVE, State.ACTIVE]
    assert says.stop, "it is known, so it is no bridge that has not looked yet"
    says = judge(LOCKS, says.memory, lambda *_: 52.0, 6.0)
    assert [one.state for one in says.acting] == [State.ACTIVE, State.ACTIVE], "hysteresis survives as well"
    says = judge(LOCKS, says.memory, lambda *_: 49.0, 7.0)
    assert [one.name for one in says.acting] == ["waits-bms"]


def test_one_that_ends_by_itself_since_then_waits_for_its_cause_only() -> None:
    memory = Memory({"waits-bms": Entry(State.LATCHED, 0.0, "x")})
    now_auto = [lock("waits", "auto")]
    again, _ = restarted(memory, 0.0, after=0.0, locks=now_auto)
    assert judge(now_auto, again, lambda *_: 60.0, 6.0).stop
    assert judge(now_auto, again, lambda *_: 40.0, 6.0).acting == ()


def test_a_name_that_no_interlock_has_any_more_is_said() -> None:
    again, gone = restarted(Memory({"old-bms": Entry(State.LATCHED, 0.0, "x")}), 0.0, after=0.0)
    assert (again.entries, gone) == ({}, ["old-bms"])


def test_a_first_start_has_nothing_to_recall() -> None:
    assert recall(None, LOCKS, 0.0, NOON) == (Memory(), [])


def test_a_clock_that_was_set_back_makes_nothing_younger_than_now() -> None:
    memory = Memory({"waits-bms": Entry(State.LATCHED, 0.0, "x")})
    again, _ = restarted(memory, 0.0, after=-3600.0)
    assert again.entries["waits-bms"].since == 5.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '"x"',
        '{"waits-bms": 1}',
        '{"waits-bms": {"state": "latched"}}',
        '{"waits-bms": {"state": "asleep", "since": "2026-06-01T12:00:00Z", "reason": ""}}',
        '{"waits-bms": {"state": "clear", "since": "2026-06-01T12:00:00Z", "reason": ""}}',
        '{"waits-bms": {"state": "latched", "since": "2026-06-01T12:00:00", "reason": ""}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_hides_nothing(text: str) -> None:
    """Nobody knows what was latched: what waits for a person does."""
    again, _ = recall(text, LOCKS, 5.0, NOON)
    says = judge(LOCKS, again, lambda *_: 40.0, 6.0)
    assert [(one.name, one.state) for one in says.acting] == [("waits-bms", State.LATCHED)]
    assert "cannot be read" in says.acting[0].reason


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


@given(st.text(max_size=200) | anything.map(json.dumps))
def test_no_file_ends_the_guard(text: str) -> None:
    recall(text, LOCKS, 5.0, NOON)
