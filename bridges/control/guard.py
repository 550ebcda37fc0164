"""May this command be obeyed? Pure: what is late, retained, unknown or contradictory is refused, and says why.

A command is judged when it is taken out of the queue, not when it is heard: what waits grows older by the monotonic
clock, and cannot overtake. No step of a wall clock shuts anybody out for longer than a command lives, and what was held
back while it was set back is as old as it is (`command_age`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bridges.control.command_history import LONGEST, Arrival, History, is_older
from bridges.control.grid_limit import LIMIT, LIMITING
from schemas.messages import Action, Authority, Cause, Command, OutcomeState

SKEW = timedelta(seconds=5)
"""A command from further in the future shows that a clock is wrong."""

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
    return (
        _never_obeyed(arrival, station)
        or _out_of_time(arrival, now)
        or _seen_before(arrival, history)
        or _not_understood(arrival.command, station)
        or _overruled(arrival.command, holder, now)
        or _distrusted(arrival.command, station)
    )


def _never_obeyed(arrival: Arrival, station: Station) -> Refusal | None:
    if station.read_only:
        return Refusal(Cause.READ_ONLY, "read_only: this site is only watched, nothing is ever written")
    if arrival.retained:
        return Refusal(Cause.RETAINED, "retained: a command out of the broker's store may be of any age")
    return None


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
    if last is not None and is_older(arrival, last):
        return Refusal(Cause.OUT_OF_ORDER, f"out_of_order: {command.source} has sent a newer command")
    if arrival.sent < history.began:
        words = "before_start: it was sent before this bridge began, and may have been obeyed already"
        return Refusal(Cause.BEFORE_START, words)
    return None


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
