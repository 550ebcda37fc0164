"""What became of telling people, for the archive: who asks later why nobody called finds it there. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from consumers.notify.outbox import Outgoing
from schemas.messages import Notified
from schemas.printable import printable

MOST = 500
"""Alarms that one entry names."""
TICK = timedelta(microseconds=1)
SAME = timedelta(seconds=1)
"""Further ahead than this the last entry is of a clock that was set back since."""
WAITS = {
    "quiet": "quiet hours of {person}: it comes in one message when they end",
    "flood": "more messages than one reads: they come together",
    "urgent": "more critical alarms in a minute than one reads: they come together",
}


@dataclass
class Diary:
    """What nobody has taken yet."""

    said: list[Notified] = field(default_factory=list)
    last: datetime | None = None
    """Of the newest entry: each has an instant of its own."""

    def of(
        self, message: Outgoing, result: Literal["sent", "failed", "given_up"], now: datetime, why: str = ""
    ) -> None:
        """What became of a message."""
        tries = message.tries if result == "sent" else max(0, message.tries - 1)
        alarms = message.alarms or list(dict.fromkeys(name for name, _ in message.cases))
        entry = Notified(
            at=self._at(now), id=message.id, result=result, says=message.says, alarms=alarms[:MOST],
            people=message.people, channel=message.channel, why=printable(why), tries=tries,
        )  # fmt: skip
        self.said.append(entry)

    def waits(self, alarm: str, people: list[str], channel: str, why: str, now: datetime) -> None:
        """An alarm that is not told at once."""
        words = WAITS[why].format(person=" and ".join(people))
        entry = Notified(
            at=self._at(now), result="waits", alarms=[alarm], people=people, channel=channel, why=words
        )  # fmt: skip
        self.said.append(entry)

    def nobody(self, cases: Iterable[tuple[str, str]], now: datetime) -> None:
        """Alarms, with their chains, that are due while nobody is on call."""
        for alarm, chain in sorted(cases):
            words = f"nobody is on call in any step of chain {chain}"
            self.said.append(Notified(at=self._at(now), result="nobody", alarms=[alarm], why=words))

    def take(self) -> list[Notified]:
        found, self.said = self.said, []
        return found

    def _at(self, now: datetime) -> datetime:
        same = self.last is not None and timedelta() <= self.last - now < SAME
        self.last = self.last + TICK if same and self.last is not None else now
        return self.last
