"""What the bridge's outcomes mean for who steers, by their cause. Pure: a table."""

from enum import StrEnum

from schemas.messages import Cause, Mode, OutcomeState


class Effect(StrEnum):
    """What dispatch does about it."""

    NONE = "none"
    SAY = "say"
    LOCK = "lock"


LOOP = {Mode.AUTO: Effect.LOCK, Mode.MANUAL: Effect.SAY, Mode.LOCAL: Effect.SAY, Mode.LOCKOUT: Effect.SAY}
"""No closed loop over such a meter. A person who steers by hand closes none."""
POWER = {Mode.AUTO: Effect.LOCK, Mode.MANUAL: Effect.LOCK, Mode.LOCAL: Effect.SAY, Mode.LOCKOUT: Effect.SAY}
"""Whoever steers: what is told does the opposite."""
WORD = dict.fromkeys(Mode, Effect.SAY)

EFFECTS: dict[str, dict[Mode, Effect]] = {
    Cause.METER_POLARITY: LOOP,
    Cause.SWINGING: LOOP,
    Cause.REVERSED: POWER,
    Cause.NOT_OBEYED: WORD,
    Cause.NOT_HELD: WORD,
    Cause.LOCAL: WORD,
    Cause.INTERLOCK: WORD,
    Cause.SIGNATURE: WORD,
    Cause.FOREIGN_SOURCE: WORD,
    Cause.FOREIGN_WRITE: WORD,
    Cause.CLOCK_SKEW: WORD,
    Cause.AUTHORITY: WORD,
}
"""Every other cause is the bridge's affair, or tells itself."""

DOUBTS: frozenset[str] = frozenset({Cause.METER_POLARITY, Cause.SWINGING, Cause.REVERSED})
"""The bridge keeps these doubts until it is told to reset: so a lockout for one of them ends."""

OF_A_BATTERY: frozenset[str] = frozenset({Cause.REVERSED})
"""What speaks against one battery, and takes that one out; what speaks against the meter locks the site."""

SAID: dict[OutcomeState, bool | None] = {
    OutcomeState.ACCEPTED: None,
    OutcomeState.APPLIED: None,
    OutcomeState.VERIFIED: True,
    OutcomeState.LIMITED: True,
    OutcomeState.REFUSED: False,
    OutcomeState.SUPERSEDED: None,
    OutcomeState.EXPIRED: False,
    OutcomeState.FAILED: False,
    OutcomeState.NOT_OBEYED: False,
    OutcomeState.FOREIGN_CHANGE: None,
}
"""What a person who asked for it is told then: that it was followed, that it was not, or nothing yet."""


def effect(cause: str | None, mode: Mode) -> Effect:
    """Of an outcome with this cause, while this mode holds."""
    return EFFECTS[cause][mode] if cause in EFFECTS else Effect.NONE
