"""The states of an interlock, what follows what, and what it does in each. Pure: tables; a missing key is the error."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from schemas.interlock import Effect


class State(StrEnum):
    UNTOLD = "untold"  # not read since we began
    CLEAR = "clear"
    ACTIVE = "active"
    UNKNOWN = "unknown"  # not known any more, for longer than it may be
    LATCHED = "latched"  # the cause is gone, and nobody has reset it


QUIET = (State.UNTOLD, State.CLEAR)
"""Nothing to tell an operator."""


class Event(StrEnum):
    WRONG = "wrong"  # the cause is there
    RIGHT = "right"  # it is gone
    LOST = "lost"  # nobody knows
    RESET = "reset"


_EVERY = {
    (State.UNTOLD, Event.WRONG): State.ACTIVE,
    (State.UNTOLD, Event.RIGHT): State.CLEAR,
    (State.UNTOLD, Event.LOST): State.UNKNOWN,
    (State.CLEAR, Event.WRONG): State.ACTIVE,
    (State.CLEAR, Event.RIGHT): State.CLEAR,
    (State.CLEAR, Event.LOST): State.UNKNOWN,
    (State.ACTIVE, Event.WRONG): State.ACTIVE,
    (State.ACTIVE, Event.LOST): State.ACTIVE,  # it was there, and nobody has seen it go
    (State.UNKNOWN, Event.WRONG): State.ACTIVE,
    (State.UNKNOWN, Event.RIGHT): State.CLEAR,
    (State.UNKNOWN, Event.LOST): State.UNKNOWN,
}
AUTO: dict[tuple[State, Event], State] = {
    **_EVERY,
    (State.ACTIVE, Event.RIGHT): State.CLEAR,
}
"""What follows what, for an interlock that ends by itself."""
LATCHING: dict[tuple[State, Event], State] = {
    **_EVERY,
    (State.ACTIVE, Event.RIGHT): State.LATCHED,
    (State.LATCHED, Event.WRONG): State.ACTIVE,
    (State.LATCHED, Event.RIGHT): State.LATCHED,
    (State.LATCHED, Event.LOST): State.ACTIVE,  # the cause may be back
    (State.LATCHED, Event.RESET): State.CLEAR,
}
"""The same for one that waits for a person. Only LATCHED takes a reset: never before the cause is gone."""
TABLES: dict[str, Mapping[tuple[State, Event], State]] = {"auto": AUTO, "operator": LATCHING}


@dataclass(frozen=True, slots=True)
class Imposed:
    """What an effect does to a battery. W, positive discharging."""

    low: float = -math.inf
    high: float = math.inf
    share: bool = False
    """`low` and `high` count in what the rule leaves of the rated power."""
    start: bool = True
    """It may be started."""
    stop: bool = False
    """Bring it to 0, stop the inverter, open the contactor."""
    lockout: bool = False

    def of(self, left: float) -> Self:
        """With `left` W of the rated power, where it takes a part of it."""
        return replace(self, low=self.low * left, high=self.high * left, share=False) if self.share else self


IMPOSES: dict[Effect, Imposed] = {
    Effect.BLOCK_CHARGE: Imposed(low=0.0),
    Effect.BLOCK_DISCHARGE: Imposed(high=0.0),
    Effect.DERATE: Imposed(low=-1.0, high=1.0, share=True),
    Effect.DERATE_CHARGE: Imposed(low=-1.0, share=True),
    Effect.DERATE_DISCHARGE: Imposed(high=1.0, share=True),
    Effect.BLOCK_START: Imposed(start=False),
    Effect.ZERO: Imposed(low=0.0, high=0.0),
    Effect.STOP: Imposed(0.0, 0.0, start=False, stop=True),
    Effect.LOCK_OUT: Imposed(0.0, 0.0, start=False, stop=True, lockout=True),
}
_REST = (Effect.ZERO, Effect.BLOCK_START)
_AS_GIVEN: dict[Effect, tuple[Effect, ...]] = {effect: (effect,) for effect in Effect}
ACTS: dict[State, Mapping[Effect, tuple[Effect, ...]]] = {
    State.CLEAR: dict.fromkeys(Effect, ()),
    State.UNTOLD: _AS_GIVEN | {Effect.STOP: _REST, Effect.LOCK_OUT: _REST},
    State.UNKNOWN: _AS_GIVEN | {Effect.LOCK_OUT: (Effect.STOP,)},
    State.ACTIVE: _AS_GIVEN,
    State.LATCHED: _AS_GIVEN,
}
"""What becomes of an effect in each state: a bridge that has just begun opens nothing, and a lockout, which only a
person ends, takes a cause that is known."""


def mermaid() -> str:
    """The two tables as one diagram; what only one of them does says so."""
    edges = dict.fromkeys([*AUTO.items(), *LATCHING.items()])
    lines = ["stateDiagram-v2", f"    [*] --> {State.UNTOLD}"]
    for (state, event), following in edges:
        if state is following:
            continue
        auto, latching = (table.get((state, event)) is following for table in (AUTO, LATCHING))
        only = "" if auto and latching else " (reset: operator)" if latching else " (reset: auto)"
        lines.append(f"    {state} --> {following}: {event}{'' if event is Event.RESET else only}")
    return "\n".join(lines)
