"""The panel of a small site: what is heard goes in, changes come out. No broker, no clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from bridges.control.battery_control import SLOW
from bridges.control.interlock_rules import shipped
from consumers.alarms.actions import Actions
from consumers.alarms.board import Changes
from consumers.alarms.catalog import load_catalog, watched, whose
from consumers.alarms.first_out import FLOOD
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.requests import Refusal
from consumers.alarms.rules import Now
from schemas.messages import Action, Alarm, AlarmRequest, AlarmState, ServiceStatus, Telemetry, Value
from schemas.site_file import load_site
from schemas.units import LARGEST, Quality
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_dispatch_batteries import two

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEVICES = ("grid", "pcs1", "bms1")
RULES = """
[[alarm]]
name = "tripped"
kind = "pcs"
point = "state"
equals = "fault"
priority = "critical"
latched = true
[[alarm]]
name = "import_high"
kind = "meter"
above = 90e3
clear = 80e3
hold = 3
[[alarm]]
name = "warm"
kind = "bms"
point = "cell_t_max"
above = 30
[[alarm]]
name = "bms_alarm"
kind = "bms"
point = "alarms"
contains = "*"
on_delay = 2
off_delay = 10
"""


def at(second: float) -> Now:
    return Now(500.0 + second, NOON + timedelta(seconds=second))


def say(
    second: float, *, historical: bool = False, quality: dict[str, Quality] | None = None, **values: Value
) -> Telemetry:
    return Telemetry(
        at=at(second).wall,
        epoch="0" * 16,
        seq=int(second) + 1,
        historical=historical,
        values=values,
        quality=quality or {},
    )


def wish(action: str, second: float) -> AlarmRequest:
    until = at(second + 60).wall if action == "shelve" else None
    return AlarmRequest.model_validate({"at": at(second).wall, "action": action, "who": "anna", "until": until})


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return a_panel(tmp_path)


def a_panel(folder: Path, more: str = RULES, second: float = 0, poll: float = 1.0, pcs: str = "") -> Panel:
    """`poll`: s between two readings of the meter; `pcs`: more of the profile of the PCS."""
    catalog, path = load_catalog(), small_site(folder, more=more)
    path.write_text(path.read_text().replace('name = "grid"\n', f'name = "grid"\npoll = {poll}\n', 1))
    with (folder / "profiles" / "pcs.toml").open("a") as profile:
        profile.write(pcs)
    site = load_site(path)
    return Panel(watched(site, catalog).rules, catalog.services, at(second), whose(site.battery), Places.of(site))


def words(changes: Changes) -> dict[str, str]:
    return {name: alarm.state.value for name, alarm in changes}


def test_a_fault_is_raised_with_all_an_operator_needs(panel: Panel) -> None:
    ((name, alarm),) = panel.hear("pcs1", say(1, state="fault"), at(1))
    assert name == "tripped-pcs1"
    assert (alarm.state, alarm.priority) == ("unacknowledged", "critical")
    assert (alarm.device, alarm.point, alarm.value, alarm.limit) == ("pcs1", "state", "fault", "fault")
    assert alarm.at == alarm.since == at(1).wall
    assert panel.shown() == {name: alarm}
    assert panel.hear("pcs1", say(1.5, state="fault"), at(1.5)) == []


def test_the_names_of_flags_are_the_value(panel: Panel) -> None:
    assert panel.hear("bms1", say(0, alarms=["fan"], alarms_2=["door"]), at(0)) == []
    ((name, alarm),) = panel.hear("bms1", say(2, alarms=["fan"], alarms_2=["door"]), at(2))
    assert (name, alarm.value, alarm.condition) == ("bms_alarm-bms1", "fan, door", "has(alarms)")


def test_alarms_are_over_only_when_every_register_says_so(panel: Panel) -> None:
    for second in (0, 2):
        panel.hear("bms1", say(second, alarms=[], alarms_2=["door"]), at(second))
    for second in range(3, 30):
        unsure = say(second, alarms=[], alarms_2=[], quality={"alarms_2": Quality.STALE})
        assert panel.hear("bms1", unsure, at(second)) == []
    for second in range(30, 40):
        assert panel.hear("bms1", say(second, alarms=[], alarms_2=[]), at(second)) == []
    assert words(panel.hear("bms1", say(40, alarms=[], alarms_2=[]), at(40))) == {"bms_alarm-bms1": "returned"}


def test_a_spread_is_told_from_two_points(panel: Panel) -> None:
    for second in range(300):
        assert panel.hear("bms1", say(second, cell_u_max=3.5, cell_u_min=3.1), at(second)) == []
        panel.hear("bms1", say(second, cell_u_max=3.5), at(second + 0.5))
    ((name, alarm),) = panel.hear("bms1", say(300, cell_u_max=3.5, cell_u_min=3.1), at(300))
    assert name == "cell_voltage_spread-bms1"
    assert alarm.value == pytest.approx(0.4)


@pytest.mark.parametrize(
    "unbelievable",
    [
        say(1, historical=True, state="fault"),
        *(say(1, state="fault", quality={"state": bad}) for bad in Quality if bad is not Quality.GOOD),
        say(1, state=["fault"]),
        say(1),
    ],
)
def test_what_cannot_be_believed_raises_nothing(panel: Panel, unbelievable: Telemetry) -> None:
    assert panel.hear("pcs1", unbelievable, at(1)) == []


def test_what_cannot_be_believed_clears_nothing(panel: Panel) -> None:
    panel.hear("pcs1", say(1, state="fault"), at(1))
    assert panel.hear("pcs1", say(2, historical=True, state="running"), at(2)) == []
    assert panel.hear("pcs1", say(3, state="running", quality={"state": Quality.STALE}), at(3)) == []
    assert words(panel.hear("pcs1", say(4, state="running"), at(4))) == {"tripped-pcs1": "latched_unacknowledged"}


def test_the_first_of_a_flood_is_marked(panel: Panel) -> None:
    first = panel.hear("pcs1", say(1, state="fault"), at(1))
    second = panel.hear("bms1", say(9, cell_t_max=40.0), at(9))
    panel.hear("grid", say(15, p=95e3), at(15))
    panel.hear("grid", say(17, p=95e3), at(17))
    third = panel.hear("grid", say(18, p=95e3), at(18))
    told = [(name, alarm.group, alarm.first_out, alarm.consequence_of) for name, alarm in first + second + third]
    assert told == [
        ("tripped-pcs1", "battery", False, ""),  # of nothing yet
        ("warm-bms1", "battery", False, "tripped-pcs1"),
        ("tripped-pcs1", "battery", True, ""),
        ("import_high-grid", "grid", False, ""),  # another group, and alone in it
    ]
    panel.hear("bms1", say(30, cell_t_max=20.0), at(30))
    ((_, later),) = panel.hear("bms1", say(18 + FLOOD, cell_t_max=40.0), at(18 + FLOOD))
    assert (later.first_out, later.consequence_of) == (False, "")
    panel.hear("pcs1", say(19 + FLOOD, state="running"), at(19 + FLOOD))
    both = panel.hear("pcs1", say(20 + FLOOD, state="fault"), at(20 + FLOOD))
    assert [(name, alarm.first_out) for name, alarm in both] == [("tripped-pcs1", False), ("warm-bms1", True)]


def test_an_interlock_that_follows_a_silence_is_no_first_out() -> None:
    """It came 10.1 s after `bms_silent`, and was called the cause of it."""
    silences = [one.silent for one in load_catalog().rules if one.silent is not None]
    longest = max(rule.patience for rule in shipped()) + SLOW - min(silences)
    assert longest < FLOOD


# --- silence -----------------------------------------------------------------------------------------


def test_a_device_that_falls_silent_and_comes_back(panel: Panel) -> None:
    for second in range(4):
        for device in DEVICES:
            panel.hear(device, say(second, p=1.0), at(second))
    for second in range(4, 9):
        for device in ("pcs1", "grid"):
            panel.hear(device, say(second, p=1.0), at(second))
        changes = panel.tick(at(second))
        assert words(changes) == {}, second
    panel.hear("grid", say(9, p=1.0), at(9))
    changes = panel.tick(at(9))
    assert words(changes) == {"bms_silent-bms1": "unacknowledged"}
    assert (changes[0][1].silent, changes[0][1].limit) == (True, 5.0), (
        "value and limit are seconds, not what `point` is"
    )
    assert (changes[0][1].value, changes[0][1].limit) == (6.0, 5.0)

    after: Changes = []
    for second in range(10, 20):
        for device in DEVICES:
            panel.hear(device, say(second, p=1.0), at(second))
        after += panel.tick(at(second))
    assert words(after) == {"bms_silent-bms1": "returned"}
    assert after[0][1].at == at(15).wall  # 5 s off-delay


@pytest.mark.parametrize(
    "no_sign_of_life",
    [say(4, historical=True, p=1.0), say(4), say(4, p=1.0, quality={"p": Quality.STALE})],
    ids=["historical", "empty", "stale"],
)
def test_what_does_not_show_life_does_not_end_silence(panel: Panel, no_sign_of_life: Telemetry) -> None:
    panel.hear("grid", say(0, p=1.0), at(0))
    panel.hear("grid", no_sign_of_life, at(4))
    assert "meter_silent-grid" in words(panel.tick(at(6)))


def test_a_device_that_was_never_heard_is_silent_too(panel: Panel) -> None:
    assert panel.tick(at(5)) == []
    assert set(words(panel.tick(at(6)))) == {"bms_silent-bms1", "pcs_silent-pcs1", "meter_silent-grid"}


def test_our_own_deafness_is_not_their_silence(panel: Panel) -> None:
    panel.hear("grid", say(0, p=1.0), at(0))
    panel.deaf(at(60))
    assert panel.tick(at(61)) == []
    assert "meter_silent-grid" in words(panel.tick(at(66)))


@pytest.mark.parametrize(
    ("poll", "late"), [(1.0, 0.0), (6.0, 1.0), (10.0, 0.0), (10.0, 4.0), (20.0, 9.0), (60.0, 29.0), (300.0, 100.0)]
)
def test_a_device_that_is_read_seldom_is_not_silent_between_two_readings(
    tmp_path: Path, poll: float, late: float
) -> None:
    """Also when one reading in a row of ten is lost, and each may be late."""
    text = small_site(tmp_path).read_text().replace('name = "grid"\n', f'name = "grid"\npoll = {poll}\n')
    (tmp_path / "site.toml").write_text(text)
    site, catalog = load_site(tmp_path / "site.toml"), load_catalog()
    panel = Panel(watched(site, catalog).rules, catalog.services, at(0), places=Places.of(site))
    changes: Changes = []
    readings = {round(poll * number + late * (number % 2)): number for number in range(1, 40) if number % 10}
    for second in range(int(40 * poll)):
        if second in readings:
            changes += panel.hear("grid", say(second, p=1.0), at(second))
        changes += [one for one in panel.tick(at(second)) if one[0].endswith("-grid")]
    assert words(changes) == {}
    last = max(readings)
    gone = [panel.tick(at(last + second)) for second in range(int(max(5, 2.5 * poll)) + 2)]
    assert [name for changed in gone for name, _ in changed if name.endswith("-grid")] == ["meter_silent-grid"]
    assert panel.shown()["meter_silent-grid"].limit == max(5, 2.5 * poll)


# --- what is seen from outside ------------------------------------------------------------------------


def test_a_word_holds_until_the_next(panel: Panel) -> None:
    for second in range(41):
        for device in DEVICES:
            panel.hear(device, say(second, p=1.0), at(second))
        changes = panel.note("bms1", "link", "degraded", at(second)) if second == 0 else []
        changes += panel.tick(at(second))
        assert words(changes) == ({"bms_degraded-bms1": "unacknowledged"} if second == 30 else {}), second


@pytest.mark.parametrize("reason", ["epo-pcs1: pcs1: epo", "", "a line\nand another"])
def test_what_is_degraded_says_why(panel: Panel, reason: str) -> None:
    """`Some values cannot be read` was said of a PCS that an emergency stop held."""
    panel.note("pcs1", "link", "degraded", at(0), reason)
    for second in range(31):
        panel.hear("pcs1", say(second, p=1.0), at(second))
        changes = [one for one in panel.tick(at(second)) if one[0] == "pcs_degraded-pcs1"]
    text = changes[0][1].text
    assert text.isprintable()
    assert text.startswith("Something holds the PCS")
    assert text.endswith(f"Its status: {reason}") or not reason.isprintable() or not reason
    panel.note("pcs1", "link", "online", at(31))
    assert "epo" not in panel.shown()["pcs_degraded-pcs1"].text, "what is over is not said any more"


SAYS: dict[str, tuple[Callable[[int], str], int]] = {
    "counts": (lambda second: f"epo-pcs1: pcs1: epo, since {second} s", 0),
    "gets worse": (lambda second: "no fan" if second < 100 else "epo-pcs1: pcs1: epo", 1),
    "comes and goes": (lambda second: "epo-pcs1: pcs1: epo" if second % 2 else "", 8),
}


@pytest.mark.parametrize("says", SAYS)
def test_an_alarm_that_stands_for_another_reason_says_so_and_floods_nobody(panel: Panel, says: str) -> None:
    reason, times = SAYS[says]
    said = list[Alarm]()
    for second in range(300):
        changes = [*panel.note("pcs1", "link", "degraded", at(second), reason(second)), *panel.tick(at(second))]
        said += [alarm for name, alarm in changes if name == "pcs_degraded-pcs1"]
    assert {alarm.state for alarm in said} == {AlarmState.UNACKNOWLEDGED}
    assert [alarm.reason for alarm in said[1:]] == [reason(round((one.at - NOON).total_seconds())) for one in said[1:]]
    assert len({alarm.since for alarm in said}) == 1, "it was raised once"
    assert len({alarm.at for alarm in said}) == len(said) == 1 + times
    assert words(panel.note("pcs1", "link", "online", at(300)) + panel.tick(at(310))) == {
        "pcs_degraded-pcs1": "returned"
    }
    assert panel.tick(at(400)) == []


def test_a_refused_action_is_named_with_why(panel: Panel) -> None:
    """The alarm of a refused start had no action and no reason, and spoke of a safe power."""
    said: Changes = []
    for second in range(8):
        said += panel.note("pcs1", "outcome", "refused", at(second), "interlock: door: open", action=Action.START)
    ((name, alarm),) = [one for one in said if one[0].startswith("pcs_command")]
    assert (name, alarm.action, alarm.reason) == (
        "pcs_command_refused-pcs1", Action.START, "interlock: door: open"
    )  # fmt: skip
    assert alarm.text.endswith("Its outcome: interlock: door: open")
    assert panel.open_actions() == {}, "what was refused comes true by nothing"
    panel.note("pcs1", "outcome", "failed", at(9), "no answer")
    assert panel.shown()[name].reason == "", "another alarm's reason is not its own"


def test_an_interlock_says_what_it_saw(panel: Panel) -> None:
    ((name, alarm),) = panel.note_causes("pcs1", ["interlock"], at(0), "pcs_fault: pcs1 is in fault", sure=True)
    assert (name, alarm.reason) == ("pcs_interlock-pcs1", "pcs_fault: pcs1 is in fault")
    panel.note_causes("pcs1", [], at(1), "no answer", sure=False)
    assert panel.shown()[name].reason == alarm.reason, "nobody has seen it end"
    panel.note_causes("pcs1", ["local"], at(2), "at its panel", sure=True)
    assert panel.shown()[name].reason == "", "what is over is not said any more"


def test_a_disobeyed_command(panel: Panel) -> None:
    """Whatever becomes of each command, superseded every 2 s: the cause stands in the status as long as it lasts."""
    raised = panel.note_causes("pcs1", ["not_obeyed"], at(0), sure=True)
    for second in range(1, 20):
        for state in ("accepted", "applied", "superseded", "not_obeyed"):
            assert panel.note("pcs1", "outcome", state, at(second)) == []
        panel.deaf(at(second))
        assert panel.tick(at(second)) == []
    assert words(raised) == {"pcs_not_obeyed-pcs1": "unacknowledged"}
    assert raised[0][1].value == "not_obeyed"
    assert panel.note_causes("pcs1", [], at(20), sure=True) == []
    panel.deaf(at(30))
    assert words(panel.tick(at(31))) == {"pcs_not_obeyed-pcs1": "returned"}


def test_several_causes_are_several_alarms(panel: Panel) -> None:
    changes = panel.note_causes("pcs1", ["reversed", "not_held", "invented_next_year"], at(0), sure=True)
    assert words(changes) == {"pcs_reversed-pcs1": "unacknowledged", "pcs_not_held-pcs1": "unacknowledged"}
    values = {name: alarm.value for name, alarm in changes}
    assert values == {"pcs_reversed-pcs1": "reversed", "pcs_not_held-pcs1": "not_held"}, "each its own"


def test_a_device_that_cannot_be_seen_is_not_well_again(panel: Panel) -> None:
    panel.note_causes("pcs1", ["reversed"], at(0), sure=True)
    for second in range(1, 60):
        assert panel.note_causes("pcs1", ["no_answer"], at(second), sure=False) == []
        panel.deaf(at(second))
        assert panel.tick(at(second)) == []
    assert panel.shown()["pcs_reversed-pcs1"].state == "unacknowledged"
    raised = panel.note_causes("pcs1", ["no_answer", "not_held"], at(60), sure=False)
    assert [name for name, _ in raised] == ["pcs_not_held-pcs1", "pcs_reversed-pcs1"], (
        "what is named holds all the same"
    )
    assert raised[1][1].first_out


def part_is(*causes: str, state: Literal["online", "offline"] = "online") -> ServiceStatus:
    return ServiceStatus(state=state, causes=[*causes])


def test_a_service_that_is_down(panel: Panel) -> None:
    assert panel.note_service("archive", part_is(), at(0)) == []
    assert panel.note_service("archive", part_is(state="offline"), at(1)) == []
    panel.deaf(at(10))
    ((name, alarm),) = panel.tick(at(11))
    assert (name, alarm.device, alarm.value) == ("service_down-archive", "archive", "offline")
    panel.note_service("archive", part_is(), at(12))
    assert words(panel.note_service("archive", part_is(), at(17))) == {"service_down-archive": "returned"}


def test_what_troubles_a_part_is_an_alarm_of_that_part(panel: Panel) -> None:
    troubles = panel.note_service("bridge", part_is("second_instance", "outbox"), at(0))
    assert words(troubles) == {"second_instance-bridge": "unacknowledged", "outbox_damaged-bridge": "unacknowledged"}
    assert panel.note_service("bridge", part_is(state="offline"), at(1)) == [], "nobody knows how it is now"
    panel.deaf(at(11))
    assert words(panel.tick(at(11))) == {"service_down-bridge": "unacknowledged"}
    assert panel.note_service("dispatch", part_is("clock_quarantine"), at(12)) == [], "a rule of the archive alone"


def test_a_broker_that_is_away_for_more_than_10_s_is_told_with_when_it_was_lost(panel: Panel) -> None:
    """The part that watches over the alarms says so of itself, each second."""
    name, found = "broker_lost-alarms", dict[float, Alarm]()
    for second in range(40):
        away = second in range(2, 10) or second in range(12, 25)
        told = panel.note_service("alarms", part_is(*["broker_lost"] * away), at(second))
        found |= {float(second): alarm for one, alarm in told if one == name}
    assert {second: alarm.state.value for second, alarm in found.items()} == {22: "unacknowledged", 35: "returned"}
    assert {alarm.began for alarm in found.values()} == {at(12).wall}
    assert {alarm.since for alarm in found.values()} == {at(22).wall}


def test_a_part_that_is_called_like_a_device_is_not_the_device(panel: Panel) -> None:
    panel.note_service("pcs1", part_is("reversed", state="offline"), at(0))
    assert panel.shown() == {}
    assert words(panel.hear("pcs1", say(1, state="fault"), at(1))) == {"tripped-pcs1": "unacknowledged"}
    panel.note_service("pcs1", part_is("clock_step"), at(2))
    assert panel.shown()["tripped-pcs1"].state == "unacknowledged"
    assert panel.shown()["clock_step-pcs1"].state == "unacknowledged"


def test_a_list_as_long_as_a_message_is_still_an_alarm_that_can_be_said(panel: Panel) -> None:
    panel.hear("bms1", say(0, alarms=["fan"] * 50_000), at(0))
    ((_, alarm),) = panel.hear("bms1", say(2, alarms=["fan"] * 50_000), at(2))
    assert len(alarm.model_dump_json()) < 2_000


def test_the_largest_numbers_make_the_largest_spread(panel: Panel) -> None:
    changes: Changes = []
    for second in range(301):
        changes += panel.hear("bms1", say(second, cell_u_max=LARGEST, cell_u_min=-LARGEST), at(second))
    assert dict(changes)["cell_voltage_spread-bms1"].value == LARGEST


# --- operators -----------------------------------------------------------------------------------------


def test_acknowledged_returned_and_gone(panel: Panel) -> None:
    panel.hear("bms1", say(1, cell_t_max=40.0), at(1))
    ((name, alarm),) = panel.request("warm-bms1", wish("ack", 2), at(2))
    assert (alarm.state, alarm.by, alarm.since) == ("acknowledged", "anna", at(1).wall)
    ((name, alarm),) = panel.hear("bms1", say(3, cell_t_max=20.0), at(3))
    assert (name, alarm.state, alarm.value) == ("warm-bms1", "normal", 20.0)
    assert panel.shown() == {}


def test_shelved_comes_back_by_itself(panel: Panel) -> None:
    panel.hear("bms1", say(1, cell_t_max=40.0), at(1))
    ((_, alarm),) = panel.request("warm-bms1", wish("shelve", 2), at(2))
    assert (alarm.state, alarm.shelved_until) == ("shelved", at(62).wall)
    panel.deaf(at(61))
    assert panel.tick(at(61)) == []
    assert words(panel.tick(at(62))) == {"warm-bms1": "unacknowledged"}


def test_an_alarm_that_does_not_exist_is_not_acknowledged(panel: Panel) -> None:
    with pytest.raises(Refusal, match="there is no alarm warm-pcs1"):
        panel.request("warm-pcs1", wish("ack", 1), at(1))


# --- restarts ------------------------------------------------------------------------------------------


def test_a_restart_changes_nothing(panel: Panel, tmp_path: Path) -> None:
    panel.hear("pcs1", say(1, state="fault"), at(1))
    panel.hear("bms1", say(2, cell_t_max=40.0, alarms=["fan"]), at(2))
    panel.hear("bms1", say(4, cell_t_max=40.0, alarms=["fan"]), at(4))
    panel.request("warm-bms1", wish("shelve", 5), at(5))
    panel.request("tripped-pcs1", wish("ack", 5), at(5))
    panel.deaf(at(20))
    panel.note_service("archive", part_is(state="offline"), at(20))
    panel.tick(at(20))
    panel.deaf(at(29))
    panel.tick(at(31))
    before = panel.shown()
    assert {"tripped-pcs1", "warm-bms1", "bms_alarm-bms1", "service_down-archive"} <= set(before)

    again = a_panel(tmp_path, second=40)
    again.restore(before, at(40))
    assert again.shown() == before
    assert words(again.hear("pcs1", say(41, state="running"), at(41))) == {"tripped-pcs1": "latched"}
    assert again.hear("bms1", say(42, cell_t_max=40.0, alarms=["fan"]), at(42)) == []
    again.deaf(at(64))
    assert words(again.tick(at(65))).get("warm-bms1") == "unacknowledged"


def test_silence_survives_a_restart(tmp_path: Path) -> None:
    rules = '[[alarm]]\nname = "meter_silent"\nkind = "meter"\nsilent = 5\n'
    silent = dict(a_panel(tmp_path, rules).tick(at(6)))
    again = a_panel(tmp_path, rules, second=10)
    again.restore(silent, at(10))
    assert again.tick(at(11)) == []  # not heard for 1 s only, but never heard
    assert again.tick(at(30)) == []
    for second in range(31, 36):  # steadily: one reading is not the end of a silence
        again.hear("grid", say(second, p=1.0), at(second))
        assert words(again.tick(at(second))) == ({"meter_silent-grid": "returned"} if second == 34 else {})


def test_what_follows_a_restart_is_not_the_first_of_its_flood(panel: Panel, tmp_path: Path) -> None:
    before = dict(panel.hear("pcs1", say(1, state="fault"), at(1)))
    again = a_panel(tmp_path, second=5)
    again.restore(before, at(5))
    (_, alarm), _ = again.hear("bms1", say(6, cell_t_max=40.0), at(6))
    assert (alarm.first_out, alarm.consequence_of) == (False, "tripped-pcs1")
    assert again.shown()["tripped-pcs1"].first_out


@pytest.mark.parametrize("state", [AlarmState.LATCHED, AlarmState.LATCHED_UNACKNOWLEDGED])
def test_a_state_the_rule_does_not_know_any_more_is_shown_to_an_operator(
    panel: Panel, tmp_path: Path, state: AlarmState
) -> None:
    ((name, alarm),) = panel.hear("bms1", say(1, cell_t_max=40.0), at(1))
    again = a_panel(tmp_path)
    again.restore({name: alarm.model_copy(update={"state": state})}, at(2))
    assert again.shown()[name].state is AlarmState.RETURNED
    again.request(name, wish("ack", 3), at(3))
    assert again.shown() == {}


def test_an_alarm_whose_rule_is_gone_is_left_out(panel: Panel, tmp_path: Path) -> None:
    stored: dict[str, Alarm] = dict(panel.hear("bms1", say(1, cell_t_max=40.0), at(1)))
    again = a_panel(tmp_path, more="")
    again.restore(stored, at(2))
    assert again.shown() == {}


# --- several batteries, and a restart ------------------------------------------------------------------


def test_of_several_batteries_an_alarm_names_its_own(tmp_path: Path) -> None:
    catalog, site = load_catalog(), two(tmp_path)
    panel = Panel(watched(site, catalog).rules, catalog.services, at(0), whose(site.battery), Places.of(site))
    for second in range(120):
        panel.tick(at(second))  # every device is silent
    for device, battery in (("pcs1", "hall"), ("bms1", "hall"), ("pcs2", "yard"), ("bms2", "yard"), ("grid", None)):
        mine = [alarm for alarm in panel.shown().values() if alarm.device == device]
        assert mine
        assert {alarm.battery for alarm in mine} == {battery}
        assert {alarm.text.startswith(f"Battery {battery}: ") for alarm in mine} == {battery is not None}


def test_of_a_single_battery_it_names_none(tmp_path: Path) -> None:
    site = load_site(small_site(tmp_path))
    assert whose(site.battery) == {}


@pytest.mark.parametrize(("state", "over"), [("off", True), ("running", False)])
def test_after_a_restart_it_is_still_known_what_was_not_followed(tmp_path: Path, state: str, over: bool) -> None:
    """The alarm of a stop that came true after all stood until the next good action."""
    before, name = a_panel(tmp_path), "pcs_action_not_obeyed-pcs1"
    for second in range(0, 60, 5):
        before.note("pcs1", "action", "not_obeyed", at(second), "it is still running", action=Action.STOP)
    kept = Alarm.model_validate_json(before.shown()[name].model_dump_json())
    panel, actions = a_panel(tmp_path, second=100), Actions()
    panel.restore({name: kept}, at(100))
    actions.open |= panel.open_actions()
    assert panel.shown()[name].text == kept.text, "and why"
    for second in range(101, 200):
        if (word := actions.see("pcs1", say(second, state=state))) is not None:
            panel.note("pcs1", "action", word, at(second))
        panel.tick(at(second))
    assert panel.shown()[name].state is (AlarmState.RETURNED if over else AlarmState.UNACKNOWLEDGED)
    assert panel.open_actions() == ({} if over else {"pcs1": Action.STOP})
