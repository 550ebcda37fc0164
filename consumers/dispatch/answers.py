"""What a person hears who asked for something: at once, and later when the device has answered. Pure."""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from consumers.dispatch.requests import Refusal
from schemas.messages import Cause, ControlRequest, Outcome, RequestOutcome

UNKNOWN = "unknown"
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def answer(request: ControlRequest, refusal: Refusal | None, now: datetime, reason: str = "") -> RequestOutcome:
    """At once."""
    return RequestOutcome(
        id=request.id or UNKNOWN,
        at=now,
        followed=refusal is None,
        who=request.who.strip(),
        wish=str(request.mode or request.action or ""),
        cause=refusal.cause if refusal else None,
        reason=refusal.reason if refusal else reason,
    )


def later(request: ControlRequest, outcome: Outcome, *, followed: bool, now: datetime) -> RequestOutcome:
    """What the bridge says of the command it became."""
    told = answer(request, None, now)
    reason = f"{outcome.state.value}: {outcome.reason}" if outcome.reason else outcome.state.value
    return told.model_copy(update={"followed": followed, "cause": outcome.cause, "reason": reason})


def unreadable(payload: bytes, fault: str, now: datetime) -> RequestOutcome:
    """For what is no request: id, name and wish as far as they can be read, so that its sender learns of it."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        found = None
    said = found if isinstance(found, Mapping) else {}
    given = said.get("id")
    return RequestOutcome(
        id=given if isinstance(given, str) and _ID.fullmatch(given) else UNKNOWN,
        at=now,
        followed=False,
        who=_words(said.get("who")),
        wish=_words(said.get("mode")) or _words(said.get("action")),
        cause=Cause.INVALID,
        reason=_words(f"not valid: {fault or 'empty'}", 500),
    )


def _words(given: object, most: int = 64) -> str:
    """Text that can be said again: half of a surrogate pair is no UTF-8."""
    return "".join(one for one in given[:most] if one.isprintable()) if isinstance(given, str) else ""
