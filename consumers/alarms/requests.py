"""What a person may ask of an alarm, where, and what comes of it. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

from consumers.alarms.rules import Memory, Now, enter, settle, transitions
from consumers.alarms.states import Event
from runtime.alarm_words import apart
from schemas.messages import AlarmRequest, AlarmState, Cause
from schemas.messages.request import AlarmAction
from schemas.printable import printable
from schemas.site_alarm import AlarmRule
from schemas.topics import ALARM_MAINTENANCE, ALARM_REQUEST, Topic

OLDEST_REQUEST = timedelta(seconds=30)
"""A request older than this was meant for another moment; also the clock error we accept."""
LONGEST_SHELF = timedelta(hours=24)
"""Who wants an alarm quiet for longer has it taken out of service, or changes its rule in the site file."""
LONGEST_OUT = timedelta(days=30)
"""Who repairs for longer asks again: somebody looks at what is out of service once a month."""
COMMENT = "comment"

RIGHTS: dict[str, tuple[str, ...]] = {
    ALARM_REQUEST.name: ("ack", "shelve", "unshelve", "reset", COMMENT),
    ALARM_MAINTENANCE.name: ("out_of_service", "in_service", COMMENT),
}
"""What may be asked at a topic. Who may write there says the broker's access list: operators at the first, engineers
at both. A topic that is not named here may ask for nothing."""
WHOSE = {ALARM_REQUEST: "an operator", ALARM_MAINTENANCE: "an engineer"}
_LONGEST = {
    Event.SHELVE: (LONGEST_SHELF, "shelved for up to 24 h"),
    Event.OUT_OF_SERVICE: (LONGEST_OUT, "out of service for up to 30 days"),
}
_ORDER: tuple[str, ...] = get_args(AlarmAction)


class Refusal(Exception):
    """A request that cannot be done, and why not, for programs and in words."""

    def __init__(self, cause: Cause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


def check_right(topic: Topic[Any], place: Mapping[str, str], action: str) -> None:
    """Raises Refusal for what may not be asked at this topic, and says where it may."""
    if action in RIGHTS.get(topic.name, ()):
        return
    other = next(one for one in WHOSE if action in RIGHTS[one.name])
    words = f"`{action}` is not asked here: {WHOSE[other]} asks for it at {other.at(**place)}"
    raise Refusal(Cause.AUTHORITY, words)


def offered(rule: AlarmRule, memory: Memory) -> list[str]:
    """What would be followed now, at one topic or the other."""
    known = transitions(rule)
    return [one for one in _ORDER if one == COMMENT or (memory.state, Event(one)) in known]


def request(rule: AlarmRule, memory: Memory, wish: AlarmRequest, now: Now, *, suppressed: bool = False) -> Memory:
    """The memory after a request. Raises Refusal."""
    if abs(now.wall - wish.at) > OLDEST_REQUEST:
        cause = Cause.EXPIRED if wish.at < now.wall else Cause.CLOCK_SKEW
        raise Refusal(cause, apart(wish.at, now.wall))
    if wish.since is not None and wish.since != memory.since:
        raised = f"{wish.since:%d %b %H:%M:%S} UTC"
        words = f"it is for the raise of {raised}, and that is another one: look at it, and ask again"
        raise Refusal(Cause.EXPIRED, words)
    if wish.action == COMMENT:
        return replace(memory, comment=f"{printable(wish.who)}: {printable(wish.why)}", at=now.wall)
    event = Event(wish.action)
    if (memory.state, event) not in transitions(rule):
        raise Refusal(Cause.WRONG_STATE, _out_of_place(rule, memory.state, event))
    asked_at = now.steady - (now.wall - wish.at).total_seconds()
    if event in (Event.ACK, Event.RESET) and asked_at < memory.raised:
        words = "it was sent before the alarm was raised this time, and nobody has seen that: look at it, and ask again"
        raise Refusal(Cause.EXPIRED, words)
    length = _length(event, wish, now)
    memory = enter(rule, memory, event, now, by=printable(wish.who), why=printable(wish.why))
    if length is not None:
        memory = replace(memory, until=wish.until, ends=now.steady + length.total_seconds())
    return settle(rule, memory, now, suppressed=suppressed)


def _length(event: Event, wish: AlarmRequest, now: Now) -> timedelta | None:
    """How long it is away."""
    if wish.until is None or event not in _LONGEST:
        return None
    length = wish.until - now.wall
    longest, words = _LONGEST[event]
    if not timedelta() < length <= longest:
        raise Refusal(Cause.OUT_OF_RANGE, f"it can be {words}, counted from now")
    return length


def _out_of_place(rule: AlarmRule, state: AlarmState, event: Event) -> str:
    if rule.latched and event in (Event.SHELVE, Event.UNSHELVE):
        return "a latching alarm guards people or the battery: it cannot be shelved"
    if event is Event.RESET and not rule.latched:
        return "only a latching alarm is reset; this one ends by itself"
    if event is Event.RESET and state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED):
        return f"the alarm is {state} now: there is nothing to reset while its condition is there"
    if event is Event.RESET and state is AlarmState.LATCHED_UNACKNOWLEDGED:
        return "acknowledge it first, then reset it"
    if state is AlarmState.OUT_OF_SERVICE:
        return f"the alarm is out of service: an engineer brings it back before there is anything to {event}"
    return f"the alarm is {state} now: there is nothing to {event}"
