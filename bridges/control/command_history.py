"""What a device has been told so far, by whom and in which order. Pure: moments are of the monotonic clock."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bridges.control.command_age import Sending, StepWatch, earliest, in_rhythm
from schemas.messages import Command
from schemas.topics import COMMAND_TTL

LONGEST = timedelta(seconds=6 * COMMAND_TTL)
"""The life of a command. One that comes later than that after its end shows that a clock is wrong, too."""
REMEMBERED = 1000
"""Commands by their ids, and sources by their last word."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A command, and when it came by both clocks."""

    command: Command
    retained: bool
    wall: datetime
    mono: float
    earliest: float | None = None
    """When it may have been sent already, where our clock was set back since."""

    @property
    def life(self) -> float:
        """Seconds it is valid."""
        return (self.command.until - self.command.at).total_seconds()

    @property
    def shown(self) -> float:
        """The monotonic time at which it was sent, by the wall clock as it shows now."""
        return self.mono - (self.wall - self.command.at).total_seconds()

    @property
    def sent(self) -> float:
        """The same, at the earliest."""
        return self.shown if self.earliest is None else self.earliest

    @property
    def deadline(self) -> float:
        """The monotonic time at which it ends: never later than it was given, however far our clock is behind."""
        return min(self.mono, self.sent) + self.life


@dataclass(slots=True)
class Order:
    """The newest word of one source."""

    at: datetime
    mono: float
    sent: float
    """The monotonic time at which it was sent, at the earliest."""
    epoch: str | None = None
    number: int = 0
    """The highest of its epoch."""
    retired: deque[str] = field(default_factory=lambda: deque(maxlen=100))
    """Its earlier epochs: none of them comes back."""


@dataclass
class History:
    """What a device has been told so far. Times are of the monotonic clock."""

    began: float
    """When it was begun: what was sent before may have been obeyed before, nobody remembers."""
    seen: dict[str, None] = field(default_factory=dict)
    """The ids of the last commands, oldest first."""
    orders: dict[str, Order] = field(default_factory=dict)
    heard: dict[str, tuple[datetime, float]] = field(default_factory=dict)
    """When the last command of each source was sent, by its word, and when it came, whatever became of it."""
    watch: StepWatch = field(default_factory=StepWatch)
    """Of our wall clock."""

    def dated(self, arrival: Arrival) -> Arrival:
        """With the moment at which it may have been sent. Each is dated once, in the order they came."""
        source, at = arrival.command.source, arrival.command.at
        last, before = self.orders.get(source), self.heard.pop(source, None)
        after = last.sent if last is not None and proven_later(arrival.command, last) else float("-inf")
        live = before is not None and in_rhythm((at - before[0]).total_seconds(), arrival.mono - before[1])
        self.heard[source] = at, arrival.mono
        _forget(self.heard)
        sending = Sending(arrival.shown, arrival.mono, arrival.life, after, live)
        return replace(arrival, earliest=earliest(sending, self.watch.steps))

    def remember(self, arrival: Arrival) -> None:
        """It is going to be obeyed."""
        command = arrival.command
        self.seen[command.id] = None
        _forget(self.seen)
        last = self.orders.setdefault(command.source, Order(command.at, arrival.mono, arrival.sent))
        last.at, last.mono, last.sent = command.at, arrival.mono, arrival.sent
        if command.epoch is None:
            return
        if last.epoch is not None and last.epoch != command.epoch:
            last.retired.append(last.epoch)
        last.epoch, last.number = command.epoch, command.number or 0


def _forget(kept: dict[str, Any]) -> None:
    """The oldest, beyond what is remembered."""
    while len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def is_older(arrival: Arrival, last: Order) -> bool:
    """By epoch and number where there are any. By time else, and no longer than a command can live: one that is older
    than that has ended anyway, and a clock that was set back must not shut its owner out. So, too, an epoch that is
    new: the late word of an earlier run must not retire the one that lives."""
    command, lately = arrival.command, arrival.mono - last.mono < LONGEST.total_seconds()
    if command.epoch is None:
        return command.at < last.at and lately
    if command.epoch != last.epoch and command.epoch not in last.retired:
        return arrival.sent < last.sent and lately
    return not proven_later(command, last)


def proven_later(command: Command, last: Order) -> bool:
    """By its number, whatever any clock says."""
    if command.epoch is None or command.epoch in last.retired:
        return False
    return command.epoch != last.epoch or (command.number or 0) > last.number
