"""When an alarm is raised, what an operator may do with it, and when it is over (IEC 62682, ISA-18.2).

Two things run side by side: the condition, which delays and a deadband make calm, and the state an operator sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from schemas.messages import AlarmRequest, AlarmState, Cause, Value
from schemas.site_alarm import AlarmRule

OLDEST_REQUEST = timedelta(seconds=30)
"""An operator's request older than this was meant for another moment; also the clock error we accept."""
LONGEST_SHELF = timedelta(hours=24)
"""Who wants an alarm quiet for longer changes its rule in the site file."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Refusal(Exception):
    """An operator's request that cannot be done, and why not, for programs and in words."""

    def __init__(self, cause: Cause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


class Event(StrEnum):
    RAISE = "raise"
    RETURN = "return"
    ACK = "ack"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    RESET = "reset"


_SHELVING = {
    (AlarmState.NORMAL, Event.SHELVE): AlarmState.SHELVED,
    (AlarmState.UNACKNOWLEDGED, Event.SHELVE): AlarmState.SHELVED,
    (AlarmState.ACKNOWLEDGED, Event.SHELVE): AlarmState.SHELVED,
    (AlarmState.RETURNED, Event.SHELVE): AlarmState.SHELVED,
    (AlarmState.SHELVED, Event.SHELVE): AlarmState.SHELVED,  # for longer, or for less long
    (AlarmState.SHELVED, Event.UNSHELVE): AlarmState.NORMAL,  # and raised at once when it is still wrong
}
_EVERY = {
    (AlarmState.NORMAL, Event.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, Event.ACK): AlarmState.ACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, Event.RETURN): AlarmState.RETURNED,
    (AlarmState.RETURNED, Event.RAISE): AlarmState.UNACKNOWLEDGED,
}
PLAIN: dict[tuple[AlarmState, Event], AlarmState] = {
    **_EVERY,
    (AlarmState.ACKNOWLEDGED, Event.RETURN): AlarmState.NORMAL,
    (AlarmState.RETURNED, Event.ACK): AlarmState.NORMAL,
    **_SHELVING,
}
"""What follows what; what is not written is refused."""
LATCHING: dict[tuple[AlarmState, Event], AlarmState] = {
    **_EVERY,
    (AlarmState.ACKNOWLEDGED, Event.RETURN): AlarmState.LATCHED,
    (AlarmState.RETURNED, Event.ACK): AlarmState.LATCHED,
    (AlarmState.LATCHED, Event.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.LATCHED, Event.RESET): AlarmState.NORMAL,
}
"""The same for a rule that latches. It guards people or the battery: it cannot be shelved."""


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on two clocks: delays run on the steady one, people read the wall."""

    steady: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one alarm."""

    state: AlarmState = AlarmState.NORMAL
    active: bool = False
    """The condition, after its delays."""
    turning: float | None = None
    """Since when, on the steady clock, readings say the opposite of `active`."""
    value: Value | None = None
    at: datetime = _NEVER
    """Of the last change: of its state, or of what it stands for."""
    since: datetime = _NEVER
    """When it was raised, or shelved while it was normal."""
    shelved_until: datetime | None = None
    shelf_ends: float | None = None
    """The same on the steady clock: a step of the wall clock must not bring a shelved alarm back."""
    by: str = ""
    why: str = ""


def transitions(rule: AlarmRule) -> Mapping[tuple[AlarmState, Event], AlarmState]:
    return LATCHING if rule.latched else PLAIN


def judge(rule: AlarmRule, memory: Memory, reading: Value | None, now: Now) -> Memory:
    """The memory after a reading. None is a reading nobody can believe: it neither raises nor clears.

    A rule for silence is given the age of the telemetry in s.
    """
    told = None if rule.when is not None else reading  # an expression is judged by its watch
    wrong = None if told is None else is_wrong(rule, told, memory.active)
    if wrong is not None:
        memory = _delay(rule, memory, wrong, now.steady)
        if wrong or memory.state is not AlarmState.NORMAL:
            memory = replace(memory, value=reading)
    if memory.shelf_ends is not None and now.steady >= memory.shelf_ends:
        memory = _enter(memory, PLAIN[memory.state, Event.UNSHELVE], now)
    return _settle(rule, memory, now)


def is_wrong(rule: AlarmRule, reading: Value, active: bool) -> bool | None:
    """Whether a reading is wrong; None when the rule cannot tell. An active alarm is over only beyond `clear`."""
    if rule.equals is not None:
        return reading == rule.equals if isinstance(reading, str) else None
    if rule.contains is not None:
        if not isinstance(reading, list):
            return None
        return bool(reading) if rule.contains == "*" else rule.contains in reading
    if not isinstance(reading, float):
        return None
    clear = rule.clear if active else None
    if rule.below is not None:
        return reading < (rule.below if clear is None else clear)
    limit = rule.silent if rule.above is None else rule.above
    return reading > ((limit or 0.0) if clear is None else clear)


def request(rule: AlarmRule, memory: Memory, wish: AlarmRequest, now: Now) -> Memory:
    """The memory after an operator's request. Raises Refusal."""
    if abs(now.wall - wish.at) > OLDEST_REQUEST:
        cause = Cause.EXPIRED if wish.at < now.wall else Cause.CLOCK_SKEW
        raise Refusal(cause, f"it was sent at {wish.at:%H:%M:%S} and now is {now.wall:%H:%M:%S} UTC: too far apart")
    event = Event(wish.action)
    following = transitions(rule).get((memory.state, event))
    if following is None:
        raise Refusal(Cause.WRONG_STATE, _out_of_place(rule, memory.state, event))
    memory = _enter(memory, following, now, by=wish.who, why=wish.why)
    if wish.until is not None:
        length = wish.until - now.wall
        if not timedelta() < length <= LONGEST_SHELF:
            hours = LONGEST_SHELF.total_seconds() / 3600
            raise Refusal(Cause.OUT_OF_RANGE, f"it can be shelved for up to {hours:.0f} h, counted from now")
        memory = replace(memory, shelved_until=wish.until, shelf_ends=now.steady + length.total_seconds())
    return _settle(rule, memory, now)


def _out_of_place(rule: AlarmRule, state: AlarmState, event: Event) -> str:
    if rule.latched and event in (Event.SHELVE, Event.UNSHELVE):
        return "a latching alarm guards people or the battery: it cannot be shelved"
    if event is Event.RESET and not rule.latched:
        return "only a latching alarm is reset; this one ends by itself"
    return f"the alarm is {state} now: there is nothing to {event}"


def _delay(rule: AlarmRule, memory: Memory, wrong: bool, steady: float) -> Memory:
    if wrong == memory.active:
        return memory if memory.turning is None else replace(memory, turning=None)
    turning = steady if memory.turning is None else memory.turning
    if steady - turning < (rule.on_delay if wrong else rule.off_delay):
        return replace(memory, turning=turning)
    return replace(memory, active=wrong, turning=None)


def _settle(rule: AlarmRule, memory: Memory, now: Now) -> Memory:
    event = Event.RAISE if memory.active else Event.RETURN
    following = transitions(rule).get((memory.state, event))
    return memory if following is None else _enter(memory, following, now)


def _enter(memory: Memory, state: AlarmState, now: Now, by: str = "", why: str = "") -> Memory:
    fresh = memory.state is AlarmState.NORMAL or state is AlarmState.UNACKNOWLEDGED
    return replace(
        memory,
        state=state,
        at=now.wall,
        since=now.wall if fresh else memory.since,
        shelved_until=None,
        shelf_ends=None,
        by=by,
        why=why,
    )


def mermaid() -> str:
    """The two tables as one diagram; what only a latching rule does says so."""
    edges = dict.fromkeys([*PLAIN.items(), *LATCHING.items()])
    lines = ["stateDiagram-v2", "    [*] --> normal"]
    for (state, event), following in edges:
        plain, latching = (table.get((state, event)) == following for table in (PLAIN, LATCHING))
        only = "" if plain and latching else " (latching)" if latching else " (not latching)"
        only = "" if event in (Event.SHELVE, Event.UNSHELVE, Event.RESET) else only
        lines.append(f"    {state} --> {following}: {event}{only}")
    return "\n".join(lines)
