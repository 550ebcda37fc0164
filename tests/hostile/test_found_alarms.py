"""What was found by attacking the alarms: rules that went quiet for ever, and words that misled. In virtual time."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.alarms.delivery import Delivery
from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import watch, watch_text
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.record import Record
from consumers.alarms.remembered import remembered
from consumers.alarms.requests import Refusal
from consumers.alarms.rules import Now
from schemas.messages import Alarm, AlarmRequest, AlarmState
from schemas.site_alarm import AlarmRule
from schemas.units import Quality
from tests.consumers.test_alarms_expression import BMS, CATALOG, SITE, Story
from tests.consumers.test_alarms_panel import a_panel, at, say

WARM = '[[alarm]]\nname = "warm"\nkind = "bms"\npoint = "cell_t_max"\nabove = 30\n'
UNREADABLE: tuple[dict[str, object], ...] = ({"state": "a_later_one"}, {"since": "yesterday"}, {"priority": None})


def warm(folder: Path, **changed: object) -> Alarm:
    """An alarm as it is told."""
    panel = a_panel(folder, WARM)
    panel.hear("bms1", say(0, cell_t_max=40.0), at(0))
    return panel.shown()["warm-bms1"].model_copy(update=changed)


def test_what_a_silent_device_said_last_suppresses_nothing_for_ever(tmp_path: Path) -> None:
    """The PCS was off when it fell silent; `suppress_when` was then judged never again."""
    panel = a_panel(tmp_path, WARM + "suppress_when = \"pcs1.state == 'off'\"\n")
    panel.hear("pcs1", say(0, state="off"), at(0))
    for second in range(1, 8):
        panel.hear("bms1", say(second, cell_t_max=40.0), at(second))
        panel.tick(at(second))
        known = second <= 5
        assert (panel.shown()["warm-bms1"].state is AlarmState.SUPPRESSED) == known, second


@pytest.mark.parametrize(("answers_take", "raised_within"), [(3.1, 20), (8.0, 30), (25.0, 60)])
@pytest.mark.parametrize("dead", [True, False])
def test_a_broker_that_is_slow_for_ever_excuses_nobody_for_ever(
    tmp_path: Path, answers_take: float, raised_within: float, dead: bool
) -> None:
    """It delivers what it has with each answer. A device that speaks is not blamed, one that is dead is."""
    panel, delivery = a_panel(tmp_path, ""), Delivery(at(0).steady)
    panel.hear("bms1", say(0, soc=50.0), at(0))
    answer, silent = answers_take, None
    for second in range(1, 200):
        while answer <= second:
            delivery.answered(at(answer).steady)
            if not dead:
                panel.hear("bms1", say(answer, soc=50.0), at(answer))
            answer += answers_take + 0.5
        if (missed := delivery.missed(at(second).steady)) is not None:
            panel.unheard(*missed, delivery.most)
        panel.tick(at(second))
        if silent is None and "bms_silent-bms1" in panel.shown():
            silent = second
    assert (silent is not None and silent <= raised_within) if dead else silent is None


@pytest.mark.parametrize("years", [-30, 0, 30])
@pytest.mark.parametrize("state", [AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE])
def test_a_start_with_a_wrong_clock_holds_no_alarm_away_for_years(
    tmp_path: Path, years: int, state: AlarmState
) -> None:
    """A machine without a battery for its clock starts in 1970."""
    until = at(3600).wall
    alarm = warm(tmp_path, state=state, shelved_until=until, out_until=until)
    rule = AlarmRule(name="warm", device="bms1", point="cell_t_max", above=30.0)
    now = Now(7.0, at(60).wall + timedelta(days=365 * years))
    ends = remembered(rule, alarm, now).ends
    assert ends is not None
    assert ends - now.steady <= 3600


@pytest.mark.parametrize("name", ["insulation_low", "insulation_too_low"])
@pytest.mark.parametrize(
    ("u", "wrong"), [(-0.3, False), (0.0, False), (0.3, False), (800.0, False), (-800.0, False), (30.0, False)]
)
def test_the_noise_of_a_voltage_is_no_insulation_fault(name: str, u: float, wrong: bool) -> None:
    """With its contactor open a battery measures some volts about 0: 900 kOhm by -0.3 V was less than 100 Ohm/V."""
    rule = next(rule for rule in CATALOG.rules if rule.name == name)
    story = Story()
    story.hear({"bms-1.riso": 900.0, "bms-1.u": u})
    assert story.look(watch(rule.model_copy(update={"device": "bms-1"}), SITE.of("bms-1"))).wrong is wrong


@pytest.mark.parametrize("broken", UNREADABLE)
def test_one_alarm_that_cannot_be_read_takes_no_other_with_it(tmp_path: Path, broken: dict[str, object]) -> None:
    alarm = warm(tmp_path)
    said = json.loads(alarm.model_dump_json())
    (tmp_path / "alarms.json").write_text(json.dumps({"warm-bms1": said, "other-bms1": said | broken}))
    record = Record(tmp_path / "alarms.db")
    ours, trouble = record.open()
    record.close()
    assert ours == {"warm-bms1": alarm}
    assert "what could be read of it holds" in trouble


def test_a_request_puts_no_control_characters_on_a_screen(tmp_path: Path) -> None:
    panel = a_panel(tmp_path, WARM)
    panel.hear("bms1", say(0, cell_t_max=40.0), at(0))
    wish = {"at": at(1).wall, "action": "ack", "who": "an\x1b[2Jna\n", "why": "\x1b[31m" * 100}
    ((_, alarm),) = panel.request("warm-bms1", AlarmRequest.model_validate(wish), at(1))
    assert (alarm.by + alarm.why).isprintable()


def test_one_spike_before_a_silence_is_no_delay_that_passed(tmp_path: Path) -> None:
    """The on-delay of a rule that also looks at the site went on while the meter said nothing."""
    panel = a_panel(
        tmp_path, '[[alarm]]\nname = "over"\nkind = "meter"\nwhen = "p - site.import_limit > 2 kW"\non_delay = 30\n'
    )
    panel.tell_site({"import_limit": 10e3}, at(0))
    raised = []
    for second in (0, *range(600, 640)):
        panel.hear("grid", say(second, p=50e3), at(second))
        panel.tick(at(second))
        raised += [second] if "over-grid" in panel.shown() else []
    assert raised[0] == 630


@pytest.mark.parametrize("step", [0, -3600, 3600])
def test_an_acknowledgement_is_not_one_of_the_next_raise(tmp_path: Path, step: float) -> None:
    """It waited on a bad line; delivered twice, it was one of what came between. `step`: of the wall clock, before."""
    panel = a_panel(tmp_path, WARM)

    def now(second: float) -> Now:
        return Now(at(second).steady, at(second + step if second else 0).wall)

    def ask(sent: float, second: float) -> None:
        wish = AlarmRequest.model_validate({"id": "1", "at": now(sent).wall, "action": "ack", "who": "anna"})
        panel.request("warm-bms1", wish, now(second))

    for second, heat in ((0, 40.0), (5, 20.0), (10, 40.0)):
        panel.hear("bms1", say(second, cell_t_max=heat), now(second))
    with pytest.raises(Refusal, match="before the alarm was raised this time"):
        ask(1, 11)
    assert panel.shown()["warm-bms1"].state is AlarmState.UNACKNOWLEDGED
    ask(11, 12)
    assert panel.shown()["warm-bms1"].state is AlarmState.ACKNOWLEDGED


def test_what_an_older_joulebus_suppressed_is_not_lost_where_it_latches(tmp_path: Path) -> None:
    """It did not say whether the condition is there, nor when it came."""
    panel = a_panel(tmp_path, WARM + "latched = true\n")
    former = {"state": AlarmState.SUPPRESSED, "active": None, "began": None}
    panel.restore({"warm-bms1": warm(tmp_path, **former)}, at(20))
    for second in range(20, 40):
        panel.hear("bms1", say(second, cell_t_max=20.0), at(second))
        panel.tick(at(second))
    assert panel.shown()["warm-bms1"].state is AlarmState.LATCHED_UNACKNOWLEDGED


@pytest.mark.parametrize("poll", [1.0, 20.0, 60.0])
def test_a_point_that_is_read_in_turn_is_raised_however_seldom_its_device_is_read(poll: float) -> None:
    """One of ten requests is read each poll: at 20 s each reading stood alone, and the delay began anew with each."""
    places = Places(scope=Scope({"bms-1": BMS}, {"bms-1": poll}))
    rule = AlarmRule(name="high", device="bms-1", point="cell_u_max", above=3.6, on_delay=30.0)
    panel, second = Panel({"high-bms-1": rule}, [], at(0), {}, places), 0.0
    while not panel.shown():
        panel.hear("bms-1", say(second, cell_u_max=3.7), at(second))
        panel.tick(at(second))
        second += 10 * poll
        assert second <= 30 + 20 * poll


@pytest.mark.parametrize(
    "condition", ["no_data = 0.2", 'when = "no_data(1)"', 'when = "silent(0.5 s)"', "silent = 0.1"]
)
def test_a_silence_shorter_than_a_poll_hides_no_other_alarm(tmp_path: Path, condition: str) -> None:
    """Between two readings the device was silent, and all alarms of its points were suppressed as the consequence."""
    panel = a_panel(tmp_path, WARM + f'[[alarm]]\nname = "quiet"\nkind = "bms"\n{condition}\n')
    for second in range(20):
        panel.tick(at(second + 0.9))
        panel.hear("bms1", say(second + 1, cell_t_max=40.0), at(second + 1.0))
        panel.tick(at(second + 1.7))
    shown = panel.shown()
    assert "quiet-bms1" not in shown
    assert shown["warm-bms1"].state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize(
    ("every", "speed", "wrong"),
    [(200, 0.03, False), (200, 0.11, True), (90, 0.07, False), (20, 0.05, False), (20, 0.11, True), (1, 0.11, True)],
)
def test_a_slow_reading_is_no_jump(every: int, speed: float, wrong: bool) -> None:
    """What had risen since the last reading was counted as of the last 60 s. `speed`: K/s; `every`: s."""
    scope = Scope({"bms-1": BMS}, {"bms-1": every / 2})
    story, rises = Story(scope), watch_text("rate(cell_t_max, 60 s) >= 0.1 K/s", scope.of("bms-1"))
    seen = set[bool | None]()
    for second in range(1000):
        story.second = second
        if second % every == 0:
            story.hear({"bms-1.cell_t_max": 20 + speed * second})
        seen.add(story.look(rises).wrong)
    assert (True in seen) is wrong


def test_a_device_that_speaks_is_not_offline_for_its_alarms(tmp_path: Path) -> None:
    """A last will that came late said so, nobody took it back, and no silence was there to be told."""
    panel = a_panel(tmp_path, WARM)
    panel.note("bms1", "link", "offline", at(0))
    doubted = say(1, quality={"cell_t_max": Quality.STALE}, cell_t_max=40.0)
    panel.hear("bms1", doubted, at(1))
    assert panel.shown() == {}
    panel.hear("bms1", say(2, cell_t_max=40.0), at(2))
    assert panel.shown()["warm-bms1"].state is AlarmState.UNACKNOWLEDGED
    panel.note("bms1", "link", "offline", at(3))
    assert panel.shown()["warm-bms1"].state is AlarmState.SUPPRESSED
