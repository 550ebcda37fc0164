"""`joulebus alarm ack`, `shelve` and the others: ask the alarms service for something, and hear what became of it."""

import argparse
import sys
from secrets import token_hex

from joulebus.alarm.bus import ANSWERS, answered, connected, shown
from joulebus.alarm.known import known
from runtime.alarm_words import clock
from runtime.settings import Settings
from schemas.messages import Alarm, AlarmRequest, AlarmState, RequestOutcome
from schemas.messages.request import AlarmAction
from schemas.site import Site
from schemas.topics import ALARM_MAINTENANCE, ALARM_REQUEST
from schemas.units import utc_now

ACTIONS: dict[str, AlarmAction] = {
    "ack": "ack",
    "shelve": "shelve",
    "unshelve": "unshelve",
    "reset": "reset",
    "comment": "comment",
    "out-of-service": "out_of_service",
    "in-service": "in_service",
}
ENGINEERS = ("out-of-service", "in-service")
WAITING = (AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.RETURNED)
DONE = {
    "ack": "acknowledged",
    "shelve": "shelved",
    "unshelve": "no longer shelved",
    "reset": "reset",
    "comment": "comment kept",
    "out-of-service": "out of service",
    "in-service": "in service",
}


async def ask(site: Site, settings: Settings, parsed: argparse.Namespace) -> int:
    """0 when all of it was followed. Raises Trouble."""
    async with connected(settings) as bus:
        alarms = await shown(bus, site.site)
        if getattr(parsed, "all", False):
            names = sorted(name for name, one in alarms.items() if one.state in WAITING)
        else:
            names = [known(parsed.name, site, alarms)]
        if not names:
            print("no alarm waits to be acknowledged")
            return 0
        wishes = [(name, request(parsed, alarms.get(name))) for name in names]
        topic = ALARM_MAINTENANCE if parsed.what in ENGINEERS else ALARM_REQUEST
        answers = await answered(bus, site.site, topic, wishes)
    ends = wishes[0][1].until
    until = f" until {clock(ends, site.zone)}" if ends else ""
    codes = [_say(name, answers.get(name), f"{DONE[parsed.what]}{until}") for name in names]
    return max(codes)


def request(parsed: argparse.Namespace, shown: Alarm | None = None) -> AlarmRequest:
    """As it was typed, at this moment. An acknowledgement is for the raise that was shown, and not for a later one."""
    now, length = utc_now(), getattr(parsed, "length", None)
    return AlarmRequest(
        id=f"alarm-{token_hex(8)}",
        at=now,
        action=ACTIONS[parsed.what],
        who=parsed.who,
        why=" ".join(parsed.words) if parsed.what == "comment" else parsed.why,
        until=now + length if length is not None else None,
        since=shown.since if shown is not None and parsed.what == "ack" else None,
    )


def _say(name: str, answer: RequestOutcome | None, done: str) -> int:
    if answer is None:
        words = f"the alarms service has not answered within {ANSWERS:.0f} s: it may be done or not"
        print(f"{name}: {words}", file=sys.stderr)
        return 1
    if answer.followed:
        print(f"{name}: {'; '.join(filter(None, (done, answer.reason)))}")
        return 0
    print(f"{name}: refused, {': '.join(filter(None, (answer.cause, answer.reason)))}", file=sys.stderr)
    return 1
