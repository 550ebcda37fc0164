"""The life of a command: what may happen to it, where that leads, and what is then said of it. Pure: one table.

A command of values lives until a newer one of its kind comes or it runs out; an action, until it is done. A pair that
is not in the table cannot happen: a missing key is an error of ours, and is never passed over.
"""

from enum import StrEnum

from schemas.messages import OutcomeState


class Stage(StrEnum):
    """How far a command has come."""

    TAKEN = "taken"
    ACCEPTED = "accepted"  # it waits: for the write budget, or for a start or a stop on its way
    APPLIED = "applied"  # written and confirmed
    VERIFIED = "verified"  # the power, or the state, proves it
    LIMITED = "limited"  # proven, less than what was asked
    NOT_HELD = "not_held"  # the register reads back something else
    NOT_OBEYED = "not_obeyed"  # the power, or the state, does not follow
    FAILED = "failed"  # it could not be written; it is tried again
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class Event(StrEnum):
    """What happens to it."""

    HELD_BACK = "held_back"
    WRITTEN = "written"
    WRITE_FAILED = "write_failed"
    READ_BACK_DIFFERS = "read_back_differs"
    FOLLOWED = "followed"
    FOLLOWED_LIMITED = "followed_limited"
    NOT_FOLLOWED = "not_followed"
    FOREIGN_WRITE = "foreign_write"
    NEWER = "newer"
    RAN_OUT = "ran_out"


ENDED = frozenset({Stage.SUPERSEDED, Stage.EXPIRED})
PROVEN = frozenset({Stage.VERIFIED, Stage.LIMITED})
DONE = PROVEN | {Stage.NOT_OBEYED, Stage.FAILED}
"""Where an action ends."""

S, E, Said = Stage, Event, OutcomeState
Next = tuple[Stage, OutcomeState | None]

_PROOF: dict[Event, Next] = {
    E.FOLLOWED: (S.VERIFIED, Said.VERIFIED),
    E.FOLLOWED_LIMITED: (S.LIMITED, Said.LIMITED),
    E.NOT_FOLLOWED: (S.NOT_OBEYED, Said.NOT_OBEYED),
}
_WRITE: dict[Event, Next] = {
    E.HELD_BACK: (S.ACCEPTED, Said.ACCEPTED),
    E.WRITTEN: (S.APPLIED, Said.APPLIED),
    E.WRITE_FAILED: (S.FAILED, Said.FAILED),
    E.READ_BACK_DIFFERS: (S.NOT_HELD, Said.FAILED),
}
_END: dict[Event, Next] = {E.NEWER: (S.SUPERSEDED, Said.SUPERSEDED), E.RAN_OUT: (S.EXPIRED, Said.EXPIRED)}
_QUIET_END: dict[Event, Next] = _END | {E.NEWER: (S.SUPERSEDED, None)}
"""What is proven needs no word when the next one comes, each 2 s."""


def _stay(stage: Stage, *events: Event) -> dict[Event, Next]:
    return dict.fromkeys(events, (stage, None)) | {E.FOREIGN_WRITE: (stage, Said.FOREIGN_CHANGE)}


_OF: dict[Stage, dict[Event, Next]] = {
    S.TAKEN: _stay(S.TAKEN) | _WRITE | _PROOF | _END,
    S.ACCEPTED: _WRITE | _PROOF | _END | _stay(S.ACCEPTED, E.HELD_BACK),
    S.APPLIED: _WRITE | _PROOF | _END | _stay(S.APPLIED, E.HELD_BACK, E.WRITTEN),
    S.VERIFIED: _WRITE | _PROOF | _QUIET_END | _stay(S.VERIFIED, E.HELD_BACK, E.WRITTEN, E.FOLLOWED),
    S.LIMITED: _WRITE | _PROOF | _QUIET_END | _stay(S.LIMITED, E.HELD_BACK, E.WRITTEN, E.FOLLOWED_LIMITED),
    # Written again and again it is still not held: only its proof is news.
    S.NOT_HELD: _PROOF | _END | _stay(S.NOT_HELD, E.HELD_BACK, E.WRITTEN, E.WRITE_FAILED, E.READ_BACK_DIFFERS),
    S.NOT_OBEYED: _PROOF
    | _END
    | _stay(S.NOT_OBEYED, E.HELD_BACK, E.WRITTEN, E.NOT_FOLLOWED)
    | {E.WRITE_FAILED: (S.FAILED, Said.FAILED), E.READ_BACK_DIFFERS: (S.NOT_HELD, Said.FAILED)},
    # What could not be written is not proven by a power that happens to be right.
    S.FAILED: _END
    | _stay(S.FAILED, E.HELD_BACK, E.WRITE_FAILED, E.READ_BACK_DIFFERS, E.FOLLOWED, E.FOLLOWED_LIMITED, E.NOT_FOLLOWED)
    | {E.WRITTEN: (S.APPLIED, Said.APPLIED)},
}

NEXT: dict[tuple[Stage, Event], Next] = {
    (stage, event): found for stage, events in _OF.items() for event, found in events.items()
}
"""(stage, event) -> the next stage, and the outcome that is said; None says nothing."""


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    arrows: dict[tuple[Stage, Stage], list[str]] = {}
    for (stage, event), (after, said) in NEXT.items():
        if stage is not after:
            arrows.setdefault((stage, after), []).append(event.value if said else f"({event.value})")
    lines = [f"    {a.value} --> {b.value}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Stage.TAKEN.value}", *lines])
