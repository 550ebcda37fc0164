"""What a hostile reader found in how people are told of alarms."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.notify.outbox import Outgoing
from consumers.notify.sender import Sender
from consumers.status import acknowledge
from consumers.status.state import State
from runtime.ack_link import make_token
from schemas.messages import AlarmPriority, AlarmState
from schemas.site_notify import NotifyChannel
from schemas.units import utc_now
from tests.consumers.notified import KEY, webhook
from tests.consumers.test_notify_story import NIGHTS, Story, alarm, local, notify
from tests.consumers.test_status_acknowledge import RAISED, app_of, claim
from tests.consumers.test_status_api import Said
from tests.consumers.test_status_state import page_site


def test_who_shares_a_channel_with_somebody_who_sleeps_is_told_at_once() -> None:
    """The message of the first one waited for the morning, and was the reason that the other one got none."""
    people = [
        {"name": "anna", "channels": ["anna_sms"], "quiet": [NIGHTS]},
        {"name": "ben", "channels": ["anna_sms"]},
        {"name": "chief", "channels": ["chief_mail"]},
    ]
    chain = [{"name": "all", "step": [{"to": ["anna", "ben"]}]}]
    story = Story(notify(person=people, chain=chain), local("2026-06-16T23:00"))
    story.raised()
    assert story.who == ["23:00 anna"]


def test_steps_that_are_late_keep_their_distance() -> None:
    """All were told at once: of an alarm of three days ago at a first start, and by a clock that is set forward."""
    story = Story(notify(), local("2026-06-16T12:00"))
    story.hear("old", alarm(story.now - timedelta(days=3)))
    story.run("2026-06-16T12:20")
    assert story.who == ["12:00 ben", "12:15 chief"]


def test_a_clock_that_is_set_back_by_an_hour_delays_no_step_and_no_digest() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised()
    for number in range(15):
        story.raised(f"a{number}")
    story.run("2026-06-16T12:01")
    assert len(story.told) == 10, "the others are collected"
    story.now = local("2026-06-16T11:01")
    story.run("2026-06-16T11:16")
    assert "Plant: 6 alarms: 6 high" in [title for *_, title in story.told]
    assert [who for who in story.who[10:] if "chief" in who][:1] == ["11:15 chief"]


def test_a_chain_that_an_alarm_fits_no_more_tells_nobody_of_what_was_acknowledged() -> None:
    """Its priority was changed in the site file: the acknowledgement stopped the new chain alone."""
    chain = [{"name": "grave", "priorities": ["high"], "repeat": 600.0, "step": [{"to": ["duty"]}]}]
    story = Story(notify(chain=chain), local("2026-06-16T12:00"))
    story.raised()
    story.restart()
    story.becomes(AlarmState.UNACKNOWLEDGED, priority=AlarmPriority.LOW)
    story.becomes(AlarmState.ACKNOWLEDGED)
    story.run("2026-06-16T13:00")
    assert story.who == ["12:00 ben"]
    story.hear("hot", None)
    assert story.who == ["12:00 ben", "13:00 ben"], "who was told is told that it is over"


def test_the_end_that_was_not_heard_is_not_dated_to_what_was_heard_before() -> None:
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised()
    bodies: list[str] = []
    story.now = local("2026-06-16T12:05")
    story.desk.hear("hot", None, story.now)
    bodies += [one.body for one in story.desk.outbox.waiting]
    assert "It is over, since Tue 16 Jun 12:05:00" in bodies[0]


def test_a_message_that_had_no_chance_yet_is_not_given_up() -> None:
    """It was made by a clock of 1970, or before the machine was off for two days."""
    story = Story(notify(), local("2026-06-16T12:00"), down={"ben_sms"})
    story.raised()
    story.now = local("2026-06-18T12:00")
    story.run("2026-06-18T12:30")
    story.down = set()
    story.run("2026-06-18T12:45")
    assert [who for who in story.who if "ben" in who]


async def test_what_was_taken_late_is_not_sent_again_when_another_message_came_between() -> None:
    async with webhook() as hook:
        hook.hangs = 0.3
        sender = Sender(NotifyChannel(name="slow", timeout=0.1), f"json://127.0.0.1:{hook.port}/")
        now = utc_now()
        one = Outgoing(id="n-1", channel="slow", made=now, due=now, title="t", body="b", short="s")
        assert await sender.send(one)
        await asyncio.sleep(0.4)
        hook.hangs = 0.0
        assert await sender.send(one.model_copy(update={"id": "n-2"})) == ""
        assert await sender.send(one) == ""
        assert hook.ids == ["n-1", "n-2"]


def made(url: str) -> Sender:
    return Sender(NotifyChannel(name="one"), url)


def test_a_message_longer_than_its_service_takes_is_parted_and_not_refused_for_a_day() -> None:
    key = "u" * 30
    parts = made(f"pover://{key}@{key}")._plugin._apply_overflow("word " * 600, title="t")
    assert len(parts) == 3


def test_a_key_that_stands_where_others_have_a_host_is_not_shown() -> None:
    assert "..." in made("pbul://averysecretkey")._shown("averysecretkey was refused")
    assert made("json://plant.example/averysecret")._shown("plant.example said averysecret") == "plant.example said "


def test_one_alarm_that_comes_and_goes_all_night_is_one_line() -> None:
    """Each raise was a line of its own; the forty that are listed were all of one alarm."""
    people = [one.model_dump() | {"quiet": [NIGHTS]} for one in notify().person]
    story = Story(notify(person=people), local("2026-06-16T23:00"), beat=60.0)
    for _ in range(50):
        story.raised("chatters")
        story.now += timedelta(minutes=1)
        story.becomes(AlarmState.NORMAL, "chatters")
    story.raised("steady")
    story.run("2026-06-17T06:05")
    title = story.told[0][2]
    assert title == "Plant: 2 alarms from your quiet hours: 2 high", story.told


def test_where_the_next_channel_is_known_to_fail_the_one_after_it_is_taken_at_once() -> None:
    steps = [{"to": ["ben"]}, {"after": 600.0, "to": ["anna"]}, {"after": 1200.0, "to": ["chief"]}]
    rules = notify(chain=[{"name": "all", "step": steps}])
    story = Story(rules, local("2026-06-16T12:00"), down={"ben_sms", "anna_sms"})
    story.raised()
    story.run("2026-06-16T12:01")
    assert story.who == ["12:00 chief"]
    story.raised("second")
    story.run("2026-06-16T12:02")
    assert story.who == ["12:00 chief", "12:01 chief"]


async def test_a_link_that_nobody_answered_is_good_for_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm service was away: its request was lost, and the link was spent."""
    monkeypatch.setattr(acknowledge, "PATIENCE", 0.05)
    said, state = Said(), State(page_site(tmp_path), broker=True, alarms={"hot-bms1": RAISED})
    address = f"/ack/{make_token(claim(), KEY)}"
    async with app_of(state, said) as client:
        for asked in (1, 2):
            answer = await client.post(address)
            assert (answer.status_code, len(said.orders)) == (202, asked)
            assert "has not answered" in answer.text


def test_who_comes_on_call_awake_is_told_of_what_waits_for_who_sleeps() -> None:
    """The chain went on without a word to ben."""
    people = [one.model_dump() | ({"quiet": [NIGHTS]} if one.name == "anna" else {}) for one in notify().person]
    story = Story(notify(person=people), local("2026-06-16T23:00"))
    story.raised()
    story.run("2026-06-17T06:05")
    assert story.who == ["02:00 ben", "02:15 chief", "06:00 anna"]


def test_the_end_is_not_said_to_a_channel_that_is_no_more() -> None:
    """It waited for ever: nobody tries a channel that the site file does not have."""
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised()
    channels = [{"name": name} for name in ("anna_sms", "chief_mail")]
    people = [{"name": name, "channels": ["chief_mail"]} for name in ("anna", "ben", "chief")]
    story.rules = notify(channel=channels, person=people)
    story.restart()
    story.hear("hot", None)
    assert story.desk.outbox.waiting == []


def test_what_is_told_after_a_clock_was_set_back_bears_the_time_of_the_clock() -> None:
    """An hour of the history would have stood in the future, a microsecond apart."""
    story = Story(notify(), local("2026-06-16T12:00"))
    story.raised("hot")
    story.raised("cold")
    first, second = [one.at for one in story.diary]
    assert second - first == timedelta(microseconds=1), "of one moment two"
    story.now = local("2026-06-16T11:00")
    story.raised("slow")
    assert story.diary[-1].at == story.now
