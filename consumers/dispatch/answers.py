"""What a person hears who asked for something: at once, and later when the device has answered. Pure."""

from datetime import datetime

from consumers.dispatch.requests import Refusal
from schemas.messages import Cause, ControlRequest, Mode, Outcome, RequestOutcome
from schemas.printable import asked, printable

UNKNOWN = "unknown"
WHOLE = "a lockout holds for all batteries"
"""It may be asked for one: then it is taken all the same, and for more."""
WATCHED: dict[Mode | None, str] = {
    Mode.AUTO: "read only: the mode holds, nothing is written and no PCS is started",
    Mode.MANUAL: "read only: the mode holds, nothing is written and no PCS gets this power",
    Mode.LOCAL: "read only: the mode holds, nothing is written in any mode",
    Mode.LOCKOUT: "read only: the mode holds, nothing is written and no PCS is stopped",
    None: "read only: nothing is written and the grid mode of the PCS stays as it is",
}
"""What a request comes to at a site that is only watched; without a mode it is for a grid mode."""


def answer(request: ControlRequest, refusal: Refusal | None, now: datetime, reason: str = "") -> RequestOutcome:
    """At once."""
    if request.mode is not None and request.battery is not None:
        reason = reason or WHOLE
    return RequestOutcome(
        id=request.id or UNKNOWN,
        at=now,
        followed=refusal is None,
        who=request.who.strip(),
        wish=str(request.mode or request.action or ""),
        cause=refusal.cause if refusal else None,
        reason=refusal.reason if refusal else reason,
    )


def watched(request: ControlRequest) -> str:
    """What it comes to where nothing is written."""
    return WATCHED[request.mode]


def in_words(outcome: Outcome) -> str:
    """What the bridge says of a command."""
    return f"{outcome.state.value}: {outcome.reason}" if outcome.reason else outcome.state.value


def complaint(outcome: Outcome) -> str:
    """Why it is not as it was wanted. Of a limit the bridge gives the name alone."""
    reason = outcome.reason.strip() or ", ".join(dict.fromkeys(one.source for one in outcome.limited_by))
    named = outcome.cause is not None and reason.partition(":")[0] == outcome.cause
    return reason if named else ": ".join(filter(None, (outcome.cause, reason)))


def later(request: ControlRequest, outcome: Outcome, reason: str, *, followed: bool, now: datetime) -> RequestOutcome:
    """What the bridge says of the commands it became."""
    told = answer(request, None, now)
    return told.model_copy(update={"followed": followed, "cause": outcome.cause, "reason": reason})


def unreadable(payload: bytes, fault: str, now: datetime) -> RequestOutcome:
    """For what is no request."""
    said, words = asked(payload), printable(f"not valid: {fault or 'empty'}")
    return RequestOutcome(
        id=said.id, at=now, followed=False, who=said.who, wish=said.wish, cause=Cause.INVALID, reason=words
    )
