"""All alarms of a small site in virtual time: what explains what, what leads, and what comes back. Pure."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.alarms.answer import answer
from consumers.alarms.catalog import for_device, load_catalog
from consumers.alarms.expression.scope import Scope
from consumers.alarms.panel import Panel
from consumers.alarms.rules import Memory
from consumers.alarms.said import Standing, said
from consumers.alarms.states import OVER
from consumers.alarms.suppression import Suppression
from consumers.alarms.watches import compiled
from runtime.heard import Heard
from schemas.messages import AlarmPriority, AlarmRequest, AlarmState
from schemas.profiles import PROFILES, load_profile
from schemas.site_alarm import AlarmRule
from schemas.topics import ALARM_REQUEST
from tests.consumers.test_alarms_panel import NOON, a_panel, at, part_is, say, words

RULES = """
[[alarm]]
name = "hot"
device = "bms1"
point = "cell_t_max"
above = 40
on_delay = 4
[[alarm]]
name = "warm"
device = "bms1"
point = "cell_t_max"
above = 30
suppressed_by = ["hot"]
[[alarm]]
name = "low"
device = "bms1"
point = "soc"
below = 10
[[alarm]]
name = "door"
device = "bms1"
point = "alarms_2"
contains = "door"
latched = true
suppressed_by = ["hot"]
[[alarm]]
name = "burning"
device = "bms1"
point = "cell_t_max"
above = 60
latched = true
priority = "critical"
class = "safety"
time_to_respond = 10
suppressed_by = ["hot", "bms_silent"]
suppress_when = "soc < 50"
[[alarm]]
name = "stopped"
device = "pcs1"
point = "state"
equals = "fault"
suppressed_by = ["hot-bms1"]
[[alarm]]
name = "idle"
device = "pcs1"
point = "state"
equals = "off"
priority = "high"
time_to_respond = 60
suppressed_by = ["hot-bms1"]
"""
Happening = tuple[str, Any]
"""A device and what it says; `silence` for the time alone, `ask` and `link` for a person's and the bridge's word."""
Story = dict[float, list[Happening]]

HOT, COOL, CALM = ("bms1", {"cell_t_max": 45.0}), ("bms1", {"cell_t_max": 20.0}), ("bms1", {"cell_t_max": 35.0})
OPEN: Happening = ("bms1", {"alarms_2": ["door"]})
SHUT: Happening = ("bms1", {"alarms_2": []})
FAULT, IDLE = ("pcs1", {"state": "fault"}), ("pcs1", {"state": "off"})
WELL, DEAD = ("pcs1", {"state": "running"}), ("bms1", None)
U, R, S, N = "unacknowledged", "returned", "suppressed", "normal"


def asked(action: str, second: float, **more: Any) -> AlarmRequest:
    more |= {"why": "test"} if action in ("out_of_service", "comment") else {}
    return AlarmRequest.model_validate({"at": at(second).wall, "action": action, "who": "anna", **more})


def live(panel: Panel, story: Story, until: int) -> dict[str, list[tuple[float, str]]]:
    """Second by second, what became of each alarm; a device goes on to say what it said last."""
    found: dict[str, list[tuple[float, str]]] = {}
    telling: dict[str, dict[str, Any]] = {}
    for second in range(until):
        changes = []
        for who, what in story.get(second, []):
            if who == "link":
                changes += panel.note("bms1", "link", what, at(second))
            elif who == "ask":
                action, name, length = what
                more = {"until": at(second + length).wall} if length else {}
                changes += panel.request(name, asked(action, second, **more), at(second))
            elif what is None:
                telling.pop(who, None)
            else:
                telling[who] = telling.get(who, {}) | what
        for device, values in telling.items():
            changes += panel.hear(device, say(second, **values), at(second))
        changes += panel.tick(at(second))
        for name, alarm in changes:
            if not (known := found.setdefault(name, [])) or known[-1][1] != alarm.state.value:
                known.append((second, alarm.state.value))
    return found


STORIES: dict[str, tuple[Story, dict[str, list[tuple[float, str]]]]] = {
    "by an alarm of the same device": (
        {0: [CALM], 10: [HOT], 20: [CALM], 25: [COOL]},
        {"warm-bms1": [(0, U), (14, S), (20, U), (25, R)], "hot-bms1": [(14, U), (20, R)]},
    ),
    "by the whole name of an alarm of another device": (
        {0: [HOT], 10: [FAULT], 20: [COOL]},
        {"stopped-pcs1": [(10, S), (20, U)]},
    ),
    "an offline link, and it comes back": (
        {
            0: [("bms1", {"soc": 5.0})],
            5: [("link", "offline"), ("bms1", None)],
            8: [("link", "online"), ("bms1", {"soc": 5.0})],
        },
        {"low-bms1": [(0, U), (5, S), (8, U)]},
    ),
    "a silent BMS, and it speaks again": (
        {0: [("bms1", {"soc": 5.0})], 3: [("bms1", None)], 30: [("bms1", {"soc": 5.0})]},
        {"low-bms1": [(0, U), (8, S), (35, U)], "bms_silent-bms1": [(8, U), (35, R)]},
    ),
    "a latching one that came and went meanwhile is told": (
        {0: [HOT], 10: [OPEN], 12: [SHUT], 20: [COOL]},
        {"door-bms1": [(10, S), (20, "latched_unacknowledged")]},
    ),
    "one that came and went meanwhile is not told, if it does not latch": (
        {0: [HOT], 10: [FAULT], 12: [("pcs1", {"state": "running"})], 20: [COOL]},
        {"stopped-pcs1": [(10, S), (20, N)]},
    ),
    "a latching one that came and went while out of service": (
        {0: [("ask", ("out_of_service", "door-bms1", 20))], 5: [OPEN], 8: [SHUT]},
        {"door-bms1": [(0, "out_of_service"), (20, "latched_unacknowledged")]},
    ),
    "out of service ends while the condition is there": (
        {0: [("bms1", {"soc": 5.0})], 3: [("ask", ("out_of_service", "low-bms1", 20))]},
        {"low-bms1": [(0, U), (3, "out_of_service"), (23, U)]},
    ),
    "the shelf ends by itself, the condition is there": (
        {0: [("bms1", {"soc": 5.0})], 3: [("ask", ("shelve", "low-bms1", 20))]},
        {"low-bms1": [(0, U), (3, "shelved"), (23, U)]},
    ),
    "the shelf ends by itself, nothing is wrong": (
        {0: [("bms1", {"soc": 5.0})], 3: [("ask", ("shelve", "low-bms1", 20))], 9: [("bms1", {"soc": 50.0})]},
        {"low-bms1": [(0, U), (3, "shelved"), (23, N)]},
    ),
    "the shelf ends in a silence: it is suppressed": (
        {0: [("bms1", {"soc": 5.0})], 3: [("ask", ("shelve", "low-bms1", 20)), ("bms1", None)]},
        {"low-bms1": [(0, U), (3, "shelved"), (23, S)]},
    ),
    "what is out of service explains nobody": (
        {0: [CALM, ("ask", ("out_of_service", "hot-bms1", 99))], 5: [HOT]},
        {"warm-bms1": [(0, U)], "hot-bms1": [(0, "out_of_service")]},
    ),
    "what nobody knows explains nothing new": (
        {0: [HOT, WELL], 10: [DEAD], 20: [FAULT], 30: [HOT], 35: [COOL]},
        {"stopped-pcs1": [(20, U), (30, S), (35, U)]},
    ),
    "what nobody knows any more explains what it explained for a while": (
        {0: [HOT], 5: [FAULT], 10: [DEAD]},
        {"stopped-pcs1": [(5, S), (75, U)]},
    ),
    "and longer, where it is known again": (
        {0: [HOT], 5: [FAULT], 10: [DEAD], 60: [HOT], 61: [DEAD]},
        {"stopped-pcs1": [(5, S)]},
    ),
    "on the shelf it explains what is not more urgent": (
        {0: [HOT], 5: [("ask", ("shelve", "hot-bms1", 60))], 10: [FAULT]},
        {"stopped-pcs1": [(10, S)], "hot-bms1": [(4, U), (5, "shelved"), (65, U)]},
    ),
    "on the shelf it hides nothing more urgent": (
        {0: [HOT], 10: [IDLE], 15: [("ask", ("shelve", "hot-bms1", 60))]},
        {"idle-pcs1": [(10, S), (15, U), (75, S)]},
    ),
    "on the shelf, and its condition is gone": (
        {0: [HOT], 5: [FAULT], 15: [("ask", ("shelve", "hot-bms1", 60))], 20: [COOL]},
        {"stopped-pcs1": [(5, S), (20, U)]},
    ),
    "critical and safety is shown whatever explains it": (
        {0: [("bms1", {"cell_t_max": 70.0, "soc": 5.0})], 8: [("bms1", None), ("link", "offline")]},
        {"burning-bms1": [(0, U)], "warm-bms1": [(0, U), (4, S)]},
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_is_not_shown_comes_back(tmp_path: Path, name: str) -> None:
    story, wanted = STORIES[name]
    found = live(a_panel(tmp_path, RULES), story, 80)
    assert {alarm: found.get(alarm, []) for alarm in wanted} == wanted


def test_who_shelves_is_told_what_it_hides(tmp_path: Path) -> None:
    panel = a_panel(tmp_path, RULES)
    live(panel, {0: [HOT]}, 6)
    assert panel.hidden_by("low-bms1") == ""
    asks = asked("shelve", 6, until=at(60).wall)
    place = {"site": "here", "alarm": "hot-bms1"}
    shelved = answer(panel, Heard(ALARM_REQUEST, place, asks, "", asks.model_dump_json().encode(), False, 1), at(6))
    assert shelved is not None
    ever = "while its condition is there it also hides 3 alarms"
    assert (shelved.outcome.followed, shelved.outcome.reason) == (True, f"{ever} now, 1 of them: warm-bms1")
    panel.hear("bms1", say(7, cell_t_max=20.0), at(7))
    assert panel.hidden_by("hot-bms1") == f"{ever}; none of them now"


def test_a_frozen_device_whose_bridge_is_gone_hides_no_silence_for_ever(tmp_path: Path) -> None:
    """What the bridge said last stood, and the silence was taken for its consequence for ever."""
    panel, shown = a_panel(tmp_path, ""), dict[AlarmState, int]()
    for second in range(120):
        if second < 20:
            panel.note_causes("bms1", ["frozen"], at(second), sure=True)
        elif second == 20:
            panel.note_causes("bms1", [], at(second), sure=False)
        panel.tick(at(second))
        if (alarm := panel.shown().get("bms_silent-bms1")) is not None:
            shown.setdefault(alarm.state, second)
    assert shown == {AlarmState.SUPPRESSED: 6, AlarmState.UNACKNOWLEDGED: 80}


def test_the_cause_with_the_longer_delay_takes_the_mark_and_both_are_told_anew(tmp_path: Path) -> None:
    """The voltage was wrong first and is told last; by the order of being told it was a consequence."""
    rules = """
    [[alarm]]
    name = "cause"
    device = "bms1"
    point = "cell_u_max"
    above = 3.5
    on_delay = 10
    [[alarm]]
    name = "outcome"
    device = "pcs1"
    point = "state"
    equals = "fault"
    """
    panel = a_panel(tmp_path, rules)
    told = []
    for second in range(12):
        told += panel.hear("bms1", say(second, cell_u_max=3.6), at(second))
        told += panel.hear("pcs1", say(second, state="fault" if second >= 4 else "running"), at(second))
        told += panel.tick(at(second))
    mine = [
        (name, alarm.first_out, alarm.consequence_of) for name, alarm in told if name in ("cause-bms1", "outcome-pcs1")
    ]
    assert mine == [
        ("outcome-pcs1", False, ""),
        ("outcome-pcs1", True, ""),  # pcs_fault came, too
        ("cause-bms1", True, ""),
        ("outcome-pcs1", False, "cause-bms1"),
    ]
    assert {alarm.began for name, alarm in told if name == "cause-bms1"} == {at(0).wall}


def test_a_part_that_is_down_explains_what_it_does_not_do(tmp_path: Path) -> None:
    """By a whole name across parts, also when the part that is down is heard of last."""
    panel = a_panel(tmp_path, "")
    found = []
    for second in range(70):
        found += panel.note_service("bridge", part_is("not_archived"), at(second))
        if second >= 5:
            found += panel.note_service("archive", part_is(state="offline"), at(second))
        found += panel.tick(at(second))
    assert panel.shown()["service_down-archive"].state is AlarmState.UNACKNOWLEDGED
    explained = panel.shown()["not_archived-bridge"]
    assert (explained.state, explained.consequence_of) == (AlarmState.SUPPRESSED, "service_down-archive")


def every_shipped() -> list[AlarmRule]:
    return load_catalog().every


@pytest.mark.parametrize("state", [*OVER, AlarmState.NORMAL])
def test_what_is_over_tells_nobody_to_leave_the_room(state: AlarmState) -> None:
    """Of each shipped rule: neither what to do against it nor what comes of it."""
    scope = Scope({"d": load_profile(next(PROFILES.glob("*.toml")).stem)})
    watched = compiled(AlarmRule(name="any", device="d", silent=5.0), scope.of("d"))
    for rule in every_shipped():
        memory = Memory(state=state, at=NOON, since=NOON, began=NOON - timedelta(minutes=1))
        text = said(
            for_device(rule, "d"), memory, Standing(watched, reason="it says so", did="Discharging is blocked.")
        ).text
        assert text.startswith("It is over: ")
        assert rule.cause in text
        for instruction in (rule.response, rule.consequence, "Discharging is blocked.", "it says so"):
            assert instruction not in text, rule.name


def test_what_is_active_tells_it_all(tmp_path: Path) -> None:
    """The counterpart: the words that are left out above are there as long as they matter."""
    panel = a_panel(tmp_path, RULES)
    rule = next(one for one in every_shipped() if one.name == "cell_temperature_too_high")
    found = live(panel, {0: [("bms1", {"cell_t_max": 70.0})]}, 8)
    assert found["cell_temperature_too_high-bms1"] == [(5, U)]
    alarm = panel.shown()["cell_temperature_too_high-bms1"]
    assert (rule.response in alarm.text, rule.consequence in alarm.text) == (True, True)
    assert alarm.priority is AlarmPriority.CRITICAL
    assert words([("x", alarm)]) == {"x": U}


@pytest.mark.parametrize("order", ["abcd", "dcba", "cadb"])
def test_parts_that_are_met_one_by_one_explain_what_they_would_all_at_once(order: str) -> None:
    """Also where the one that explains is met last, and where one explains what it does not know yet."""
    parents = {"a": ["b_off-b"], "b": ["own"], "c": ["own-b", "b_off-b"], "d": ["a_off-a", "c_off-c"]}
    rules = {
        part: {
            f"{name}-{part}": AlarmRule(name=name, device=part, point="causes", contains="disk", suppressed_by=others)
            for name, others in ((f"{part}_off", parents[part]), ("own", []))
        }
        for part in order
    }
    every = {name: rule for part in order for name, rule in rules[part].items()}
    watches = {name: compiled(rule, Scope({}).of_service(str(rule.device))) for name, rule in every.items()}
    known: dict[str, AlarmRule] = {}
    grown, anew = Suppression({}, {}), 0
    for part in order:
        known |= rules[part]
        if not grown.grow(rules[part], known, watches):
            grown, anew = Suppression(known, watches), anew + 1
    whole = Suppression(every, watches)
    assert {name: grown.parents(name) for name in every} == {name: whole.parents(name) for name in every}
    assert {name: sorted(grown.children(name)) for name in every} == {
        name: sorted(whole.children(name)) for name in every
    }
    assert whole.parents("d_off-d") == ("a_off-a", "c_off-c")
    assert anew < len(order)
