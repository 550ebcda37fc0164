"""`joulebus alarm list`: what is not normal; what asks most of an operator first, consequences below their cause."""

import argparse
import json
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from joulebus import terminal
from joulebus.alarm.bus import connected, shown
from runtime.alarm_words import ATTENTION, RANK, happened, lasting, measured
from runtime.settings import Settings
from schemas.messages import Alarm, AlarmPriority, AlarmState
from schemas.site import Site
from schemas.units import utc_now

KEPT_QUIET = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)

Row = tuple[int, str, Alarm]
"""How far it is indented, its name and itself."""


async def show(site: Site, settings: Settings, parsed: argparse.Namespace) -> int:
    """Print it. Raises Trouble."""
    async with connected(settings) as bus:
        alarms = await shown(bus, site.site)
    wanted = chosen(alarms, parsed.priority, everything=parsed.all)
    rows = ordered(wanted)
    if parsed.json:
        said = [{"alarm": name, "below": below, **one.model_dump(mode="json")} for below, name, one in rows]
        print(json.dumps({"site": site.site, "alarms": said, "quiet": _quiet(alarms)}))
        return 0
    print(terminal.told(words(rows, site.zone), 10) if rows else "no alarm")
    hidden = len(alarms) - len(wanted)
    if hidden:
        print(f"{hidden} more: shelved, suppressed, out of service or of another priority (--all shows what is quiet)")
    return 0


def _quiet(alarms: Mapping[str, Alarm]) -> int:
    return sum(one.state in KEPT_QUIET for one in alarms.values())


def chosen(alarms: Mapping[str, Alarm], priority: str | None, *, everything: bool) -> dict[str, Alarm]:
    """Without those that are quiet, if not everything is wanted; of a priority and above."""
    least = RANK.index(AlarmPriority(priority)) if priority else len(RANK)
    return {
        name: one
        for name, one in alarms.items()
        if RANK.index(one.priority) <= least and (everything or one.state not in KEPT_QUIET)
    }


def ordered(alarms: Mapping[str, Alarm]) -> list[Row]:
    """What waits for an answer, then by priority, the oldest first; consequences below what explains them."""

    def urgency(name: str) -> tuple[int, int, float, str]:
        one = alarms[name]
        return ATTENTION.index(one.state), RANK.index(one.priority), one.since.timestamp(), name

    below = dict[str, list[str]]()
    for name in sorted(alarms, key=urgency):
        cause = alarms[name].consequence_of
        below.setdefault(cause if cause in alarms and cause != name else "", []).append(name)
    rows, told = list[Row](), set[str]()

    def tell(name: str, depth: int) -> None:
        if name in told:
            return
        told.add(name)
        rows.append((depth, name, alarms[name]))
        for one in below.get(name, ()):
            tell(one, depth + 1)

    for name in sorted(alarms, key=urgency):  # a cause stands where the worst of what it explains would
        tell(_root(name, alarms), 0)
    return rows


def _root(name: str, alarms: Mapping[str, Alarm]) -> str:
    """The alarm that explains it in the end; of some that name each other the first met."""
    met = [name]
    while (cause := alarms[met[-1]].consequence_of) in alarms:
        if cause in met:
            return cause
        met.append(cause)
    return met[-1]


def words(rows: list[Row], zone: ZoneInfo) -> list[str]:
    """Two lines each: what it is, and what to do."""
    now, said = utc_now(), list[str]()
    for below, name, one in rows:
        margin = "    " * below
        age = lasting(max(0.0, (now - one.since).total_seconds()))
        value = measured(one, zone)
        first = " first-out" if one.first_out else ""
        said.append(
            f"{margin}{one.priority:<8}  {name}{first}: {happened(one, zone)}, for {age}{value and f'; {value}'}"
        )
        if not below:
            said += [f"{margin}          {line}" for line in (one.text, one.comment) if line]
    return said
