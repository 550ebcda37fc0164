"""The alarms as the page lists them: what asks most comes first, and one cause is one line. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from consumers.status.state import Moment, State, is_active
from consumers.status.values import alive, value_of
from schemas.messages import Alarm, AlarmPriority, AlarmState

Row = dict[str, Any]

A = AlarmState
UNSEEN = (A.UNACKNOWLEDGED, A.RETURNED, A.LATCHED_UNACKNOWLEDGED)
"""Nobody has acknowledged them yet."""
QUIET = (A.SHELVED, A.SUPPRESSED, A.OUT_OF_SERVICE)
"""Somebody, or the design, wants them to say nothing now."""
ASKS = {
    A.UNACKNOWLEDGED: ["ack", "shelve"],
    A.ACKNOWLEDGED: ["shelve"],
    A.RETURNED: ["ack"],
    A.LATCHED_UNACKNOWLEDGED: ["ack"],
    A.LATCHED: ["reset"],
    A.SHELVED: ["unshelve"],
    A.OUT_OF_SERVICE: ["in_service"],
}
"""What can be asked in each state of an alarm of an older joulebus, which does not say it; one that latches is never
shelved."""
DONE = ("ack", "shelve", "unshelve", "reset", "comment", "out_of_service", "in_service")
"""What the page has a button for, in their order."""


def alarms(state: State, now: Moment) -> dict[str, Any]:
    """All that are not normal. `doubt` says why an empty list does not mean that all is well; `counts` tells of each
    priority how many are active, and how many of these nobody has acknowledged; `leads`, whether others follow."""
    doubt = ""
    if not state.broker:
        doubt = "no connection to the broker"
    elif not alive(state, "alarms", now):
        doubt = "the alarm service is down"
    listed = [row(state, name, alarm, now) for name, alarm in sorted(state.alarms.items(), key=_rank)]
    under = causes(state.alarms)
    explaining = {one.consequence_of for one in state.alarms.values()}
    return {
        "doubt": doubt,
        "counts": _counts(state.alarms),
        "list": [
            one | {"under": under[one["alarm"]], "leads": one["first_out"] and one["alarm"] in explaining}
            for one in listed
        ],
    }


def row(state: State, name: str, alarm: Alarm, now: Moment) -> Row:
    """One alarm: its message, and what follows from it."""
    profile = state.site.profiles.get(alarm.device)
    point = profile.points.get(alarm.point) if profile else None
    over = None if is_active(alarm) else state.over.get(name, alarm.at)
    return alarm.model_dump(mode="json") | {
        "alarm": name,
        "active": is_active(alarm),
        "unseen": alarm.state in UNSEEN,
        "service": alarm.device not in state.site.profiles,
        "unit": "s" if alarm.silent else alarm.unit or (point.unit if point else ""),
        "what": what(alarm, name),
        "over": over.isoformat() if over else None,
        "asks": asks(alarm),
        "silence": silence(state, alarm, now),
        "present": present(state, alarm, now),
        "seconds": max(0, round((now.at - alarm.since).total_seconds())),
    }


def silence(state: State, alarm: Alarm, now: Moment) -> int | None:
    """Seconds that its device has said nothing; None for other alarms, one that is over, and where nobody knows.

    An alarm says how long it was when it was told. Here it goes on, and ends with the first word.
    """
    if not (alarm.silent and is_active(alarm)):
        return None
    last = state.telemetry.get(alarm.device)
    known = [(now.at - alarm.began).total_seconds()] if alarm.began else []
    known += [last.age(now)] if last else []
    return max(0, round(min(known))) if known else None


def present(state: State, alarm: Alarm, now: Moment) -> float | None:
    """What the point of an active alarm says now, where the alarm compares the point itself; None where that is no live
    number."""
    compares = alarm.condition.startswith(f"{alarm.point} ") and not alarm.silent and is_active(alarm)
    if not compares or alarm.device not in state.site.profiles:
        return None
    found = value_of(state, alarm.device, alarm.point, now)
    live = found["state"] == "live" and found["unit"] == alarm.unit
    return found["value"] if live and isinstance(found["value"], float) else None


def asks(alarm: Alarm) -> list[str]:
    """What may be asked of it now."""
    told = bool(alarm.requests) or alarm.active is not None
    given = alarm.requests if told else ASKS.get(alarm.state, [])
    never = ("shelve",) if told else ("shelve", "unshelve")
    return [one for one in DONE if one in given and not (one in never and alarm.latched)]


def what(alarm: Alarm, name: str) -> str:
    """What is, or was, wrong. Of one that is over it never says what to do: nobody should leave a cold room."""
    stands = is_active(alarm)
    words = alarm.cause
    if not words and (not alarm.response if stands else alarm.active is not None):
        words = alarm.text
    if not stands and alarm.response:
        words = words.replace(alarm.response, "")
    return words.strip() or name.removesuffix(f"-{alarm.device}").replace("_", " ").replace("-", " ").capitalize()


def causes(shown: Mapping[str, Alarm]) -> dict[str, str]:
    """Of each alarm the one that explains it, at the end of the chain, or nothing: two that explain each other both
    stand for themselves, and so does one that goes on after its cause is over."""
    return {name: _cause(name, shown) for name in shown}


def _cause(name: str, shown: Mapping[str, Alarm]) -> str:
    seen, found = {name}, name
    while (above := shown[found].consequence_of) in shown:
        if above in seen:
            return ""
        if (is_active(shown[name]) and not is_active(shown[above])) or shown[above].state in (
            A.SHELVED,
            A.OUT_OF_SERVICE,
        ):
            break
        seen.add(above)
        found = above
    return "" if found == name else found


def _counts(shown: Mapping[str, Alarm]) -> dict[str, dict[str, int]]:
    live = [one for one in shown.values() if is_active(one) and one.state not in QUIET]
    every = Counter(one.priority for one in live)
    new = Counter(one.priority for one in live if one.state in UNSEEN)
    return {str(one): {"active": every[one], "unseen": new[one]} for one in AlarmPriority}


def _rank(item: tuple[str, Alarm]) -> tuple[int, int, float, str]:
    """Those that nobody has acknowledged first, of these the active ones, then by priority, the newest first."""
    name, alarm = item
    asking = 4 if alarm.state in QUIET else 2 * (alarm.state not in UNSEEN) + (not is_active(alarm))
    return asking, list(AlarmPriority).index(alarm.priority), -alarm.since.timestamp(), name
