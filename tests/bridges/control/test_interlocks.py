"""What an interlock does, and when it ends: stories as tables, and what holds for any readings."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.interlock_cause import Interlock, Seen
from bridges.control.interlock_state import ACTS, AUTO, LATCHING, TABLES, Event, State
from bridges.control.interlocks import FIRST_WORD, Memory, judge, reset
from schemas.interlock import Effect, InterlockRule
from schemas.messages import Value

Step = tuple[float, Value | None, State]
"""At which second, what is read, and the state then."""

# --- stories of one rule -----------------------------------------------------------------------------


def said(value: Value | None) -> Seen:
    """What is known of every point."""
    return lambda *_: value


def lock_of(**rule: Any) -> Interlock:
    made = InterlockRule.model_validate({"name": "it", "device": "bms", "point": "x", "effect": ["zero"]} | rule)
    return Interlock("it-bms", made, "bms", ("x",), states=("closed", "open", "pressed", "released"))


HOT = lock_of(above=55.0, clear=50.0, hold=5.0, off=3.0)
HOT_LATCHED = lock_of(above=55.0, clear=50.0, hold=5.0, reset="operator")
PRESSED = lock_of(unless=["released"], reset="operator", unknown="active", unknown_after=0.0, effect=["stop"])
FLAGS = Interlock(
    "it-bms",
    InterlockRule.model_validate(
        {"name": "it", "device": "bms", "contains": ["a", "b"], "effect": ["block_charge"], "off": 2.0}
    ),
    "bms",
    ("x",),
)
SILENT = lock_of(silent=60.0, off=5.0)
RISE = lock_of(rises=6.0, within=60.0, hold=5.0, off=20.0)
C, A, U, L, NO = State.CLEAR, State.ACTIVE, State.UNKNOWN, State.LATCHED, State.UNTOLD
CALM = [(-12, 25.0, C), (-4, 25.0, C), (4, 25.0, C)]


@pytest.mark.parametrize(
    ("lock", "steps"),
    [
        (HOT, [(0, 40.0, C), (1, 60.0, C), (5, 60.0, C), (6, 60.0, A), (7, 60.0, A)]),
        (HOT, [(0, 40.0, C), (1, 60.0, C), (5, 54.0, C), (6, 60.0, C), (10, 60.0, C), (11, 60.0, A)]),
        (HOT, [(0, 60.0, NO), (5, 60.0, A), (6, 52.0, A), (60, 50.1, A), (61, 50.0, A), (63, 49.0, A), (64, 49.0, C)]),
        (HOT, [(0, 60.0, NO), (5, 60.0, A), (6, 49.0, A), (8, 51.0, A), (9, 49.0, A), (11, 49.0, A), (12, 49.0, C)]),
        (HOT, [(0, 40.0, C), (1, None, C), (10, None, C), (11, None, U), (12, 40.0, U), (14, 40.0, U), (15, 40.0, C)]),
        (HOT, [(0, 40.0, C), (1, 60.0, C), (2, None, C), (6, None, A), (30, None, A), (31, 49.0, A), (34, 49.0, C)]),
        (HOT, [(0, 60.0, NO), (5, 60.0, A), (6, 49.0, A), (7, None, A), (16, 49.0, A), (18, 49.0, A), (19, 49.0, C)]),
        (HOT, [(0, None, NO), (29, None, NO), (30, None, U), (31, 40.0, U), (34, 40.0, C)]),
        (HOT, [(0, None, NO), (10, 40.0, C)]),
        (HOT, [(0, 40.0, C), (1, "hot", C), (11, "hot", U)]),
        (HOT, [(0, 40.0, C), (1, float("nan"), C), (11, float("nan"), U)]),
        (HOT_LATCHED, [(0, 60.0, NO), (5, 60.0, A), (6, 40.0, L), (9999, 40.0, L), (10000, 60.0, L), (10005, 60.0, A)]),
        (HOT_LATCHED, [(0, 60.0, NO), (5, 60.0, A), (6, 40.0, L), (7, None, L), (16, None, L), (17, None, A)]),
        (PRESSED, [(0, "released", C), (1, "pressed", A), (2, "released", L)]),
        (PRESSED, [(0, "released", C), (1, None, A), (2, "released", L)]),
        (PRESSED, [(0, "released", C), (1, "unknown_7", A)]),
        (PRESSED, [(0, None, NO), (29, None, NO), (30, None, U), (31, "released", C)]),
        (lock_of(equals=["open"], off=1.0), [(0, "closed", C), (1, "unknown_7", C), (11, "unknown_7", U)]),
        (SILENT, [(0, 1.0, C), (1, None, C), (60, None, C), (61, None, A), (67, 1.0, A), (72, 1.0, C)]),
        (SILENT, [(0, None, NO), (59, None, NO), (60, None, U), (61, 1.0, U), (66, 1.0, C)]),
        (FLAGS, [(0, [], C), (1, ["c"], C), (2, ["b", "c"], A), (3, ["c"], A), (5, ["c"], C)]),
        (RISE, [*CALM, (30, 30.0, C), (50, 32.0, C), (52, 32.0, C), (57, 32.0, A), (58, 30.0, A), (78, 31.0, C)]),
        (RISE, [*CALM, (30, 31.5, C), (31, 25.0, C), (36, 25.0, C), (40, 45.0, C), (41, 25.0, C), (46, 25.0, C)]),
        (RISE, [*CALM, *((second, 0.0, C) for second in range(10, 40)), (40, 25.0, C), (42, 25.0, C), (99, 25.0, C)]),
        (RISE, [(0, 0.0, C), (2, 0.0, C), (4, 0.0, C), (6, 25.0, C), (8, 25.0, C), (15, 25.0, C), (65, 25.0, C)]),
        (RISE, [(0, 25.0, C), (61, 30.0, C), (122, 36.0, C), (183, 42.0, C)]),
    ],
    ids=[
        "acts after its hold",
        "a value that falls back begins anew",
        "ends beyond clear and after off",
        "between limit and clear it is not gone",
        "lost: as it was, then unknown, then off",
        "a cause goes on to last unseen",
        "a calm must be seen without a gap",
        "never read",
        "read late",
        "a word is no number",
        "not a number is not known",
        "latched does not end by itself, and rises again",
        "latched and lost: the cause may be back",
        "pressed",
        "a silent emergency stop is pressed",
        "a state nobody has a name for",
        "an emergency stop that was never read",
        "a state nobody has a name for is no other state",
        "silent",
        "silent from the start",
        "one of several flags",
        "a quick rise",
        "one reading is no rise",
        "a sensor that said 0 and comes back",
        "a device that begins with 0",
        "a slow rise",
    ],
)  # fmt: skip
def test_what_an_interlock_makes_of_its_readings(lock: Interlock, steps: list[Step]) -> None:
    memory, states = Memory(), []
    for now, value, _ in steps:
        memory = judge([lock], memory, said(value), now).memory
        states.append(memory.entries["it-bms"].state)
    assert states == [state for _, _, state in steps]


WAS, IN, NOT_SEEN = "x of bms is 60", "x of bms is pressed", "nobody knows x of bms any more"


@pytest.mark.parametrize(
    ("lock", "steps"),
    [
        (HOT_LATCHED, [(0, 60.0, None), (5, 60.0, WAS), (7, None, WAS), (99, None, WAS)]),
        (HOT_LATCHED, [(0, 60.0, None), (5, 60.0, WAS), (6, 40.0, WAS), (7, None, WAS),
                       (99, None, WAS), (100, 40.0, WAS), (200, None, WAS),
                       (299, None, WAS)]),
        (HOT_LATCHED, [(0, 60.0, None), (5, 60.0, WAS), (6, 40.0, WAS),
                       (7, "hot", WAS), (99, "hot", WAS)]),
        (PRESSED, [(0, "released", None), (1, None, ""), (2, None, "")]),
        (PRESSED, [(0, "released", None), (1, None, ""), (2, "released", NOT_SEEN), (3, None, ""), (9, None, "")]),
        (PRESSED, [(0, "released", None), (1, None, ""), (2, "pressed", IN),
                   (3, None, IN), (4, "released", IN), (5, None, IN)]),
    ],
    ids=["it was there", "it waits for a person", "and says nonsense", "never seen", "a silence that latched",
         "a silence that proved right"],
)  # fmt: skip
def test_what_was_seen_stands_apart_from_what_nobody_knows(
    lock: Interlock, steps: list[tuple[float, Value | None, str | None]]
) -> None:
    """The reason it gives; none when it does not act, an empty one when a silence explains it."""
    memory, told = Memory(), list[str | None]()
    for now, value, _ in steps:
        says = judge([lock], memory, said(value), now)
        memory = says.memory
        acts = [one for one in says.acting if one.state is not State.UNTOLD]
        told.append(None if not acts else "" if acts[0].blind else acts[0].reason)
    assert told == [words for _, _, words in steps]


def test_a_bridge_that_begins_opens_nothing_before_it_has_looked() -> None:
    lock = lock_of(unless=["released"], effect=["lock_out"], reset="operator", unknown="active", unknown_after=0.0)
    says = judge([lock], Memory(), lambda *_: None, 100.0)
    assert (says.low, says.high, says.start, says.stop, says.lockout) == (0.0, 0.0, False, False, False)
    says = judge([lock], says.memory, lambda *_: None, 100.0 + FIRST_WORD)
    assert (says.stop, says.lockout) == (True, False), (
        "a lockout, which only a person ends, takes a cause that is known"
    )
    assert [one.name for one in says.raised] == ["it-bms"]


def test_flags_in_several_registers_are_absent_only_when_all_are_known() -> None:
    both = Interlock("it-bms", FLAGS.rule, "bms", ("x", "y"))
    says = judge([both], Memory(), lambda _, point: ["a"] if point == "x" else None, 0.0)
    assert [one.state for one in says.acting] == [State.ACTIVE], "one that is set counts"
    says = judge([both], Memory(), lambda _, point: [] if point == "x" else None, 0.0)
    assert [one.state for one in says.acting] == [State.UNTOLD]


def test_the_judgement_names_who_decided() -> None:
    charge = lock_of(name="full", above=3.65, clear=3.5, effect=["block_charge"])
    empty = lock_of(name="empty", below=5.0, clear=6.0, effect=["block_discharge"])
    locks = [Interlock(f"{one.rule.name}-bms", one.rule, "bms", ("x",)) for one in (charge, empty)]
    says = judge(locks, Memory(), lambda *_: 4.0, 0.0)
    assert [(one.source, one.low, one.high) for one in says.limits] == [
        ("interlock:full-bms", 0.0, float("inf")),
        ("interlock:empty-bms", float("-inf"), 0.0),
    ]
    assert (says.low, says.high) == (0.0, 0.0)
    assert [one.reason for one in says.acting] == ["x of bms is 4", "x of bms is 4"]
    assert [one.name for one in says.raised] == ["full-bms", "empty-bms"]
    says = judge(locks, says.memory, lambda *_: 3.0, 1.0)
    assert [one.name for one in says.cleared] == ["full-bms"]
    assert not says.raised


# --- a person's reset --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "cleared", "why"),
    [
        ([(0, 60.0), (5, 60.0), (6, 40.0)], ("it-bms",), ""),
        ([(0, 60.0), (5, 60.0)], (), "holds on, its cause is there: x of bms is 60"),
        ([(0, 60.0), (5, 60.0), (6, 52.0)], (), "holds on, its cause is there"),
        ([(0, 60.0), (5, 60.0), (6, 40.0), (7, 60.0)], (), "holds on, its cause is there"),
        ([(0, 60.0), (5, 60.0), (6, 40.0), (7, None)], (), "holds on, and nobody knows whether its cause is gone"),
        ([(0, 40.0), (1, None), (11, None)], (), "holds on, and nobody knows whether its cause is gone"),
        ([(0, 40.0)], (), None),
    ],
    ids=["gone", "there", "not beyond clear", "back, within its hold", "not seen", "unknown", "nothing to reset"],
)
def test_a_reset_ends_only_what_is_over(
    steps: list[tuple[float, float | None]], cleared: tuple[str], why: str | None
) -> None:
    memory = Memory()
    for now, value in steps:
        memory = judge([HOT_LATCHED], memory, said(value), now).memory
    done = reset([HOT_LATCHED], memory, "anna", 20.0)
    assert done.cleared == cleared
    assert [words.startswith(why or "") for _, words in done.refused] == ([True] if why else [])
    if cleared:
        entry = done.memory.entries["it-bms"]
        assert (entry.state, entry.reason) == (State.CLEAR, "reset by anna")
        assert judge([HOT_LATCHED], done.memory, lambda *_: 40.0, 21.0).acting == ()


def test_a_reset_needs_a_name_and_what_ends_by_itself_takes_none() -> None:
    says = judge([HOT], Memory(), lambda *_: 60.0, 0.0)
    says = judge([HOT], says.memory, lambda *_: 60.0, 5.0)
    with pytest.raises(ValueError, match="the name of the person"):
        reset([HOT], says.memory, " ", 6.0)
    assert reset([HOT], says.memory, "anna", 6.0).refused == (("it-bms", "holds on: x of bms is 60"),)


# --- whatever is read --------------------------------------------------------------------------------

readings = st.one_of(st.none(), st.sampled_from([40.0, 49.9, 50.0, 52.0, 55.0, 55.1, 60.0, float("nan"), "x"]))
steps = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 1.0, 3.0, 5.0, 11.0]), readings, st.booleans()), max_size=40)
rules = st.builds(
    lambda hold, off, reset, unknown, after: lock_of(
        above=55.0, clear=50.0, hold=hold, off=off, reset=reset, unknown=unknown, unknown_after=after
    ),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.sampled_from([0.0, 2.0, 10.0]),
    st.sampled_from(["auto", "operator"]),
    st.sampled_from(["last", "active"]),
    st.sampled_from([0.0, 2.0, 10.0]),
)


@given(rules, steps)
def test_no_sequence_of_readings_leaves_a_cause_without_its_effect(lock: Interlock, story: list[Any]) -> None:
    """A cause that has lasted for `hold`, a point unknown for longer than it may be, one that was never read, and a
    latched one that nobody has reset: each acts."""
    now, memory = 0.0, Memory()
    wrong_since: float | None = None
    lost_since: float | None = None
    ever, waits = False, False
    for pause, value, resets in story:
        now += pause
        says = judge([lock], memory, said(value), now)
        memory, acts = says.memory, bool(says.acting)
        known = isinstance(value, float) and math.isfinite(value)
        ever |= known
        if known:
            wrong_since = (now if wrong_since is None else wrong_since) if value > 55 else None
            lost_since = None
        else:
            lost_since = now if lost_since is None else lost_since
        if wrong_since is not None and now - wrong_since >= lock.rule.hold:
            waits = True
            assert acts
        if lost_since is not None and now - lost_since >= lock.rule.patience:
            assert acts
        if not ever:
            assert acts
        if waits and lock.rule.reset == "operator":
            assert acts, "latched never ends by itself"
        if acts:
            state = says.acting[0].state
            assert says.low == says.high == 0.0
            assert {state} <= set(ACTS)
        if resets:
            done = reset([lock], memory, "anna", now)
            if done.cleared:
                assert known
                assert value <= 55, "never before the cause is gone"
                waits = False
            memory = done.memory


@given(
    rules,
    st.lists(st.tuples(st.sampled_from([0.1, 1.0, 5.0]), st.floats(50.01, 55.0)), min_size=1, max_size=40),
    st.booleans(),
)
def test_between_limit_and_clear_nothing_changes(
    lock: Interlock, story: list[tuple[float, float]], active: bool
) -> None:
    """Hysteresis never flaps."""
    now, memory = 100.0, Memory()
    for at in (0.0, 50.0):
        memory = judge([lock], memory, lambda *_: 60.0 if active else 40.0, at).memory
    before = memory.entries["it-bms"].state
    for pause, value in story:
        now += pause
        says = judge([lock], memory, said(value), now)
        memory = says.memory
        assert not says.changes
        assert memory.entries["it-bms"].state is before


@given(rules.filter(lambda lock: lock.rule.off > 0), steps)
def test_it_never_ends_sooner_than_off_after_its_cause(lock: Interlock, story: list[Any]) -> None:
    now, memory, wrong = 0.0, Memory(), float("-inf")
    for pause, value, _ in story:
        now += pause
        if isinstance(value, float) and value > 55:
            wrong = now
        says = judge([lock], memory, said(value), now)
        memory = says.memory
        if says.cleared:
            assert now - wrong >= lock.rule.off


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.1, 1.0, 30.0]), st.sampled_from(["released", "pressed", None, "unknown_3", [], 1.0])
        ),
        max_size=30,
    )
)
def test_an_emergency_stop_that_is_not_known_to_be_released_stops(story: list[tuple[float, Value | None]]) -> None:
    now, memory, told = 0.0, Memory(), False
    for pause, value in story:
        now += pause
        says = judge([PRESSED], memory, said(value), now)
        memory, told = says.memory, told or isinstance(value, str)
        if value != "released":
            assert (says.low, says.high, says.start) == (0.0, 0.0, False)
            assert says.stop or not told


def test_the_tables_are_whole() -> None:
    """Every state takes every word of the field; only what waits for a person takes a reset."""
    for name, table in TABLES.items():
        states = {state for state, _ in table} | set(table.values())
        for state in states:
            for event in (Event.WRONG, Event.RIGHT, Event.LOST):
                assert (state, event) in table, name
            assert ((state, Event.RESET) in table) == (state is State.LATCHED)
    assert all(
        following is not State.CLEAR
        for (state, event), following in LATCHING.items()
        if state is State.ACTIVE or (state is State.LATCHED and event is not Event.RESET)
    )
    assert all(
        following is State.ACTIVE
        for table in (AUTO, LATCHING)
        for (_, event), following in table.items()
        if event is Event.WRONG
    )
    assert all(
        following not in (State.CLEAR, State.LATCHED)
        for table in (AUTO, LATCHING)
        for (_, event), following in table.items()
        if event is Event.LOST
    )
    assert set(ACTS) == set(State)
    assert all(ACTS[state][effect] for state in State for effect in Effect if state is not State.CLEAR)
