"""What is on its way: each message is tried until it has arrived, or for a day. Pure; kept on disk by who uses it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel

from schemas.messages.notified import Told
from schemas.units import Instant

FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0
"""Seconds between two tries, doubled each time."""
GIVEN_UP = timedelta(hours=24)
FEWEST = 12
"""Tries until then: an hour. A clock that was set forward, or a machine that was off, is no day of tries."""
MOST = 500
"""Messages that wait for one channel; the oldest that is not urgent is given up for one more."""


class Outgoing(BaseModel):
    """A message to one channel. Its id stays the same, however often it is sent."""

    id: str
    channel: str
    made: Instant
    title: str
    body: str
    short: str
    urgent: bool = False
    cases: list[tuple[str, str]] = []
    """Alarm and chain that it is about, and that its failure hurries."""
    alarms: list[str] = []
    people: list[str] = []
    """To whom."""
    says: Told = "raised"
    tries: int = 0
    due: Instant
    why: str = ""
    """What the channel said last."""


@dataclass
class Outbox:
    """Of all channels."""

    waiting: list[Outgoing] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def put(self, messages: Iterable[Outgoing]) -> list[Outgoing]:
        """Those that were given up to make room."""
        gone: list[Outgoing] = []
        for one in messages:
            self.waiting.append(one)
            those = [other for other in self.waiting if other.channel == one.channel]
            if len(those) > MOST:
                gone.append(min(those, key=lambda other: (other.urgent, other.made)))
                self._give_up(gone[-1])
        return gone

    def next(self, channel: str, now: datetime) -> Outgoing | None:
        """What is to be tried: what is urgent first, then in the order it was made."""
        due = [one for one in self.waiting if one.channel == channel and (one.due <= now or _set_back(one, now))]
        return min(due, key=lambda one: (not one.urgent, one.made), default=None)

    def arrived(self, message: Outgoing, now: datetime) -> None:
        """The channel works: what waits for it need not wait longer."""
        self._remove(message)
        self.counts["sent"] += 1
        for one in self.waiting:
            if one.channel == message.channel:
                one.due, one.why = min(one.due, now), ""

    def failed(self, message: Outgoing, why: str, now: datetime) -> bool:
        """It waits for the next try, longer each time. Whether it was given up instead."""
        self.counts["failed_tries"] += 1
        message.tries, message.why = message.tries + 1, why
        message.due = now + timedelta(seconds=min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(message.tries - 1, 20)))
        if now - message.made < GIVEN_UP or message.tries < FEWEST:
            return False
        self._give_up(message)
        return True

    def shift(self, back: timedelta) -> None:
        """The clock was set back."""
        for one in self.waiting:
            one.made, one.due = one.made - back, one.due - back

    def failing(self) -> dict[str, str]:
        """The channels whose last try failed, and why."""
        return {one.channel: one.why for one in self.waiting if one.why}

    def _give_up(self, message: Outgoing) -> None:
        self._remove(message)
        self.counts["given_up"] += 1

    def _remove(self, message: Outgoing) -> None:
        self.waiting = [one for one in self.waiting if one.id != message.id]


def _set_back(one: Outgoing, now: datetime) -> bool:
    """The clock was set back: no try is further away than the longest pause."""
    return one.due - now > timedelta(seconds=LONGEST_WAIT)
