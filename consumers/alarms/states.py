"""The states of an alarm and what leads from one to the other (ISA-18.2 and IEC 62682, figure of the alarm states).

All of it stands in one table. What is not written there cannot be: of a request that is its refusal.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from schemas.messages import AlarmState


class Event(StrEnum):
    """What happens to an alarm."""

    RAISE = "raise"  # the condition came
    RETURN = "return"  # it went
    ACK = "ack"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"  # by an operator, or because its time is over
    RESET = "reset"
    SUPPRESS = "suppress"  # by design
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"  # by an engineer, or because its time is over


Transitions = Mapping[tuple[AlarmState, Event], AlarmState]

_NORMAL = AlarmState.NORMAL  # A of the figure
_UNACK = AlarmState.UNACKNOWLEDGED  # B
_ACKED = AlarmState.ACKNOWLEDGED  # C
_RETURNED = AlarmState.RETURNED  # D
_LATCHED_UNACK = AlarmState.LATCHED_UNACKNOWLEDGED  # E
_LATCHED = AlarmState.LATCHED  # F
_SHELVED = AlarmState.SHELVED  # G
_SUPPRESSED = AlarmState.SUPPRESSED  # H
_OUT = AlarmState.OUT_OF_SERVICE  # I

_Either = tuple[AlarmState | None, AlarmState | None]


def _each(state: AlarmState) -> _Either:
    return state, state


def _plain(state: AlarmState) -> _Either:
    return state, None


def _latching(state: AlarmState) -> _Either:
    return None, state


TABLE: dict[tuple[AlarmState, Event], _Either] = {
    (_NORMAL, Event.RAISE): _each(_UNACK),
    (_UNACK, Event.RETURN): (_RETURNED, _LATCHED_UNACK),
    (_UNACK, Event.ACK): _each(_ACKED),
    (_ACKED, Event.RETURN): (_NORMAL, _LATCHED),
    (_RETURNED, Event.RAISE): _plain(_UNACK),
    (_RETURNED, Event.ACK): _plain(_NORMAL),
    (_LATCHED_UNACK, Event.RAISE): _latching(_UNACK),
    (_LATCHED_UNACK, Event.ACK): _latching(_LATCHED),
    (_LATCHED, Event.RAISE): _latching(_UNACK),
    (_LATCHED, Event.RESET): _latching(_NORMAL),
    # what is over and still asks something of an operator is no consequence of anything: it is not suppressed
    (_NORMAL, Event.SUPPRESS): _each(_SUPPRESSED),
    (_UNACK, Event.SUPPRESS): _each(_SUPPRESSED),
    (_ACKED, Event.SUPPRESS): _each(_SUPPRESSED),
    (_SUPPRESSED, Event.UNSUPPRESS): _each(_NORMAL),
    # a latching alarm guards people or the battery
    (_NORMAL, Event.SHELVE): _plain(_SHELVED),
    (_UNACK, Event.SHELVE): _plain(_SHELVED),
    (_ACKED, Event.SHELVE): _plain(_SHELVED),
    (_RETURNED, Event.SHELVE): _plain(_SHELVED),
    (_SUPPRESSED, Event.SHELVE): _plain(_SHELVED),
    (_SHELVED, Event.SHELVE): _plain(_SHELVED),  # for longer, or for less long
    (_SHELVED, Event.UNSHELVE): _plain(_NORMAL),
    # out of service wins over the shelf, and the shelf over suppression
    (_NORMAL, Event.OUT_OF_SERVICE): _each(_OUT),
    (_UNACK, Event.OUT_OF_SERVICE): _each(_OUT),
    (_ACKED, Event.OUT_OF_SERVICE): _each(_OUT),
    (_RETURNED, Event.OUT_OF_SERVICE): _plain(_OUT),
    (_LATCHED_UNACK, Event.OUT_OF_SERVICE): _latching(_OUT),
    (_LATCHED, Event.OUT_OF_SERVICE): _latching(_OUT),
    (_SHELVED, Event.OUT_OF_SERVICE): _plain(_OUT),
    (_SUPPRESSED, Event.OUT_OF_SERVICE): _each(_OUT),
    (_OUT, Event.OUT_OF_SERVICE): _each(_OUT),  # for longer, or for less long
    (_OUT, Event.IN_SERVICE): _each(_NORMAL),
}
"""The state that follows: for a rule that does not latch, and for one that does. What comes back from a shelf, from
suppression or into service is normal for no moment: it is raised at once where its condition is there, and where a
latching one came and went meanwhile it is raised and returns."""

PLAIN: Transitions = MappingProxyType({key: plain for key, (plain, _) in TABLE.items() if plain is not None})
LATCHING: Transitions = MappingProxyType({key: latch for key, (_, latch) in TABLE.items() if latch is not None})

AWAY = {_SHELVED: Event.UNSHELVE, _SUPPRESSED: Event.UNSUPPRESS, _OUT: Event.IN_SERVICE}
"""States in which an operator is not told of the condition, and what ends each."""
OVER = (_RETURNED, _LATCHED_UNACK, _LATCHED)
"""States in which the condition is over and an operator is still asked for something."""


def transitions(*, latched: bool) -> Transitions:
    """What follows what for a rule; what is not in there is refused."""
    return LATCHING if latched else PLAIN


def mermaid() -> str:
    """The table as a diagram; what only a latching rule does says so."""
    lines = ["stateDiagram-v2", "    [*] --> normal"]
    for (state, event), (plain, latching) in TABLE.items():
        if plain == latching:
            lines.append(f"    {state} --> {plain}: {event}")
            continue
        lines += [
            f"    {state} --> {following}: {event}{only}"
            for following, only in ((plain, " (not latching)"), (latching, " (latching)"))
            if following is not None
        ]
    return "\n".join(lines)
