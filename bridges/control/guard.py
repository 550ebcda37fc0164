"""May this command be obeyed? Pure: what is late, retained, unknown or contradictory is refused, and says why.

A command is judged when it is taken out of the queue, not when it is heard: what waits grows older by the monotonic
clock, and cannot overtake. No step of a wall clock shuts anybody out for longer than a command lives, and what was held
back while it was set back is as old as it is (`command_age`).
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bridges.control.command_age import Sending, StepWatch, earliest, in_rhythm
from bridges.control.grid_limit import LIMIT, LIMITING
from schemas.messages import Action, Authority, Cause, Command, OutcomeState
from schemas.topics import COMMAND_TTL

SKEW = timedelta(seconds=5)
"""A command from further in the future shows that a clock is wrong."""

LONGEST = timedelta(seconds=6 * COMMAND_TTL)
"""The life of a command. One that comes later than that after its end shows that a clock is wrong, too."""
REMEMBERED = 1000

BY_HAND = (Authority.PROTECTION, Authority.DSO, Authority.OPERATOR)
"""Those who close no loop over the meter unless they say so: they may still steer when it is not believed."""
FOLLOWS_METER = (Authority.PLAN, Authority.SELF_CONSUMPTION)
"""Those whose wish answers the meter unless they say that it does not."""
SAFER = (Action.STOP, Action.STANDBY, Action.RESET)
"""They bring a device to rest, or are the way out: no loop is closed by them, whoever sends them."""
REMEDY = {Cause.SWINGING: "; a person looks and resets it, and a schedule by the clock says `follows_meter: false`"}
"""What helps, where it is not only a person's look at the plant."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is not obeyed, in the state its outcome will have."""

    cause: Cause
    reason: str
    state: OutcomeState = OutcomeState.REFUSED


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
        after = last.sent if last is not None and _proven_later(arrival.command, last) else float("-inf")
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


@dataclass(frozen=True, slots=True)
class Holder:
    """Who steers the device, and until when by the monotonic clock."""

    authority: Authority
    source: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Station:
    """What the device at this address understands, and whom it obeys."""

    points: Collection[str]
    actions: Collection[str]
    sources: Mapping[str, Authority]
    """The most each source may claim."""
    read_only: bool = False
    local: bool = False
    """Somebody steers it at its own panel."""
    distrust: Mapping[Cause, str] = field(default_factory=dict)
    """Why no loop is closed over this device and its meter until a person has looked."""


def refusal(arrival: Arrival, station: Station, history: History, holder: Holder | None, now: float) -> Refusal | None:
    """Why not, or None when the command may be obeyed. `now` is the monotonic time at which it is taken."""
    if station.read_only:
        return Refusal(Cause.READ_ONLY, "read_only: this site is only watched, nothing is ever written")
    if arrival.retained:
        return Refusal(Cause.RETAINED, "retained: a command out of the broker's store may be of any age")
    return (
        _out_of_time(arrival, now)
        or _seen_before(arrival, history)
        or _not_understood(arrival.command, station)
        or _overruled(arrival.command, holder, now)
        or _distrusted(arrival.command, station)
    )


def _out_of_time(arrival: Arrival, now: float) -> Refusal | None:
    command, wall = arrival.command, arrival.wall
    if command.until <= wall:
        late = (wall - command.until).total_seconds()
        if late > LONGEST.total_seconds():
            words = f"clock_skew: it was valid until {late:.1f} s ago, and nothing holds a command up so long"
            return Refusal(Cause.CLOCK_SKEW, words)
        return Refusal(Cause.EXPIRED, f"expired: it was valid until {late:.1f} s ago", OutcomeState.EXPIRED)
    if command.at > wall + SKEW:
        ahead = (command.at - wall).total_seconds()
        return Refusal(Cause.CLOCK_SKEW, f"clock_skew: it comes from {ahead:.1f} s in the future")
    if command.until - command.at > LONGEST:
        most = LONGEST.total_seconds()
        return Refusal(Cause.TOO_LONG, f"too_long: a command is valid for at most {most:.0f} s and then sent again")
    return _ended(arrival, now) if now >= arrival.deadline else None


def _ended(arrival: Arrival, now: float) -> Refusal:
    if now < min(arrival.mono, arrival.shown) + arrival.life:
        words = f"clock_step: our clock was set back, and it may be {now - arrival.sent:.1f} s old: send it again"
        return Refusal(Cause.CLOCK_STEP, words)
    waited = now - arrival.mono
    return Refusal(Cause.EXPIRED, f"expired: it ended while it waited for {waited:.1f} s", OutcomeState.EXPIRED)


def _seen_before(arrival: Arrival, history: History) -> Refusal | None:
    command = arrival.command
    if command.id in history.seen:
        return Refusal(Cause.DUPLICATE, "duplicate: this id was obeyed before")
    last = history.orders.get(command.source)
    if last is not None and _older(arrival, last):
        return Refusal(Cause.OUT_OF_ORDER, f"out_of_order: {command.source} has sent a newer command")
    if arrival.sent < history.began:
        words = "before_start: it was sent before this bridge began, and may have been obeyed already"
        return Refusal(Cause.BEFORE_START, words)
    return None


def _older(arrival: Arrival, last: Order) -> bool:
    """By epoch and number where there are any. By time else, and no longer than a command can live: one that is older
    than that has ended anyway, and a clock that was set back must not shut its owner out. So, too, an epoch that is
    new: the late word of an earlier run must not retire the one that lives."""
    command, lately = arrival.command, arrival.mono - last.mono < LONGEST.total_seconds()
    if command.epoch is None:
        return command.at < last.at and lately
    if command.epoch != last.epoch and command.epoch not in last.retired:
        return arrival.sent < last.sent and lately
    return not _proven_later(command, last)


def _proven_later(command: Command, last: Order) -> bool:
    """By its number, whatever any clock says."""
    if command.epoch is None or command.epoch in last.retired:
        return False
    return command.epoch != last.epoch or (command.number or 0) > last.number


def _not_understood(command: Command, station: Station) -> Refusal | None:
    if command.source not in station.sources:
        known = ", ".join(station.sources)
        words = f"foreign_source: {command.source!r} does not command here; {known} does"
        return Refusal(Cause.FOREIGN_SOURCE, words)
    for point, value in command.values.items():
        if point not in station.points:
            known = ", ".join(station.points) or "none"
            return Refusal(Cause.UNKNOWN, f"unknown: no command {point!r}; there is: {known}")
        low, high = SPANS.get(point, (value, value))
        if not low <= value <= high:
            return Refusal(Cause.OUT_OF_RANGE, f"out_of_range: {point} goes from {low:g} to {high:g}, not to {value:g}")
    if command.action is not None and command.action not in station.actions:
        known = ", ".join(station.actions) or "none"
        return Refusal(Cause.UNKNOWN, f"unknown: no action {command.action.value!r}; there is: {known}")
    if station.local:
        return Refusal(Cause.LOCAL, "local: it is steered at its own panel")
    return None


SPANS = {LIMIT: (0.0, 100.0), "pf_set": (-1.0, 1.0)}
"""What a quantity can be at all; what the device can do is a limit, and is told as one."""


def _overruled(command: Command, holder: Holder | None, now: float) -> Refusal | None:
    # a limit takes nobody's place: whoever steers goes on within it, also a protection
    if holder is None or holder.deadline <= now or is_limit(command):
        return None
    # The same source may weaken its own claim: an operator's lease that ends goes back to the plan.
    if command.source != holder.source and command.authority.rank > holder.authority.rank:
        words = f"authority: {holder.source} holds the device as {holder.authority.value}"
        return Refusal(Cause.AUTHORITY, words)
    return None


def _distrusted(command: Command, station: Station) -> Refusal | None:
    most = station.sources[command.source]
    if command.authority.rank < most.rank:
        words = f"authority: {command.source} may claim {most.value} at most, not {command.authority.value}"
        return Refusal(Cause.AUTHORITY, words)
    by_hand = command.authority in BY_HAND and not command.follows_meter
    if not station.distrust or command.action in SAFER or by_hand:
        return None
    cause, words = next(iter(station.distrust.items()))
    remedy = REMEDY.get(cause, "") if closes_loop(command) else ""
    return Refusal(cause, f"{cause.value}: {words}{remedy}")


def closes_loop(command: Command) -> bool:
    """Its values answer the meter: only then its to and fro can be a loop that swings."""
    told = command.follows_meter
    return command.authority in FOLLOWS_METER if told is None else told


def is_limit(command: Command) -> bool:
    """The network operator (or a protection) only narrows what others may do."""
    return command.authority in LIMITING and set(command.values) == {LIMIT}


def understood(points: Collection[str], command: Command | None = None) -> list[str]:
    """What a device can be given: its own values, a power factor where it takes var, and a limit on its power."""
    known = set(points)
    if {"p_set", "q_set"} <= known:
        known.add("pf_set")
    if command is not None and is_limit(command):
        known.add(LIMIT)
    return sorted(known)


def actions(able: Collection[Action], *, steers_battery: bool) -> list[Action]:
    """What it can be told to do. The battery can always be reset: its control may have lost its trust in the meter."""
    return sorted({*able, *([Action.RESET] if steers_battery else [])})
