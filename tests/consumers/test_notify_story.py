"""Who is told what, and when: stories by the wall clock, without a wait."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notify.calendar import Calendar
from consumers.notify.desk import Desk, Kept
from consumers.notify.outbox import MOST, Outbox, Outgoing
from consumers.notify.reach import Reach
from consumers.notify.words import MOST_LISTED, SHORT, Words
from runtime.alarm_words import notified
from schemas.holidays import Holidays
from schemas.messages import Alarm, AlarmClass, AlarmPriority, AlarmState, Notified
from schemas.site_notify import Notify

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = {"start": "22:00", "end": "06:00"}


def notify(**more: Any) -> Notify:
    """Two people with a phone and a mailbox each, and a rota that changes at 02:00."""
    plain = {
        "channel": [{"name": name} for name in ("anna_sms", "ben_sms", "chief_mail")],
        "person": [
            {"name": "anna", "channels": ["anna_sms"]},
            {"name": "ben", "channels": ["ben_sms"]},
            {"name": "chief", "channels": ["chief_mail"]},
        ],
        "rota": [
            {
                "name": "duty",
                "shift": [{"person": "anna", "start": "14:00", "end": "02:00"}, {"person": "ben"}],
            }
        ],
        "chain": [{"name": "all", "step": [{"to": ["duty"]}, {"after": 900.0, "to": ["chief"]}]}],
    }
    return Notify.model_validate(plain | more)


def alarm(at: datetime, **more: Any) -> Alarm:
    plain: dict[str, Any] = {
        "at": at, "since": at, "state": AlarmState.UNACKNOWLEDGED, "active": True, "device": "bms",
        "point": "cell_t_max",
        "priority": AlarmPriority.HIGH, "text": "Too hot. Stop it.", "cause": "the battery is too hot",
    }  # fmt: skip
    return Alarm(**plain | more)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@dataclass
class Story:
    """A desk whose messages all arrive, but by channels that fail."""

    rules: Notify
    now: datetime
    told: list[tuple[str, str, str]] = field(default_factory=list)
    """Local time, channel and title."""
    down: set[str] = field(default_factory=set)
    beat: float = 15.0
    diary: list[Notified] = field(default_factory=list)
    """What the archive gets."""

    def __post_init__(self) -> None:
        self.desk = self._new()
        self.ids: list[str] = []

    def _new(self) -> Desk:
        calendar = Calendar(self.rules.person, self.rules.rota, Holidays(self.rules.holidays or ()), BERLIN)
        return Desk(Reach(self.rules, calendar), Words("Plant", BERLIN), lambda *_: None)

    def restart(self) -> None:
        """As after kill -9: all that is left is what was written."""
        kept = Kept.model_validate_json(self.desk.kept.model_dump_json())
        self.desk = self._new()
        self.desk.restore(kept)

    def hear(self, name: str, said: Alarm | None) -> None:
        self.desk.hear(name, said, self.now)
        self._look()

    def raised(self, name: str = "hot", **more: Any) -> None:
        self.hear(name, alarm(self.now, **more))

    def becomes(self, state: AlarmState, name: str = "hot", **more: Any) -> None:
        before = self.desk.escalation.alarms[name]
        self.hear(name, before.model_copy(update={"state": state, "at": self.now, **more}))

    def run(self, until: str) -> None:
        end = local(until)
        while self.now < end:
            # by the clock of all, not by the local one: a DST night has 23 or 25 hours
            self.now = min(
                end, datetime.fromtimestamp(self.now.timestamp() + self.beat, BERLIN), key=datetime.timestamp
            )
            self._look()
            if self.now.timestamp() >= end.timestamp():
                break

    def _look(self) -> None:
        self.desk.tick(self.now)
        for channel in ("anna_sms", "ben_sms", "chief_mail"):
            while message := self.desk.outbox.next(channel, self.now):
                if channel in self.down:
                    self.desk.failed(message, "no answer", self.now)
                else:
                    self.desk.arrived(message, self.now)
                    self.told.append((f"{self.now.astimezone(BERLIN):%H:%M}", channel, message.title))
                    self.ids.append(message.id)
        self.desk.tick(self.now)
        self.diary += self.desk.diary.take()

    @property
    def who(self) -> list[str]:
        return [f"{at} {channel.partition('_')[0]}" for at, channel, _ in self.told]


def test_over_night_it_goes_to_who_is_on_call_then_until_somebody_acknowledges() -> None:
    story = Story(notify(), local("2026-06-16T23:00"))
    story.raised("hot")
    story.run("2026-06-17T01:50")
    assert story.who == ["23:00 anna", "23:15 chief"]
    story.raised("cold")
    story.run("2026-06-17T01:58")
    story.becomes(AlarmState.ACKNOWLEDGED, "cold")
    story.run("2026-06-17T02:05")  # the handover was at 02:00
    story.raised("slow")
    story.run("2026-06-17T09:00")
    assert story.who[2:] == ["01:50 anna", "02:05 ben", "02:20 chief"]


STORIES: dict[str, tuple[dict[str, Any], list[tuple[str, AlarmState]], list[str]]] = {
    "an alarm that returns within the delay says nothing": (
        {"delay": 120.0}, [("12:01", AlarmState.NORMAL)], []),
    "acknowledged within the delay": (
        {"delay": 120.0}, [("12:01", AlarmState.ACKNOWLEDGED)], []),
    "after the delay": (
        {"delay": 120.0}, [("12:05", AlarmState.ACKNOWLEDGED)], ["12:02 ben"]),
    "acknowledged: the chain stops, and its end is told to who was told": (
        {}, [("12:05", AlarmState.ACKNOWLEDGED), ("12:40", AlarmState.NORMAL)], ["12:00 ben", "12:40 ben"]),
    "its end is not told where nobody wants that": (
        {"returned": False}, [("12:05", AlarmState.NORMAL)], ["12:00 ben"]),
    "returned and unacknowledged: told once": (
        {}, [("12:05", AlarmState.RETURNED), ("12:30", AlarmState.NORMAL)], ["12:00 ben", "12:05 ben"]),
    "a latched one waits for a person although it is over": (
        {}, [("12:05", AlarmState.LATCHED_UNACKNOWLEDGED)], ["12:00 ben", "12:15 chief"]),
    "shelved": ({}, [("12:05", AlarmState.SHELVED)], ["12:00 ben"]),
    "suppressed": ({}, [("12:05", AlarmState.SUPPRESSED)], ["12:00 ben"]),
    "out of service": ({}, [("12:05", AlarmState.OUT_OF_SERVICE)], ["12:00 ben"]),
    "a shelf that ends goes on where it stopped": (
        {}, [("12:05", AlarmState.SHELVED), ("12:35", AlarmState.UNACKNOWLEDGED)], ["12:00 ben", "12:45 chief"]),
    "again and again until it is acknowledged": (
        {"repeat": 1200.0}, [("12:40", AlarmState.ACKNOWLEDGED)], ["12:00 ben", "12:15 chief", "12:35 chief"]),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_chain(name: str) -> None:
    chain, happens, told = STORIES[name]
    story = Story(notify(chain=[{"name": "all", "step": notify().chain[0].step, **chain}]), local("2026-06-16T12:00"))
    story.raised()
    for at, state in happens:
        story.run(f"2026-06-16T{at}")
        story.becomes(state)
    story.run("2026-06-16T13:00")
    assert story.who == told


def test_what_is_not_critical_waits_for_the_end_of_the_quiet_hours_and_comes_as_one() -> None:
    people = [one.model_dump() | {"quiet": [NIGHTS]} if one.name != "chief" else one for one in notify().person]
    story = Story(notify(person=people), local("2026-06-16T23:00"))
    story.raised("hot")
    story.run("2026-06-16T23:30")
    story.raised("gone")
    story.run("2026-06-16T23:40")
    story.becomes(AlarmState.NORMAL, "gone")
    story.raised("fire", priority=AlarmPriority.CRITICAL)
    story.run("2026-06-17T06:10")
    assert story.who == ["23:40 anna", "23:55 chief", "06:00 anna", "06:00 ben"], "ben is on call by then"
    assert story.told[2][2] == "Plant: 2 alarms from your quiet hours: 2 high"
    story.run("2026-06-17T07:00")
    assert story.who[4:] == ["06:15 chief"], "the clock of the chain stood in the night"


@pytest.mark.parametrize(("night", "chief"), [("2026-10-25", "02:05"), ("2026-03-29", "03:05")])
def test_in_a_night_of_the_changed_clock_minutes_are_minutes(night: str, chief: str) -> None:
    """At 01:50 for 15 minutes: on 29 March 02:00 is 03:00; the handover at 02:00 of the local clock is in between."""
    story = Story(notify(), local(f"{night}T01:50"))
    story.raised()
    story.run(f"{night}T01:59")
    story.run(f"{night}T04:00")
    assert story.who == ["01:50 anna", f"{chief} chief"]


def test_the_hour_that_comes_twice_belongs_to_the_same_shift_twice() -> None:
    rules = notify(rota=[{"name": "duty", "shift": [{"person": "anna", "start": "02:00", "end": "03:00"}]}])
    calendar = Calendar(rules.person, rules.rota, Holidays(), BERLIN)
    first = datetime.fromisoformat("2026-10-25T00:30:00+00:00")
    hours = [calendar.on_call("duty", first + timedelta(hours=n)) for n in (-1, 0, 1, 2)]
    assert hours == [None, "anna", "anna", None]


def test_a_flood_is_ten_messages_and_then_one_by_priority() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    for number in range(30):
        story.raised(f"a{number}", priority=AlarmPriority.LOW if number % 2 else AlarmPriority.HIGH)
        story.run(f"2026-06-16T12:{number // 10:02}:{number % 10 * 6:02}")
    story.run("2026-06-16T12:12")
    ben = [title for _, channel, title in story.told if channel == "ben_sms"]
    assert len(ben) == 11
    assert ben[10] == "Plant: 20 alarms: 10 high, 10 low"
    story.run("2026-06-16T12:30")  # the chief's came together as well
    assert len(story.told) == 22
    story.raised("later")
    story.run("2026-06-16T12:31")
    assert story.told[-1] == ("12:30", "ben_sms", "Plant: HIGH: bms: the battery is too hot"), "the flood is over"


def test_what_is_critical_for_people_waits_for_no_digest_but_is_bounded() -> None:
    story = Story(notify(chain=[{"name": "all", "step": [{"to": ["duty"]}]}]), local("2026-06-16T12:00"))
    grave = {"priority": AlarmPriority.CRITICAL, "alarm_class": AlarmClass.SAFETY}
    for number in range(15):
        story.raised(f"low{number}", priority=AlarmPriority.LOW)
    for number in range(20):
        story.raised(f"grave{number}", **grave)
    at_once = [title for _, _, title in story.told if "CRITICAL" in title]
    assert len(at_once) == 6
    story.run("2026-06-16T12:02")
    assert [title for _, _, title in story.told][16:] == ["Plant: 14 alarms: 14 critical"]


def test_what_became_of_each_message_is_found_afterwards() -> None:
    """Why did nobody call? One sleeps, one channel is dead for 40 min, and a rota has a hole."""
    day = [{"name": "duty", "shift": [{"person": "anna", "start": "08:00", "end": "16:00"}]}]
    people = [one.model_dump() | ({"quiet": [NIGHTS]} if one.name == "ben" else {}) for one in notify().person]
    chains = [
        {"name": "high", "priorities": ["high"], "step": [{"to": ["ben"]}]},
        {"name": "low", "priorities": ["low"], "step": [{"to": ["duty"]}]},
        {"name": "grave", "priorities": ["critical"], "step": [{"to": ["chief", "anna"]}]},
    ]
    story = Story(notify(rota=day, person=people, chain=chains), local("2026-06-17T05:50"), down={"chief_mail"})
    story.raised("hot")
    story.raised("slow", priority=AlarmPriority.LOW)
    story.raised("fire", priority=AlarmPriority.CRITICAL)
    story.run("2026-06-17T06:30")
    story.down = set()
    story.run("2026-06-17T08:01")
    story.hear("fire", None)
    read = [(f"{one.at.astimezone(BERLIN):%H:%M}", notified(one).replace(one.id or "-", "ID")) for one in story.diary]
    tries = next(one.tries for one in story.diary if one.channel == "chief_mail" and one.result == "sent")
    assert 5 < tries < 12
    late = next(at for at, words in read if "in vain" in words)
    assert sorted(read) == sorted([
        ("05:50", "not told to ben by ben_sms yet: quiet hours of ben: it comes in one message when they end"),
        ("05:50", "told nobody: nobody is on call in any step of chain low"),
        ("05:50", "told anna by anna_sms (ID)"),
        ("05:50", "not told to chief by chief_mail, tried again: no answer (ID)"),
        ("06:00", "told ben by ben_sms (ID)"),
        (late, f"told chief by chief_mail, after {tries} tries in vain (ID)"),
        ("08:00", "told anna by anna_sms (ID)"),
        ("08:01", "told chief by chief_mail that it is over (ID)"),
        ("08:01", "told anna by anna_sms that it is over (ID)"),
    ])  # fmt: skip
    assert [one.alarms for one in story.diary if one.says == "digest"] == [["hot"]]
    assert len({one.at for one in story.diary}) == len(story.diary), "each has an instant of its own"


def test_consequences_are_told_with_their_first_out() -> None:
    story = Story(notify(chain=[{"name": "all", "delay": 30.0, "step": [{"to": ["duty"]}]}]), local("2026-06-16T12:00"))
    story.raised("silent")
    for name in ("hot", "cold"):
        story.raised(name, consequence_of="silent", priority=AlarmPriority.MEDIUM)
    story.raised("fire", consequence_of="silent", priority=AlarmPriority.CRITICAL)
    story.run("2026-06-16T12:20")
    assert sorted(title for *_, title in story.told) == [
        "Plant: CRITICAL: bms: the battery is too hot", "Plant: HIGH: bms: the battery is too hot",
    ]  # fmt: skip
    story.hear("silent", None)
    story.run("2026-06-16T12:21")
    assert [who for who in story.who if who > "12:20"] == ["12:20 ben"] * 2 + ["12:20 ben"], story.told


def test_a_restart_in_the_middle_neither_repeats_nor_forgets() -> None:
    plain, restarted = (Story(notify(), local("2026-06-16T23:00")) for _ in range(2))
    for story in (plain, restarted):
        story.raised()
        for at in ("23:01", "23:10", "23:14", "23:20"):
            story.run(f"2026-06-16T{at}")
            if story is restarted:
                story.restart()
                story.desk.doubt({"hot"})
        story.becomes(AlarmState.NORMAL)
    assert restarted.told == plain.told
    assert restarted.who == ["23:00 anna", "23:15 chief", "23:20 anna", "23:20 chief"]


def test_what_ended_while_we_were_away_is_over_and_what_the_broker_lost_is_not_told_twice() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised("ended")
    story.raised("lost")
    lost = story.desk.escalation.alarms["lost"]
    story.run("2026-06-16T12:10")
    story.restart()
    story.desk.doubt(set())
    story.run("2026-06-16T12:16")
    assert story.who == ["12:00 ben"] * 2, "nothing is escalated of which nobody knows whether it is still so"
    story.hear("lost", lost)
    story.desk.forget(story.now)
    story.run("2026-06-16T12:17")
    assert story.who[2:] == ["12:16 chief", "12:16 ben"]


def test_a_channel_that_is_down_for_an_hour_delivers_once_and_the_next_step_is_taken_at_once() -> None:
    story = Story(notify(), local("2026-06-16T12:00"), down={"ben_sms"})
    story.raised()
    assert story.desk.outbox.failing() == {"ben_sms": "no answer"}
    story.run("2026-06-16T12:01")
    assert story.who == ["12:00 chief"]
    story.run("2026-06-16T13:00")
    story.down = set()
    story.run("2026-06-16T13:15")
    assert story.who[1:] in ([f"13:{n:02} ben"] for n in range(11))
    assert len(set(story.ids)) == 2
    assert not story.desk.outbox.failing()


def test_a_channel_that_never_works_is_given_up_after_a_day() -> None:
    story = Story(notify(), local("2026-06-16T12:00"), down={"ben_sms"}, beat=120.0)
    story.raised()
    story.run("2026-06-17T12:30")
    assert story.desk.outbox.counts["given_up"] == 1
    assert 140 < story.desk.outbox.counts["failed_tries"] < 160, "ten minutes between two at last"
    assert not story.desk.outbox.waiting


def test_without_a_broker_it_is_told_once_and_that_it_is_back() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    for _ in range(3):
        story.desk.silent("No connection", story.now)
        story.run(f"2026-06-16T{story.now + timedelta(minutes=20):%H:%M}")
    story.restart()
    story.desk.silent("No connection", story.now)
    story.desk.heard_again(story.now)
    story.run("2026-06-16T13:30")
    assert story.who == ["12:00 ben", "13:00 ben"]
    assert "no alarm of the site reaches anybody" in story.told[0][2]


def test_when_nobody_is_on_call_the_next_step_is_due_and_without_any_it_waits() -> None:
    day = [{"name": "duty", "shift": [{"person": "anna", "start": "08:00", "end": "16:00"}]}]
    story = Story(notify(rota=day), local("2026-06-16T07:00"))
    story.raised()
    story.run("2026-06-16T07:01")
    assert story.who == ["07:00 chief"]
    alone = Story(notify(rota=day, chain=[{"name": "all", "step": [{"to": ["duty"]}]}]), local("2026-06-16T07:00"))
    alone.raised()
    alone.run("2026-06-16T07:30")
    assert alone.desk.escalation.unreached == {("hot", "all")}
    alone.run("2026-06-16T08:30")
    assert alone.who == ["08:00 anna"]
    assert not alone.desk.escalation.unreached


STATES = st.sampled_from([*AlarmState])
HAPPENS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), STATES, st.integers(0, 1200), st.booleans()), max_size=25
)


@given(HAPPENS)
def test_whatever_happens_a_restart_changes_nothing_and_nothing_is_told_of_what_was_acknowledged(happens: Any) -> None:
    plain, restarted = (Story(notify(), local("2026-06-16T12:00"), beat=60.0) for _ in range(2))
    for story in (plain, restarted):
        since = story.now
        for name, state, seconds, anew in happens:
            since = story.now if anew else since
            story.hear(name, alarm(story.now, state=state, since=since))
            before = len(story.told)
            story.run(f"{story.now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}")
            if not any(
                one.state in ("unacknowledged", "latched_unacknowledged")
                for one in story.desk.escalation.alarms.values()
            ):
                assert not [title for *_, title in story.told[before:] if "HIGH" in title]
            if story is restarted:
                story.restart()
    assert restarted.told == plain.told
    assert restarted.ids == plain.ids


def test_the_short_form_of_anything_has_160_characters() -> None:
    words = Words("A site with quite a long name " * 3, BERLIN, "https://ems.example/" + "x" * 40)
    now = local("2026-06-16T12:00")
    text = words.alarm("hot", alarm(now, cause="very " * 100), {}, "https://ems.example/ack/" + "t" * 200, again=True)
    assert len(text.short) <= SHORT
    plain = Words("Plant", BERLIN, "https://ems.example").alarm("hot", alarm(now), {}, None, again=False)
    assert plain.short == "Plant: HIGH: bms: the battery is too hot https://ems.example"
    assert plain.body.endswith("Page: https://ems.example/alarms#hot")


def test_a_digest_and_a_text_message_have_a_link_for_exactly_what_they_list() -> None:
    people = [one.model_dump() | {"quiet": [NIGHTS]} for one in notify().person]
    story = Story(notify(person=people), local("2026-06-16T23:00"))
    asked: list[list[str]] = []

    def link(raises: Any, person: str, _: datetime, short: bool) -> str:
        asked.append([name for name, _ in raises])
        return f"https://ems.example/ack/{person}{len(raises)}{'s' if short else ''}"

    story.desk.link = link
    for name in ("hot", "gone", "seen", "latched"):
        story.raised(name)
    story.becomes(AlarmState.NORMAL, "gone")
    story.becomes(AlarmState.ACKNOWLEDGED, "seen")
    story.becomes(AlarmState.LATCHED_UNACKNOWLEDGED, "latched")
    for number in range(MOST_LISTED):
        story.raised(f"z{number}", priority=AlarmPriority.LOW)
    story.now = local("2026-06-17T06:00")
    story.desk.tick(story.now)
    digest = next(one for one in story.desk.outbox.waiting if one.channel == "anna_sms")
    listed = next(names for names in asked if len(names) > 1)
    assert listed == ["hot", "latched", *(f"z{n}" for n in range(MOST_LISTED - 4))], "no more than it writes out"
    assert f"Acknowledge these {len(listed)}: https://ems.example/ack/anna{len(listed)}s" in digest.body
    assert digest.short.endswith(f" https://ems.example/ack/anna{len(listed)}s")
    one = Story(notify(), local("2026-06-16T12:00"), down={"ben_sms"})
    one.desk.link = link
    one.raised()
    (message,) = (sent for sent in one.desk.outbox.waiting if sent.channel == "ben_sms")
    assert message.short.endswith("the battery is too hot https://ems.example/ack/ben1s")
    assert "Acknowledge: https://ems.example/ack/ben1\n" in message.body + "\n"


def test_a_shift_of_every_second_week_over_midnight_belongs_to_the_day_it_began() -> None:
    night = {"person": "anna", "start": "22:00", "end": "06:00", "first": date(2026, 6, 15), "every": 2}
    rules = notify(rota=[{"name": "duty", "shift": [night]}])
    calendar = Calendar(rules.person, rules.rota, Holidays(), BERLIN)
    asked = ("15T03:00", "15T23:00", "21T23:00", "22T03:00", "22T23:00", "29T03:00", "29T23:00")
    on_call = [calendar.on_call("duty", local(f"2026-06-{at}")) for at in asked]
    assert on_call == [None, "anna", "anna", "anna", None, None, "anna"]


def test_a_consequence_that_outlives_its_first_out_is_told_after_its_delay() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised("silent")
    story.raised("hot", consequence_of="silent", priority=AlarmPriority.LOW)
    story.run("2026-06-16T12:10")
    story.hear("silent", None)
    assert story.who == ["12:00 ben", "12:10 ben"], "raised, and over"
    story.run("2026-06-16T12:11")
    assert story.told[-1] == ("12:10", "ben_sms", "Plant: LOW: bms: the battery is too hot")


def test_a_failing_channel_hurries_each_step_once() -> None:
    steps = [{"to": ["ben"]}, {"after": 600.0, "to": ["anna"]}, {"after": 1200.0, "to": ["chief"]}]
    story = Story(notify(chain=[{"name": "all", "step": steps}]), local("2026-06-16T12:00"), down={"ben_sms"})
    story.raised()
    story.run("2026-06-16T12:30")
    assert story.who == ["12:00 anna", "12:10 chief"], "ben's retries hurry nobody after anna, whom it reached"


def test_two_people_behind_one_channel_are_told_there_once() -> None:
    people = [{"name": name, "channels": ["anna_sms"]} for name in ("anna", "ben", "chief")]
    chain = [{"name": "all", "step": [{"to": ["anna", "ben"]}]}]
    story = Story(notify(person=people, chain=chain), local("2026-06-16T12:00"))
    story.raised()
    assert story.who == ["12:00 anna"]


def waiting(number: int, made: datetime, *, urgent: bool = False) -> Outgoing:
    return Outgoing(id=f"{number}", channel="sms", made=made, due=made, title="", body="", short="", urgent=urgent)


def test_an_outbox_is_bounded_and_its_pauses_end_with_a_channel_that_works_or_a_clock_that_is_set_back() -> None:
    now, box = local("2026-06-16T12:00"), Outbox()
    box.put(waiting(n, now + timedelta(seconds=n), urgent=n == 0) for n in range(MOST + 2))
    assert [one.id for one in box.waiting][:2] == ["0", "3"], "the oldest that are not urgent are given up"
    assert (len(box.waiting), box.counts["given_up"]) == (MOST, 2)
    two = Outbox([waiting(1, now), waiting(2, now)])
    for _ in range(9):
        two.failed(two.waiting[1], "no", now)
    assert two.next("sms", now) is two.waiting[0]
    two.arrived(two.waiting[0], now)
    assert two.next("sms", now) is two.waiting[0], "at once, and not in 10 min"
    two.failed(two.waiting[0], "no", now)
    assert two.next("sms", now) is None
    assert two.next("sms", now - timedelta(days=1)) is not None
