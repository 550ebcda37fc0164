"""A test of channels that somebody asks for: which requests are followed, the message, and what is answered. Pure."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex

from consumers.notify.outbox import Outgoing
from consumers.notify.words import Words
from runtime.alarm_words import apart
from runtime.heard import Heard
from schemas.messages import Cause, ChannelAnswer, NotifyOutcome, NotifyRequest
from schemas.printable import asked, printable
from schemas.site_notify import Notify

TOLERANCE = 30.0
"""Seconds: a request that is older was meant for another moment; a clock that is further ahead is wrong."""
PAUSE = 10.0
"""Seconds between two tests of a channel."""
REMEMBERED = 200
"""Ids of requests that were followed."""


class Refusal(Exception):
    """A request that is not followed, and why, for programs and in words."""

    def __init__(self, cause: Cause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


@dataclass
class Trials:
    """Of one site."""

    notify: Notify
    followed: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    last: dict[str, float] = field(default_factory=dict)
    """When each channel was tried last, by the monotonic clock."""
    under_way: set[str] = field(default_factory=set)
    """Channels whose server has not answered a test yet: another one would stand before the next alarm."""

    def channels(self, heard: Heard[NotifyRequest], now: datetime, mono: float) -> list[str]:
        """Those to be tried. Raises Refusal."""
        wish = heard.message
        if wish is None:
            raise Refusal(Cause.INVALID, f"not valid: {heard.fault or 'empty'}")
        if heard.retained:
            raise Refusal(Cause.RETAINED, "it is retained: it would be done again and again; send it without retain")
        late = (now - wish.at).total_seconds()
        if abs(late) > TOLERANCE:
            cause = Cause.EXPIRED if late > 0 else Cause.CLOCK_SKEW
            raise Refusal(cause, apart(wish.at, now))
        if wish.id is not None and wish.id in self.followed:
            raise Refusal(Cause.DUPLICATE, "this request was followed already: give a new one an id of its own")
        found = self._named(wish)
        if busy := [name for name in found if name in self.under_way]:
            words = f"the server of {', '.join(busy)} has not answered the last test yet: wait for its answer"
            raise Refusal(Cause.TOO_OFTEN, words)
        soon = [name for name in found if mono - self.last.get(name, -PAUSE) < PAUSE]
        if soon:
            words = f"{', '.join(soon)} was tried less than {PAUSE:.0f} s ago: wait for its answer, and ask again then"
            raise Refusal(Cause.TOO_OFTEN, words)
        self.last |= dict.fromkeys(found, mono)
        if wish.id is not None:
            self.followed.append(wish.id)
        return found

    def _named(self, wish: NotifyRequest) -> list[str]:
        every = [one.name for one in self.notify.channel if one.name]
        people = {one.name: one.channels for one in self.notify.person}
        if wish.channel is not None:
            return [_known(wish.channel, "channel", every)]
        if wish.person is not None:
            return people[_known(wish.person, "person", people)]
        return every


def _known(name: str, what: str, known: Collection[str]) -> str:
    if name not in known:
        raise Refusal(Cause.UNKNOWN, f"the site file has no {what} {name!r}; it has: {', '.join(known)}")
    return name


def message(words: Words, channel: str, now: datetime) -> Outgoing:
    """The test itself."""
    text = words.test(channel, now)
    return Outgoing(
        id=f"test-{now:%Y%m%dT%H%M%S}-{token_hex(2)}", channel=channel, made=now, due=now, title=text.title,
        body=text.body, short=text.short,
    )  # fmt: skip


def answered(why: str) -> str:
    """What a server said, for people: the page and the terminal say the same."""
    return f"not sent: {why}" if why else "sent: its server took the message"


def refused(heard: Heard[NotifyRequest], why: Refusal, now: datetime) -> NotifyOutcome:
    said, wish = asked(heard.payload), heard.message
    return NotifyOutcome(
        id=(wish.id or "unknown") if wish else said.id, at=now, followed=False,
        who=printable(wish.who) if wish else said.who, wish=wish.action if wish else said.wish, cause=why.cause,
        reason=str(why),
    )  # fmt: skip


def begun(wish: NotifyRequest, channels: Collection[str], now: datetime) -> NotifyOutcome:
    """At once: the servers may take their time."""
    reason = f"on its way by {', '.join(channels)}"
    who = printable(wish.who)
    return NotifyOutcome(id=wish.id or "unknown", at=now, followed=True, who=who, wish=wish.action, reason=reason)


def ended(wish: NotifyRequest, answers: Mapping[str, str], now: datetime) -> NotifyOutcome:
    """What each server said: empty when it took the message."""
    return NotifyOutcome(
        id=wish.id or "unknown", at=now, followed=not any(answers.values()), who=printable(wish.who), wish=wish.action,
        cause=Cause.NOTIFY_FAILS if any(answers.values()) else None,
        reason="; ".join(f"{name}: {answered(why)}" for name, why in answers.items()),
        channels=[ChannelAnswer(channel=name, sent=not why, why=why) for name, why in answers.items()],
    )  # fmt: skip
