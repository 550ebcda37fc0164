"""An alarm as we said it before we were stopped, taken up again. Pure."""

from datetime import datetime

from consumers.alarms.rules import Memory, Now, transitions
from consumers.alarms.states import AWAY
from schemas.messages import Alarm, AlarmState
from schemas.site_alarm import AlarmRule

_ACTIVE = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


def remembered(rule: AlarmRule, alarm: Alarm, now: Now) -> Memory:
    """A state that the rule does not know any more becomes one in which an operator looks at it.

    A message of an older joulebus says neither `active` nor `began`: then it is as its state says.
    """
    state = _known(rule, alarm.state)
    active = state in _ACTIVE or (state in AWAY and alarm.active is True)
    until = alarm.out_until if state is AlarmState.OUT_OF_SERVICE else alarm.shelved_until
    until = until if state in AWAY else None
    began = alarm.began or alarm.since
    timed = state in (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)
    return Memory(
        state=state,
        active=active,
        began=alarm.began or (alarm.since if active else None),
        began_at=now.steady - max(0.0, (now.wall - began).total_seconds()),
        latch=rule.latched and (state not in AWAY or active or alarm.began is not None or alarm.active is None),
        value=alarm.value,
        limit=alarm.limit,
        at=alarm.at,
        since=alarm.since,
        until=until,
        ends=now.steady + _left(alarm, until, now) if timed else None,
        by=alarm.by,
        why=alarm.why,
        comment=alarm.comment,
    )


def _left(alarm: Alarm, until: datetime | None, now: Now) -> float:
    """Seconds until it comes back. Not more than were left when we said so last: a machine that starts with its clock
    years behind must not hold an alarm away for years."""
    return (until - max(now.wall, alarm.at)).total_seconds() if until else 0.0


def _known(rule: AlarmRule, state: AlarmState) -> AlarmState:
    """`returned` of a rule that latches was said by an older joulebus, too."""
    if state in {known for known, _ in transitions(rule)}:
        return state
    return AlarmState.LATCHED_UNACKNOWLEDGED if rule.latched else AlarmState.RETURNED
