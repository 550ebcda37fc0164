"""When an alarm is raised and when it is over (IEC 62682, ISA-18.2). Pure.

Two things run side by side: the condition, which delays and a deadband make calm, and the state that an operator sees
(`states.py`). The condition goes on to be judged while the alarm is shelved, suppressed or out of service.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from consumers.alarms import states
from consumers.alarms.expression.topmost import Look
from consumers.alarms.states import AWAY, Event, Transitions
from schemas.messages import AlarmState, Value
from schemas.site_alarm import AlarmRule

_NEVER = datetime.min.replace(tzinfo=UTC)
_SET = timedelta(seconds=5)
"""So far the wall clock may be from what it said before: less is how time servers correct it."""


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on two clocks: delays run on the steady one, people read the wall."""

    steady: float
    wall: datetime

    def ago(self, seconds: float) -> datetime:
        """The wall's time some seconds before."""
        return self.wall - timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one alarm. Times without a zone are seconds on the steady clock."""

    state: AlarmState = AlarmState.NORMAL
    active: bool = False
    """The condition, after its delays."""
    turning: float | None = None
    """Since when believed readings say the opposite of `active`, without a gap."""
    heard: float = 0.0
    """When the last of them came."""
    began: datetime | None = None
    """When the condition came, before the on-delay; it stays until the alarm is normal."""
    began_at: float = 0.0
    latch: bool = False
    """The condition of a latching rule was there since the last reset."""
    value: Value | None = None
    limit: Value | None = None
    """What the value was compared with."""
    at: datetime = _NEVER
    """Of the last change: of its state, its condition, or of what it stands for."""
    since: datetime = _NEVER
    """When it was raised, or shelved or taken out of service while it was normal."""
    raised: float = -math.inf
    """When it was raised last, as far as that was seen."""
    until: datetime | None = None
    """When it comes back from the shelf or into service by itself."""
    ends: float | None = None
    """The same on the steady clock: a step of the wall clock must not bring an alarm back."""
    by: str = ""
    why: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of an alarm beside its reading."""

    gap: float = math.inf
    """Seconds without a believed reading after which a delay begins anew."""
    age: float = 0.0
    """Seconds for which the condition was there already when it was seen first: a silence began with the last word."""
    suppressed: bool = False
    """By design, now."""
    steady: float = 0.0
    """Seconds for which the opposite must be seen at least before the condition is over, whatever its off-delay."""


NOTHING = Around()


def transitions(rule: AlarmRule) -> Transitions:
    return states.transitions(latched=rule.latched)


def follow(rule: AlarmRule, memory: Memory, look: Look, now: Now, around: Around = NOTHING) -> Memory:
    """The memory after a look at the condition. One that nobody knows neither raises nor clears."""
    if look.wrong is not None:
        memory = _delay(rule, memory, look.wrong, now, around)
        seen = look.wrong or memory.state is not AlarmState.NORMAL
        if seen and look.value is not None and (memory.value, memory.limit) != (look.value, look.limit):
            memory = replace(memory, value=look.value, limit=look.limit)
    return settle(rule, memory, now, suppressed=around.suppressed)


def settle(rule: AlarmRule, memory: Memory, now: Now, *, suppressed: bool = False) -> Memory:
    """The state that the condition, the latch, the time and what suppresses it ask for."""
    if memory.ends is not None and now.steady >= memory.ends:
        memory = enter(rule, memory, AWAY[memory.state], now)
    memory = _retimed(memory, now)
    while (event := _due(memory, suppressed)) is not None and (memory.state, event) in transitions(rule):
        memory = enter(rule, memory, event, now)
    return memory


def _retimed(memory: Memory, now: Now) -> Memory:
    """The wall clock was set: the same end has another time there, for people and for a restart."""
    if memory.ends is None or memory.until is None:
        return memory
    until = now.ago(now.steady - memory.ends)
    return memory if abs(until - memory.until) < _SET else replace(memory, until=until)


def enter(rule: AlarmRule, memory: Memory, event: Event, now: Now, *, by: str = "", why: str = "") -> Memory:
    """The next state. Raises KeyError where the table has none."""
    state = transitions(rule)[memory.state, event]
    fresh = memory.state is AlarmState.NORMAL or state is AlarmState.UNACKNOWLEDGED
    return replace(
        memory,
        state=state,
        at=now.wall,
        since=now.wall if fresh else memory.since,
        raised=now.steady if state is AlarmState.UNACKNOWLEDGED else memory.raised,
        latch=memory.latch and event is not Event.RESET,
        until=None,
        ends=None,
        by=by,
        why=why,
    )


def _due(memory: Memory, suppressed: bool) -> Event | None:
    """What happens to it now without anybody asking."""
    if memory.state is AlarmState.SUPPRESSED:
        return None if suppressed else Event.UNSUPPRESS
    if memory.state in AWAY:
        return None
    if not memory.active:
        missed = memory.state is AlarmState.NORMAL and memory.latch
        return Event.RAISE if missed else Event.RETURN
    shown = memory.state not in states.OVER
    return Event.SUPPRESS if suppressed and shown else Event.RAISE


def _delay(rule: AlarmRule, memory: Memory, wrong: bool, now: Now, around: Around) -> Memory:
    if wrong == memory.active:
        return memory if memory.turning is None else replace(memory, turning=None)
    turning = memory.turning
    if turning is None or now.steady - memory.heard > around.gap:
        turning = now.steady
    if now.steady - turning < (rule.on_delay if wrong else max(rule.off_delay, around.steady)):
        return replace(memory, turning=turning, heard=now.steady)
    memory = replace(memory, active=wrong, turning=None)
    if not wrong:
        return memory
    begun = max(now.steady - turning, around.age)
    return replace(memory, latch=rule.latched, began=now.ago(begun), began_at=now.steady - begun)
