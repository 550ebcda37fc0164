"""What a request to an alarm changes, and what whoever asked is told: each request gets one answer."""

from dataclasses import dataclass, field

from consumers.alarms.board import Changes
from consumers.alarms.panel import Panel
from consumers.alarms.requests import Refusal, check_right
from consumers.alarms.rules import Now
from runtime.heard import Heard
from schemas.messages import AlarmRequest, Cause, RequestOutcome
from schemas.printable import asked, printable


@dataclass(frozen=True)
class Answer:
    """To one request."""

    outcome: RequestOutcome
    changes: Changes = field(default_factory=list)


def answer(panel: Panel, heard: Heard[AlarmRequest], now: Now) -> Answer | None:
    """What becomes of a request. None: a retained one was taken back, nobody asks for anything."""
    if heard.retained and not heard.payload:
        return None
    try:
        changes = panel.request(heard.place["alarm"], _wish(heard), now)
    except Refusal as reason:
        return Answer(_outcome(heard, now, reason))
    hidden = panel.hidden_by(heard.place["alarm"]) if heard.message and heard.message.action == "shelve" else ""
    return Answer(_outcome(heard, now, hidden=hidden), changes)


def _wish(heard: Heard[AlarmRequest]) -> AlarmRequest:
    if heard.message is None:
        raise Refusal(Cause.INVALID, f"not valid: {heard.fault or 'empty'}")
    if heard.retained:
        raise Refusal(Cause.RETAINED, "it is retained: it would be done again and again")
    check_right(heard.topic, heard.place, heard.message.action)
    return heard.message


def _outcome(
    heard: Heard[AlarmRequest], now: Now, refusal: Refusal | None = None, *, hidden: str = ""
) -> RequestOutcome:
    said, wish = asked(heard.payload), heard.message
    return RequestOutcome(
        id=(wish.id or "unknown") if wish else said.id,
        at=now.wall,
        followed=refusal is None,
        who=printable(wish.who) if wish else said.who,
        wish=wish.action if wish else said.wish,
        cause=refusal.cause if refusal else None,
        reason=str(refusal) if refusal else hidden,
    )
