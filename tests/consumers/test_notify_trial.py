"""Which tests of channels are followed, and which are refused in which words."""

import json
from datetime import timedelta
from typing import Any

import pytest

from consumers.notify.trial import REMEMBERED, Refusal, Trials, refused
from runtime.heard import Heard, read
from schemas.messages import Cause, NotifyRequest
from schemas.topics import NOTIFY_REQUEST
from tests.consumers.test_notify_story import local, notify

NOW = local("2026-06-16T12:00")
WISH: dict[str, Any] = {"id": "a", "at": NOW.isoformat(), "action": "test", "who": "erik"}


def heard(retained: bool = False, **more: Any) -> Heard[NotifyRequest]:
    payload = json.dumps(WISH | more).encode()
    message, fault = read(NOTIFY_REQUEST, payload)
    return Heard(NOTIFY_REQUEST, {"site": "plant"}, message, fault, payload, retained, 0)


FOLLOWED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "every channel": ({}, ["anna_sms", "ben_sms", "chief_mail"]),
    "a channel": ({"channel": "ben_sms"}, ["ben_sms"]),
    "a person": ({"person": "chief"}, ["chief_mail"]),
}
REFUSED: dict[str, tuple[dict[str, Any], Cause, str]] = {
    "retained": ({"retained": True}, Cause.RETAINED, "send it without retain"),
    "late": ({"at": (NOW - timedelta(seconds=31)).isoformat()}, Cause.EXPIRED, "too far apart"),
    "ahead": ({"at": (NOW + timedelta(seconds=31)).isoformat()}, Cause.CLOCK_SKEW, "too far apart"),
    "an unknown channel": ({"channel": "ben_smss"}, Cause.UNKNOWN, "no channel 'ben_smss'; it has: anna_sms, ben_sms"),
    "an unknown person": ({"person": "bob"}, Cause.UNKNOWN, "no person 'bob'; it has: anna, ben, chief"),
    "both": ({"person": "ben", "channel": "ben_sms"}, Cause.INVALID, "give either `channel` or `person`"),
    "another action": ({"action": "call"}, Cause.INVALID, "action"),
    "a key too many": ({"url": "x"}, Cause.INVALID, "url"),
    "nobody": ({"who": ""}, Cause.INVALID, "who"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_is_followed(name: str) -> None:
    more, channels = FOLLOWED[name]
    assert Trials(notify()).channels(heard(**more), NOW, 0.0) == channels


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    more, cause, words = REFUSED[name]
    trials = Trials(notify())
    with pytest.raises(Refusal, match=words) as why:
        trials.channels(heard(**more), NOW, 0.0)
    said = refused(heard(**more), why.value, NOW)
    assert (said.id, said.followed, said.cause) == ("a", False, cause)
    assert not trials.last, "what was refused holds up nobody"


def test_each_channel_is_tried_once_in_ten_seconds_and_each_request_once() -> None:
    trials = Trials(notify())
    trials.channels(heard(person="ben"), NOW, 5.0)
    assert trials.channels(heard(id="b", person="anna"), NOW, 6.0) == ["anna_sms"]
    with pytest.raises(Refusal, match="ben_sms was tried less than 10 s ago"):
        trials.channels(heard(id="c"), NOW, 14.9)
    assert trials.channels(heard(id="c", channel="ben_sms"), NOW, 15.0) == ["ben_sms"]
    with pytest.raises(Refusal, match="was followed already"):
        trials.channels(heard(person="ben"), NOW, 60.0)
    for number in range(REMEMBERED):
        trials.channels(heard(id=f"n{number}", channel="ben_sms"), NOW, 100.0 + 10 * number)
    assert len(trials.followed) == REMEMBERED
