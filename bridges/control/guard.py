"""May this command be obeyed? Pure: what is late, retained, unknown or contradictory is refused, and says why."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridges.control.grid_limit import LIMIT
from schemas.messages import Action, Authority, Command, OutcomeState
from schemas.printable import printable
from schemas.profile import Profile
from schemas.topics import COMMAND_TTL

SKEW = timedelta(seconds=5)
"""A command from further in the future shows that a clock is wrong."""

LONGEST = timedelta(seconds=6 * COMMAND_TTL)
"""The life of a command. One that comes later than that after its end shows that a clock is wrong, too."""
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is not obeyed, in the state its outcome will have."""

    reason: str
    state: OutcomeState = OutcomeState.REFUSED


@dataclass
class History:
    """What a device has been told so far."""

    seen: dict[str, None] = field(default_factory=dict)
    """The ids of the last commands, oldest first."""
    newest: dict[str, datetime] = field(default_factory=dict)
    """`at` of the newest command of each source."""
    since: datetime | None = None
    """When this ledger was begun: what was sent before may have been obeyed before, nobody remembers."""
    authority: Authority | None = None
    source: str = ""
    until: datetime | None = None
    """Who holds the device, and until when."""

    def remember(self, command: Command, *, holds: bool = True) -> None:
        """The command is going to be obeyed. A mere limit does not hold the device: others steer within it."""
        self.seen[command.id] = None
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]
        self.newest[command.source] = command.at
        if not holds:
            return
        self.authority, self.source, self.until = command.authority, command.source, command.until


def remaining(command: Command, now: datetime) -> float:
    """Seconds it may be obeyed from now on: never longer than it was given, however far our clock is behind."""
    return (command.until - max(now, command.at)).total_seconds()


def is_limit(command: Command) -> bool:
    """The network operator (or a protection) only narrows what others may do."""
    return command.authority in (Authority.DSO, Authority.PROTECTION) and set(command.values) == {LIMIT}


PERCENT = {"p_set_pct": "p_set", "q_set_pct": "q_set"}
"""Setpoints that a device takes in percent of its rating are given in W and var all the same."""


def understood(profile: Profile, command: Command | None = None) -> list[str]:
    """The values a device can be given: its registers, a power factor where it takes var, and a limit on its power."""
    points = {PERCENT.get(point, point) for point in profile.commands}
    if {"p_set", "q_set"} <= points:
        points.add("pf_set")
    if command is not None and is_limit(command):
        points.add(LIMIT)
    return sorted(points)


def actions(profile: Profile, *, steers_battery: bool) -> list[str]:
    """What it can be told to do. The battery can always be reset: its control may have lost its trust in the meter."""
    return sorted({*profile.actions, *(["reset"] if steers_battery else [])})


@dataclass(frozen=True, slots=True)
class Post:
    """What the device at this address understands, and whom it obeys."""

    points: Collection[str]
    actions: Collection[str]
    sources: Collection[str]
    read_only: bool = False


def refusal(command: Command, retained: bool, post: Post, ledger: History, now: datetime) -> Refusal | None:
    """Why not, or None when the command may be obeyed. `now` is the wall clock."""
    if post.read_only:
        return Refusal("read_only: this site is only watched, nothing is ever written")
    if retained:
        return Refusal("retained: a command out of the broker's store may be of any age")
    return _out_of_time(command, ledger, now) or _not_understood(command, post) or _overruled(command, ledger, now)


def _out_of_time(command: Command, ledger: History, now: datetime) -> Refusal | None:
    if command.until <= now:
        late = (now - command.until).total_seconds()
        if late > LONGEST.total_seconds():
            return Refusal(f"clock_skew: it was valid until {late:.1f} s ago, and nothing holds a command up so long")
        return Refusal(f"expired: it was valid until {late:.1f} s ago", OutcomeState.EXPIRED)
    if command.at > now + SKEW:
        return Refusal(f"clock_skew: it comes from {(command.at - now).total_seconds():.1f} s in the future")
    if command.until - command.at > LONGEST:
        return Refusal(f"too_long: a command is valid for at most {LONGEST.total_seconds():.0f} s and then sent again")
    return _seen_before(command, ledger)


def _seen_before(command: Command, ledger: History) -> Refusal | None:
    if command.id in ledger.seen:
        return Refusal("duplicate: this id was obeyed before")
    newest = ledger.newest.get(command.source)
    if newest is not None and command.at < newest:
        return Refusal(f"out_of_order: {command.source} has sent a newer command")
    if ledger.since is not None and command.at < ledger.since:
        return Refusal("before_start: it was sent before this bridge began, and may have been obeyed already")
    return None


def _not_understood(command: Command, post: Post) -> Refusal | None:
    if command.source not in post.sources:
        return Refusal(f"foreign_source: {command.source!r} does not command here; {', '.join(post.sources)} does")
    for point in command.values:
        if point not in post.points:
            return Refusal(f"unknown: no command {point!r}; there is: {', '.join(post.points) or 'none'}")
    if not 0 <= command.values.get(LIMIT, 0.0) <= 100:
        return Refusal(f"unknown: {LIMIT} goes from 0 to 100 %, not to {command.values[LIMIT]:g}")
    if not -1 <= command.values.get("pf_set", 1.0) <= 1:
        return Refusal(f"unknown: a power factor lies within -1 and 1, not at {command.values['pf_set']:g}")
    if command.action is not None and command.action not in post.actions:
        return Refusal(f"unknown: no action {command.action.value!r}; there is: {', '.join(post.actions) or 'none'}")
    return None


def _overruled(command: Command, ledger: History, now: datetime) -> Refusal | None:
    holder = ledger.authority if ledger.until is not None and ledger.until > now else None
    # The same source may weaken its own claim: an operator's lease that ends goes back to the plan.
    if holder is not None and command.source != ledger.source and command.authority.rank > holder.rank:
        return Refusal(f"authority: {ledger.source} holds the device as {holder.value}")
    return None


def identity(payload: bytes) -> str:
    """The id in a payload that is not a valid command, so that its sender learns of the refusal."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return "unknown"
    given = found.get("id") if isinstance(found, Mapping) else None
    return printable(given, 64) if isinstance(given, str) and given else "unknown"


AFTER: dict[Action, tuple[str, Callable[[str], bool]]] = {
    Action.START: ("state", lambda says: says in ("running", "throttled")),
    Action.STOP: ("state", lambda says: says == "off"),
    Action.STANDBY: ("state", lambda says: says == "standby"),
    Action.RESET: ("state", lambda says: says != "fault"),
    Action.GRID_FOLLOWING: ("grid_state", lambda says: says != "islanded"),
    Action.GRID_FORMING: ("grid_state", lambda says: says == "islanded"),
}
"""Which point shows that a device has obeyed, and whether what it says does."""
