"""One message instead of a flood, for each channel: what goes out at once and what is collected. Pure.

ISA-18.2 calls more than 10 alarms in 10 minutes a flood; it ends when fewer than half as many come.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from consumers.notify.escalation import Notice
from schemas.messages import AlarmPriority
from schemas.site_notify import Digest
from schemas.units import Instant

MINUTE = timedelta(minutes=1)
RANK = list(AlarmPriority)

Why = Literal["quiet", "flood", "urgent"]


class Entry(BaseModel):
    """One alarm that waits for a digest."""

    alarm: str
    since: Instant
    chain: str
    person: str
    priority: AlarmPriority
    line: str
    """In words, as it was when it was collected."""
    why: Why
    at: Instant
    over: bool = False
    """It was over before anybody was told."""
    times: int = 1
    """So often it came while this waited."""


class Post(BaseModel):
    """What a channel was told lately, and what waits for it; kept on disk."""

    recent: list[Instant] = []
    """When something was to be told, also what waits."""
    urgent: list[Instant] = []
    """When something urgent was told at once, within the last minute."""
    held: list[Entry] = []
    flooded: bool = False

    def takes(self, notice: Notice, rules: Digest, now: datetime) -> Why | None:
        """None: it goes out at once. Else why it is collected."""
        self._forget(rules, now)
        if notice.quiet:
            return "quiet"
        self.recent.append(now)
        if notice.urgent:
            if len(self.urgent) >= rules.critical:
                return "urgent"
            self.urgent.append(now)
            return None
        self.flooded = self.flooded or len(self.recent) > rules.above
        return "flood" if self.flooded else None

    def hold(self, entry: Entry) -> None:
        """Each alarm once, however often it comes: what is told of it later replaces what was to be told before."""
        before = next((one for one in self.held if _same(one, entry)), None)
        if before is not None:
            self.held.remove(before)
            times = before.times + (before.since != entry.since)
            entry = entry.model_copy(update={"at": before.at, "times": times})
        self.held.append(entry)

    def waits(self, name: str, since: datetime) -> bool:
        """Whether its raise has not been told here yet."""
        return any(one.alarm == name and one.since == since for one in self.held)

    def shift(self, back: timedelta) -> None:
        """The clock was set back."""
        self.recent, self.urgent = [one - back for one in self.recent], [one - back for one in self.urgent]
        for entry in self.held:
            entry.at -= back

    def ripe(self, rules: Digest, now: datetime, quiet: Callable[[str], bool]) -> list[Entry]:
        """What is to be told now, together: by priority, then by time."""
        self._forget(rules, now)
        found = [one for one in self.held if one.why == "quiet" and not quiet(one.person)]
        found += self._of("flood", now - timedelta(seconds=rules.every))
        if len(self.urgent) < rules.critical:
            urgent = self._of("urgent", now - timedelta(seconds=10))
            self.urgent += [now] * bool(urgent)
            found += urgent
        self.held = [one for one in self.held if one not in found]
        return sorted(found, key=lambda one: (RANK.index(one.priority), one.since))

    def _of(self, why: Why, before: datetime) -> list[Entry]:
        """All of them, once the oldest has waited long enough."""
        those = [one for one in self.held if one.why == why]
        return those if those and min(one.at for one in those) <= before else []

    def _forget(self, rules: Digest, now: datetime) -> None:
        span = timedelta(seconds=rules.within)
        # what a clock that was set back has left in the future counts no longer
        self.recent = [one for one in self.recent if now - span < one <= now]
        self.urgent = [one for one in self.urgent if now - MINUTE < one <= now]
        if 2 * len(self.recent) < rules.above:
            self.flooded = False


def _same(one: Entry, other: Entry) -> bool:
    return (one.alarm, one.person) == (other.alarm, other.person)


def counted(entries: Iterable[Entry]) -> str:
    """Such as `2 critical, 5 high`."""
    those = [*entries]
    counts = [(rank, sum(one.priority is rank for one in those)) for rank in RANK]
    return ", ".join(f"{count} {rank}" for rank, count in counts if count)
