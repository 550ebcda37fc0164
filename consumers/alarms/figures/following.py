"""What the changes of alarms amount to: which were raised, and which were kept from the operator. Pure.

A change that is heard twice counts once, and a clock that is set back makes no alarm of what was none.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.messages import Alarm, AlarmPriority, AlarmState

QUIET = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
"""In these an alarm is kept from the operator: nothing is annunciated."""
STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
"""In these it was annunciated, and what it is about is so."""
ANSWERED = (AlarmState.ACKNOWLEDGED, AlarmState.LATCHED)
UNANSWERED = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED_UNACKNOWLEDGED)
REMEMBERED = 8
"""Changes of one alarm that are known again: a broker or an outbox sends the last ones twice, not those of long ago."""


@dataclass(slots=True)
class Raise:
    """One alarm that was annunciated once."""

    alarm: str
    at: datetime
    priority: AlarmPriority
    respond: float | None = None
    """s that the operator has, where the rule says so."""
    over: datetime | None = None
    """It stands no more: it returned to normal, or was kept from the operator."""
    returned: bool = False
    """It returned to normal."""
    answered: datetime | None = None
    """When it was acknowledged."""
    open: bool = True
    """It may be acknowledged yet."""
    taken: bool = False
    """It was kept from the operator before anybody acknowledged it: nobody could, or nobody had to."""
    seen: bool = True
    """Its raising was heard. Of another we know that it stands since then, and nothing else: it counts nowhere else."""


@dataclass(slots=True)
class Quiet:
    """One alarm that was kept from the operator once."""

    alarm: str
    state: AlarmState
    begin: datetime
    end: datetime | None = None
    said_why: bool = True
    by: str = ""
    why: str = ""
    until: datetime | None = None


@dataclass(slots=True)
class Last:
    """The last that is known of one alarm."""

    state: AlarmState
    at: datetime
    heard: list[tuple[datetime, AlarmState]] = field(default_factory=list)
    raised: Raise | None = None
    quiet: Quiet | None = None


@dataclass
class Following:
    """All that was heard, as far as it is kept."""

    last: dict[str, Last] = field(default_factory=dict)
    raises: deque[Raise] = field(default_factory=deque)
    quiets: deque[Quiet] = field(default_factory=deque)

    def hear(self, name: str, alarm: Alarm) -> bool:
        """Whether this is news."""
        last, key = self.last.get(name), (alarm.at, alarm.state)
        if last is not None and key in last.heard:
            return False
        before = last.state if last is not None else None
        if last is None:
            last = self.last[name] = Last(alarm.state, alarm.at)
        last.heard = [*last.heard[1 - REMEMBERED :], key]
        last.state, last.at = alarm.state, alarm.at
        self._answer(last, before, alarm)
        self._stand(last, alarm)
        if _annunciated(before, alarm.state):
            self._raise(name, last, alarm, seen=before is not None or alarm.at == alarm.since)
            self._stand(last, alarm)
        elif alarm.state in STANDING and (last.raised is None or last.raised.over is not None):
            self._raise(name, last, alarm, seen=False)
        self._quiet(name, last, alarm)
        return True

    def only(self, shown: Mapping[str, Alarm], now: datetime) -> None:
        """These are not normal now, and all others are: what was missed while nobody listened."""
        for name, alarm in shown.items():
            self.hear(name, alarm)
        for name, last in self.last.items():
            if name not in shown and last.state is not AlarmState.NORMAL:
                last.state, last.at = AlarmState.NORMAL, now
                _close(last, now)

    def forget(self, cut: datetime, most: int) -> datetime | None:
        """Forget what was over before `cut`; and the oldest of what is more than `most`: then all before the answer is
        not known any more."""
        self.raises = deque(one for one in self.raises if one.at >= cut or one.over is None or one.over >= cut)
        self.quiets = deque(one for one in self.quiets if one.end is None or one.end >= cut)
        known_from = None
        while len(self.raises) > most:
            known_from = self.raises.popleft().at
        while len(self.quiets) > most:
            known_from = max(self.quiets.popleft().begin, known_from or cut)
        for name in [n for n, one in self.last.items() if one.state is AlarmState.NORMAL and one.at < cut]:
            del self.last[name]
        return known_from

    def _answer(self, last: Last, before: AlarmState | None, alarm: Alarm) -> None:
        """An acknowledgement, or that there will be none."""
        one = last.raised
        if one is None or not one.open or before not in UNANSWERED or alarm.state in UNANSWERED:
            return
        if alarm.state in ANSWERED or (alarm.state is AlarmState.NORMAL and alarm.by):
            one.answered = alarm.at
        one.open, one.taken = False, alarm.state in QUIET

    def _stand(self, last: Last, alarm: Alarm) -> None:
        one = last.raised
        if one is None or one.over is not None or alarm.state in STANDING:
            return
        one.over, one.returned = alarm.at, alarm.state not in QUIET and alarm.at != one.at

    def _raise(self, name: str, last: Last, alarm: Alarm, *, seen: bool) -> None:
        if last.raised is not None:
            last.raised.open = False
        at = alarm.at if seen else alarm.since
        last.raised = Raise(name, at, alarm.priority, alarm.time_to_respond, seen=seen)
        self.raises.append(last.raised)

    def _quiet(self, name: str, last: Last, alarm: Alarm) -> None:
        if last.quiet is not None and last.quiet.state is not alarm.state:
            last.quiet.end, last.quiet = alarm.at, None
        if last.quiet is None and alarm.state in QUIET:
            last.quiet = Quiet(name, alarm.state, alarm.at, said_why=bool(alarm.why))
            self.quiets.append(last.quiet)
        if last.quiet is not None:
            last.quiet.by, last.quiet.why = alarm.by, alarm.why
            last.quiet.until = alarm.shelved_until or alarm.out_until


def _annunciated(before: AlarmState | None, state: AlarmState) -> bool:
    """It was raised: also where it came and went while it was kept from the operator, and asks for an answer now."""
    if state is AlarmState.UNACKNOWLEDGED:
        return before is not AlarmState.UNACKNOWLEDGED
    return state in UNANSWERED and before is not None and before not in UNANSWERED


def _close(last: Last, now: datetime) -> None:
    if last.raised is not None:
        last.raised.open = False
        last.raised.over = last.raised.over or now
    if last.quiet is not None:
        last.quiet.end, last.quiet = now, None
