"""Stories of one alarm, as tables: seconds and what happens then."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.expression.topmost import Look
from consumers.alarms.requests import LONGEST_OUT, LONGEST_SHELF, Refusal, offered, request
from consumers.alarms.rules import NOTHING, Around, Memory, Now, follow, settle, transitions
from consumers.alarms.states import AWAY, LATCHING, OVER, PLAIN, TABLE, Event, mermaid
from schemas.messages import AlarmRequest, AlarmState
from schemas.site_alarm import AlarmRule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOT = AlarmRule(name="hot", device="bms1", point="t", above=45.0, deadband=3.0, on_delay=10.0, off_delay=5.0)
TRIP = HOT.model_copy(update={"latched": True})
QUICK = HOT.model_copy(update={"on_delay": 0.0, "off_delay": 0.0})

NORMAL, UNACK, ACKED = AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED
RETURNED, LATCHED, SHELVED = AlarmState.RETURNED, AlarmState.LATCHED, AlarmState.SHELVED
LATCHED_UNACK, SUPPRESSED, OUT = (
    AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE
)  # fmt: skip

GAP = 10.0
"""Seconds; the device of these stories is read each 4 s."""
Happening = float | str | None
Story = list[tuple[float, Happening]]


def at(second: float) -> Now:
    return Now(1000.0 + second, NOON + timedelta(seconds=second))


def wish(action: str, now: Now, minutes: float = 5) -> AlarmRequest:
    until = now.wall + timedelta(minutes=minutes) if action in ("shelve", "out_of_service") else None
    return AlarmRequest.model_validate({"at": now.wall, "action": action, "who": "anna", "why": "seen", "until": until})


def judge(rule: AlarmRule, memory: Memory, reading: float | None, now: Now, around: Around = NOTHING) -> Memory:
    """A look at a temperature; None is one that nobody can believe."""
    assert rule.above is not None
    limit = rule.above - rule.deadband * memory.active
    wrong = None if reading is None else reading > limit
    return follow(rule, memory, Look(wrong, reading, rule.above, "degC"), now, around)


def step(rule: AlarmRule, memory: Memory, happens: Happening, now: Now, around: Around) -> tuple[Memory, Around]:
    """What one line of a story makes of an alarm; `parent` and `no parent` are an alarm that explains it."""
    if happens in ("parent", "no parent"):
        around = replace(around, suppressed=happens == "parent")
        return settle(rule, memory, now, suppressed=around.suppressed), around
    if isinstance(happens, str):
        return request(rule, memory, wish(happens, now), now, suppressed=around.suppressed), around
    return judge(rule, memory, happens, now, around), around


def live(rule: AlarmRule, story: Story) -> list[AlarmState]:
    """The states a story goes through. A number is a reading, None one that nobody can believe, a word a request."""
    memory, around, states = Memory(), Around(gap=GAP), []
    for second, happens in story:
        memory, around = step(rule, memory, happens, at(second), around)
        states.append(memory.state)
    return [state for i, state in enumerate(states) if i == 0 or state is not states[i - 1]]


@pytest.mark.parametrize(
    ("rule", "story", "states"),
    [
        (HOT, [(0, 51), (5, 44), (10, 51), (15, 44)], [NORMAL]),
        (HOT, [(0, 51), (9.9, 51)], [NORMAL]),
        (HOT, [(0, 51), (10, 51)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (4, 46), (5, 45), (6, 51), (15, 51), (16, 51)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (10, 51), (11, 43), (20, 43), (30, 44.9)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (10, 51), (11, 41), (15, 41), (15.5, 43), (16, 41), (20, 41)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (10, 51), (11, 41), (16, 41)], [NORMAL, UNACK, RETURNED]),
        (HOT, [(0, 51), (10, 51), (11, "ack"), (12, 41), (17, 41)], [NORMAL, UNACK, ACKED, NORMAL]),
        (HOT, [(0, 51), (10, 51), (12, 41), (17, 41), (18, "ack")], [NORMAL, UNACK, RETURNED, NORMAL]),
        (
            HOT,
            [(0, 51), (10, 51), (12, 41), (17, 41), (20, 51), (30, 51)],
            [NORMAL, UNACK, RETURNED, UNACK],
        ),
        (HOT, [(0, 51), (5, None), (10, None), (60, None)], [NORMAL]),
        (HOT, [(0, 51), (5, None), (10, 51)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (10, 51), (11, None), (60, None)], [NORMAL, UNACK]),
        (TRIP, [(0, 51), (10, 51), (11, "ack"), (12, 41), (17, 41)], [NORMAL, UNACK, ACKED, LATCHED]),
        (
            TRIP,
            [(0, 51), (10, 51), (12, 41), (17, 41), (18, "ack"), (19, "reset")],
            [NORMAL, UNACK, LATCHED_UNACK, LATCHED, NORMAL],
        ),
        (
            TRIP,
            [(0, 51), (10, 51), (12, 41), (17, 41), (18, "ack"), (20, 51), (30, 51)],
            [NORMAL, UNACK, LATCHED_UNACK, LATCHED, UNACK],
        ),
        (HOT, [(0, 51), (10, 51), (11, "shelve"), (20, 51), (300, 51)], [NORMAL, UNACK, SHELVED]),
        (HOT, [(0, 51), (10, 51), (11, "shelve"), (310, 51), (311, None)], [NORMAL, UNACK, SHELVED, UNACK]),
        (HOT, [(0, 51), (10, 51), (11, "shelve"), (20, 41), (25, 41), (311, None)], [NORMAL, UNACK, SHELVED, NORMAL]),
        (HOT, [(0, 41), (1, "shelve"), (2, 51), (12, 51), (13, "unshelve")], [NORMAL, SHELVED, UNACK]),
        (HOT, [(0, "shelve"), (200, "shelve"), (400, 41), (499, 41), (500, 41)], [SHELVED, NORMAL]),
        (HOT, [(0, 51), (4, None), (3600, None), (3604, 51), (3613, 51)], [NORMAL]),
        (HOT, [(0, 51), (3604, 51), (3609, 51), (3614, 51)], [NORMAL, UNACK]),
        (HOT, [(0, 51), (10, 51), (20, 41), (90, 41), (94, 41), (99, 41)], [NORMAL, UNACK, RETURNED]),
        (HOT, [(0, 51), (10, 51), (11, "parent"), (60, None), (61, "no parent")], [NORMAL, UNACK, SUPPRESSED, UNACK]),
        (HOT, [(0, "parent"), (1, 51), (11, 51), (12, 41), (17, 41), (20, "no parent")], [NORMAL, SUPPRESSED, NORMAL]),
        (HOT, [(0, 51), (10, 51), (12, 41), (17, 41), (18, "parent")], [NORMAL, UNACK, RETURNED]),
        (
            HOT,
            [(0, 51), (10, 51), (12, 41), (17, 41), (18, "parent"), (20, 51), (30, 51)],
            [NORMAL, UNACK, RETURNED, SUPPRESSED],
        ),
        (
            HOT,
            [
                (0, 51),
                (10, 51),
                (11, "parent"),
                (12, "shelve"),
                (13, "unshelve"),
                (14, "shelve"),
                (15, "out_of_service"),
            ],
            [NORMAL, UNACK, SUPPRESSED, SHELVED, SUPPRESSED, SHELVED, OUT],
        ),
        (
            TRIP,
            [(0, "parent"), (1, 51), (11, 51), (12, 41), (17, 41), (20, "no parent"), (21, "ack"), (22, "reset")],
            [NORMAL, SUPPRESSED, LATCHED_UNACK, LATCHED, NORMAL],
        ),
        (TRIP, [(0, "parent"), (1, 51), (11, 51), (20, "no parent")], [NORMAL, SUPPRESSED, UNACK]),
        (
            TRIP,
            [(0, "out_of_service"), (1, 51), (11, 51), (12, 41), (17, 41), (20, "in_service")],
            [OUT, LATCHED_UNACK],
        ),
        (TRIP, [(0, 51), (10, 51), (11, "out_of_service"), (12, 51), (311, 51)], [NORMAL, UNACK, OUT, UNACK]),
        (
            TRIP,
            [(0, 51), (10, 51), (12, 41), (17, 41), (18, "ack"), (19, "out_of_service"), (319, None)],
            [NORMAL, UNACK, LATCHED_UNACK, LATCHED, OUT, LATCHED_UNACK],
        ),
        (TRIP, [(0, "out_of_service"), (1, 41), (300, 41)], [OUT, NORMAL]),
        (HOT, [(0, "out_of_service"), (200, "out_of_service"), (499, 41), (500, 41)], [OUT, NORMAL]),
    ],
    ids=[
        "spikes",
        "not yet long enough",
        "hot for long",
        "flapping begins the delay anew",
        "not cool enough to be over",
        "cool, but not for long enough",
        "cool again, nobody looked",
        "acknowledged, then over",
        "over, then acknowledged",
        "over, and hot again",
        "one bad reading, then nothing to believe",
        "gaps between hot readings",
        "gaps do not end an alarm",
        "latched",
        "latched until the reset",
        "latched and hot again",
        "shelved stays quiet",
        "shelving ends by itself while it is hot",
        "shelving ends by itself, nothing is wrong",
        "shelved beforehand, unshelved while it is hot",
        "shelved for longer",
        "a spike, an hour of bad quality, a spike",
        "a spike, an hour without a word, then hot for long",
        "cool, a gap, then cool for long",
        "suppressed while another one explains it",
        "came and went while it was suppressed",
        "what is over is not suppressed",
        "over, and hot again while another one explains it",
        "out of service over shelved over suppressed",
        "a latching one that came and went while it was suppressed",
        "a latching one that is still there comes back unacknowledged",
        "a latching one that came and went while it was out of service",
        "out of service ends by itself while it is hot",
        "a latched one goes out of service and is not forgotten",
        "out of service ends by itself, nothing is wrong",
        "out of service for longer",
    ],
)
def test_a_story(rule: AlarmRule, story: Story, states: list[AlarmState]) -> None:
    story = [(second, float(what) if isinstance(what, int) else what) for second, what in story]
    assert live(rule, story) == states


@pytest.mark.parametrize(
    ("rule", "story", "words"),
    [
        (HOT, [(0, "ack")], "normal now: there is nothing to ack"),
        (HOT, [(0, "reset")], "only a latching alarm is reset"),
        (HOT, [(0, "unshelve")], "normal now: there is nothing to unshelve"),
        (HOT, [(0, 51.0), (10, 51.0), (11, "ack"), (12, "ack")], "acknowledged now: there is nothing to ack"),
        (TRIP, [(0, 51.0), (10, 51.0), (11, "reset")], "unacknowledged now: there is nothing to reset"),
        (TRIP, [(0, 51.0), (10, 51.0), (11, "shelve")], "latching alarm.*cannot be shelved"),
        (TRIP, [(0, 51.0), (10, 51.0), (12, 41.0), (17, 41.0), (18, "reset")], "acknowledge it first, then reset it"),
        (HOT, [(0, "out_of_service"), (1, "ack")], "out of service: an engineer brings it back before"),
        (HOT, [(0, "out_of_service"), (1, "shelve")], "out of service: an engineer brings it back before"),
        (HOT, [(0, "in_service")], "normal now: there is nothing to in_service"),
    ],
)
def test_what_is_not_in_the_table_is_refused(rule: AlarmRule, story: Story, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        live(rule, story)


@pytest.mark.parametrize("late", [-31, 31])
def test_a_request_from_another_moment_is_refused(late: float) -> None:
    with pytest.raises(Refusal, match="too far apart"):
        request(HOT, Memory(state=UNACK, active=True), wish("ack", at(0)), at(late))


def test_a_request_for_one_raise_is_not_taken_for_another() -> None:
    """The link of a message: the alarm was raised anew while somebody pressed its button."""
    there, raised = Memory(state=UNACK, active=True, since=at(0).wall), wish("ack", at(5))
    mine = raised.model_copy(update={"since": there.since})
    assert request(HOT, there, mine, at(5)).state is AlarmState.ACKNOWLEDGED
    for earlier in (timedelta(microseconds=1), timedelta(hours=1)):
        other = raised.model_copy(update={"since": there.since - earlier})
        with pytest.raises(Refusal, match="that is another one: look at it, and ask again"):
            request(HOT, there, other, at(5))


@pytest.mark.parametrize("minutes", [-1, 0, LONGEST_SHELF.total_seconds() / 60 + 1])
def test_a_shelf_has_a_sensible_end(minutes: float) -> None:
    with pytest.raises(Refusal, match="up to 24 h"):
        request(HOT, Memory(), wish("shelve", at(0), minutes), at(0))


def test_out_of_service_has_a_sensible_end() -> None:
    longest = LONGEST_OUT.total_seconds() / 60
    assert request(HOT, Memory(), wish("out_of_service", at(0), longest), at(0)).state is OUT
    for minutes in (-1, 0, longest + 1):
        with pytest.raises(Refusal, match="out of service for up to 30 days, counted from now"):
            request(HOT, Memory(), wish("out_of_service", at(0), minutes), at(0))


@pytest.mark.parametrize("rule", [HOT, TRIP])
@pytest.mark.parametrize("state", list(AlarmState))
def test_what_is_offered_is_followed_and_nothing_else(rule: AlarmRule, state: AlarmState) -> None:
    memory = Memory(state=state)
    for action in ("ack", "shelve", "unshelve", "reset", "out_of_service", "in_service", "comment"):
        if action in offered(rule, memory):
            request(rule, memory, wish(action, at(0)), at(0))
        else:
            with pytest.raises(Refusal):
                request(rule, memory, wish(action, at(0)), at(0))


def test_a_comment_changes_nothing_else() -> None:
    memory = Memory(state=LATCHED, by="bert", latch=True)
    after = request(TRIP, memory, wish("comment", at(0)), at(0))
    assert after == replace(memory, comment="anna: seen", at=at(0).wall)


def test_it_is_told_when_the_condition_came() -> None:
    memory = judge(HOT, Memory(), 51.0, at(0))
    memory = judge(HOT, memory, 51.0, at(10))
    assert (memory.began, memory.since) == (at(0).wall, at(10).wall)
    memory = judge(QUICK, Memory(), 51.0, at(20), Around(age=5.5))
    assert memory.began == at(14.5).wall, "a silence began with the last word"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_step_of_the_wall_clock_moves_no_delay(hours: float) -> None:
    step = timedelta(hours=hours)
    memory = judge(HOT, Memory(), 51.0, at(0))
    now = at(5)
    memory = judge(HOT, memory, 51.0, replace(now, wall=now.wall + step))
    assert memory.state is NORMAL
    now = at(10)
    memory = judge(HOT, memory, 51.0, replace(now, wall=now.wall + step))
    assert memory.state is UNACK
    assert memory.since == now.wall + step

    shelved = request(HOT, memory, wish("shelve", at(11)), at(11))
    now = at(20)
    assert judge(HOT, shelved, 51.0, replace(now, wall=now.wall + step)).state is SHELVED
    now = at(11 + 300)
    assert judge(HOT, shelved, 51.0, replace(now, wall=now.wall + step)).state is UNACK


def test_who_and_why_stay_until_the_next_change() -> None:
    memory = judge(QUICK, Memory(), 51.0, at(0))
    memory = request(HOT, memory, wish("ack", at(1)), at(1))
    assert (memory.by, memory.why, memory.at, memory.since) == ("anna", "seen", at(1).wall, at(0).wall)


def test_the_diagram_shows_every_transition() -> None:
    lines = mermaid().splitlines()
    for table in (PLAIN, LATCHING):
        for (state, event), following in table.items():
            assert any(line.strip().startswith(f"{state} --> {following}: {event}") for line in lines)
    assert "    acknowledged --> latched: return (latching)" in lines
    assert "    acknowledged --> normal: return (not latching)" in lines
    assert len(lines) == 2 + len({(state, event, to) for t in (PLAIN, LATCHING) for (state, event), to in t.items()})


def test_nothing_is_a_dead_end() -> None:
    for table in (PLAIN, LATCHING):
        reached, new = {NORMAL}, {NORMAL}
        while new:
            new = {to for (state, _), to in table.items() if state in new} - reached
            reached |= new
        assert {state for state, _ in table} == reached
        assert all(any(source is state for source, _ in table) for state in reached)
    assert {state for state, _ in TABLE} == {*AlarmState}


# --- properties ------------------------------------------------------------------------------------

readings = st.one_of(st.none(), st.floats(30, 60))
asked = ["ack", "shelve", "unshelve", "reset", "out_of_service", "in_service", "comment", "parent", "no parent"]
happenings = st.one_of(readings, st.sampled_from(asked))
stories = st.lists(st.tuples(st.floats(0.01, 20), happenings), max_size=40)
rules = st.sampled_from([HOT, TRIP, QUICK])


def walk(rule: AlarmRule, story: list[tuple[float, Happening]]) -> list[tuple[Now, Happening, Memory, Memory]]:
    """Every step of a story: when, what happened, the memory before and after."""
    memory, around, second, steps = Memory(), Around(gap=GAP), 0.0, []
    for pause, happens in story:
        second += pause
        now, before = at(second), memory
        try:
            memory, around = step(rule, memory, happens, now, around)
        except Refusal:
            memory = before
        steps.append((now, happens, before, memory))
    return steps


@given(rules, stories)
def test_active_implies_that_it_held_for_its_delay_on_believed_readings(
    rule: AlarmRule, story: list[tuple[float, Happening]]
) -> None:
    hot_since, last = math.inf, -math.inf
    for now, happens, before, after in walk(rule, story):
        if isinstance(happens, float):
            if happens <= 45:
                hot_since = math.inf
            elif now.steady - last > GAP or hot_since == math.inf:
                hot_since = now.steady
            last = now.steady
        if after.active and not before.active:
            assert now.steady - hot_since >= rule.on_delay
            assert after.began == now.ago(now.steady - hot_since)


@given(rules, stories)
def test_no_person_and_no_parent_changes_the_condition(rule: AlarmRule, story: list[tuple[float, Happening]]) -> None:
    for _, happens, before, after in walk(rule, story):
        if not isinstance(happens, float):
            assert after.active == before.active


@given(rules, stories)
def test_what_is_active_is_always_shown(rule: AlarmRule, story: list[tuple[float, Happening]]) -> None:
    for _, _, _, after in walk(rule, story):
        if after.active:
            assert after.state in (UNACK, ACKED, *AWAY)
        else:
            assert after.state in (NORMAL, *OVER, *AWAY)
        assert (after.ends is not None) == (after.state in (SHELVED, OUT))
        assert not (after.latch and after.state is NORMAL)


@given(rules, stories)
def test_one_excursion_raises_once(rule: AlarmRule, story: list[tuple[float, Happening]]) -> None:
    """Apart from what comes back from where nobody was told of it."""
    raised = 0
    for _, _, before, after in walk(rule, story):
        if after.active and not before.active:
            raised = 0
        if after.state is UNACK and before.state is not UNACK and before.state not in AWAY:
            raised += 1
        assert raised <= 1


@given(rules, stories)
def test_every_change_stands_in_the_table(rule: AlarmRule, story: list[tuple[float, Happening]]) -> None:
    """One step, and what follows it without anybody asking."""
    table, alone = transitions(rule), (Event.RAISE, Event.RETURN, Event.SUPPRESS, Event.UNSUPPRESS)
    for _, _, before, after in walk(rule, story):
        reached = {to for (state, _), to in table.items() if state is before.state} | {before.state}
        for _ in range(3):
            reached |= {to for (state, event), to in table.items() if state in reached and event in alone}
        assert after.state in reached


@given(stories)
def test_a_latching_alarm_ends_only_by_a_reset(story: list[tuple[float, Happening]]) -> None:
    """However often it was suppressed or out of service meanwhile."""
    latched = False
    for _, happens, before, after in walk(TRIP, story):
        latched = (latched or after.active) and not (happens == "reset" and after.state is NORMAL)
        if before.state is not NORMAL and after.state is NORMAL:
            assert not latched
        if latched and after.state not in AWAY:
            assert after.state in (UNACK, ACKED, LATCHED_UNACK, LATCHED)


@given(rules, stories)
def test_what_is_away_always_comes_back(rule: AlarmRule, story: list[tuple[float, Happening]]) -> None:
    steps = walk(rule, story)
    memory = steps[-1][3] if steps else Memory()
    last = steps[-1][0].steady - 1000 if steps else 0.0
    memory = settle(rule, memory, at(last + 301))
    assert memory.state not in AWAY
