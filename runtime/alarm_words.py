"""A change of an alarm in words for people: the page, the history and the messages say the same. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.messages import Alarm, AlarmPriority, AlarmState, Notified

ATTENTION = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.LATCHED_UNACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.LATCHED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.SUPPRESSED,
    AlarmState.SHELVED,
    AlarmState.OUT_OF_SERVICE,
    AlarmState.NORMAL,
)
"""What asks more of an operator stands first; of what is away, what may come back at any moment."""
RANK = [*AlarmPriority]
"""The most urgent first."""

HAPPENED = {
    AlarmState.NORMAL: "is over",
    AlarmState.UNACKNOWLEDGED: "raised",
    AlarmState.ACKNOWLEDGED: "acknowledged",
    AlarmState.RETURNED: "returned to normal, not acknowledged",
    AlarmState.LATCHED_UNACKNOWLEDGED: "returned to normal, waits to be acknowledged and reset",
    AlarmState.LATCHED: "returned to normal, waits to be reset",
    AlarmState.SHELVED: "shelved",
    AlarmState.SUPPRESSED: "suppressed",
    AlarmState.OUT_OF_SERVICE: "out of service",
}


def happened(one: Alarm, zone: ZoneInfo) -> str:
    """What a change was, with who did it and until when."""
    if only_comment(one):
        return f"comment by {one.comment}"
    until = one.shelved_until if one.state is AlarmState.SHELVED else None
    until = one.out_until if one.state is AlarmState.OUT_OF_SERVICE else until
    parts = [HAPPENED[one.state]]
    if one.state is AlarmState.SUPPRESSED and one.consequence_of:
        parts.append(f"as a consequence of {one.consequence_of}")
    if until is not None:
        parts.append(f"until {clock(until, zone)}")
    if one.by:
        parts.append(f"by {one.by}")
    return " ".join(parts) + (f": {one.why}" if one.why else "")


def only_comment(one: Alarm) -> bool:
    """Whether a change brought nothing but a comment, as `without_repeats` marks it."""
    return bool(one.comment) and not one.by and one.why == one.comment


def notified(one: Notified) -> str:
    """What became of telling people of it."""
    if one.result == "nobody":
        return f"told nobody: {one.why}"
    who = f"{' and '.join(one.people) or 'who it was for'} by {one.channel}"
    name = f" ({one.id})" if one.id else ""
    match one.result:
        case "sent":
            about = {"raised": "", "again": " again", "over": " that it is over", "digest": _beside(one)}
            tries = f", after {one.tries} tries in vain" if one.tries else ""
            return f"told {who}{about[one.says]}{tries}{name}"
        case "waits":
            return f"not told to {who} yet: {one.why}"
        case "failed":
            return f"not told to {who}, tried again: {one.why}{name}"
        case _:
            return f"not told to {who}, given up: {one.why}{name}"


def _beside(one: Notified) -> str:
    others = len(one.alarms) - 1
    return f" with {others} other{'s'[: others != 1]}" if others else ""


def measured(one: Alarm, zone: ZoneInfo) -> str:
    """Value and limit with their unit; empty where there are none. Of a silence when it began: that stays true."""
    if one.silent:
        since = "" if one.began is None else f"nothing since {clock(one.began, zone)}"
        return f"was: {since}" if since and one.active is False else since
    if one.value is None:
        return ""
    limit = f" (limit {number(one.limit, one.unit)})" if isinstance(one.limit, float) else ""  # a state is its own
    return f"{number(one.value, one.unit)}{limit}"


def number(value: float | str, unit: str) -> str:
    """As a person reads it: three places at most, kilo where it is large."""
    if isinstance(value, str):
        return value
    if unit in ("W", "VA", "var", "Wh") and abs(value) >= 1000:
        value, unit = value / 1000, f"k{unit}"
    return f"{value:.3f}".rstrip("0").rstrip(".") + (f" {unit}" if unit else "")


def clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def apart(sent: datetime, now: datetime) -> str:
    """Why a request is of another time; with the dates where these differ."""
    form = "%H:%M:%S" if sent.date() == now.date() else "%Y-%m-%d %H:%M:%S"
    return f"it was sent at {sent:{form}} and now is {now:{form}} UTC: too far apart"


def lasting(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    for size, name, next_size, next_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    return f"{whole} s"
