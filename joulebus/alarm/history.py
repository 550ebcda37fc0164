"""`joulebus alarm history`: what happened to alarms, what people asked of them, and who was told of them."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import datetime

from joulebus.alarm.known import known
from joulebus.alarm.spans import span
from joulebus.archive_read import reading
from runtime.alarm_history import Asked, Change, asked, changes, names, told, without_repeats
from runtime.alarm_words import clock, happened, measured, notified, only_comment
from schemas.messages import Alarm, Notified
from schemas.printable import cell
from schemas.site import Site
from schemas.units import utc_now

COLUMNS = (
    "at",
    "alarm",
    "state",
    "priority",
    "value",
    "limit",
    "unit",
    "by",
    "why",
    "asked",
    "followed",
    "reason",
    "told",
    "people",
    "channel",
    "message",
)


async def history(url: str, site: Site, parsed: argparse.Namespace) -> int:
    """Print it; 1 when nothing happened. Raises Trouble."""
    begin, end = span(site, utc_now(), parsed.start, parsed.end)
    async with reading(url, site.site) as database:
        only = [known(parsed.name, site, await names(database, site.site))] if parsed.name else []
        came = without_repeats(await changes(database, site.site, begin, end, only))
        wishes = await asked(database, site.site, begin, end, only)
        messages = await told(database, site.site, begin, end, only)
    dated = [*((one.at, _changed((name, one))) for name, one in came), *((one.at, _wished(one)) for one in wishes)]
    dated += [(one.at, _told(one, name)) for one in messages for name in about(one, only)]
    rows = [row for _, row in sorted(dated, key=lambda each: each[0])]
    if parsed.json:
        print(json.dumps({"site": site.site, "from": _iso(begin), "to": _iso(end), "events": rows}))
    elif parsed.csv:
        lines = csv.DictWriter(sys.stdout, COLUMNS, restval="")
        lines.writeheader()
        lines.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    else:
        print(
            "\n".join(words(came, wishes, site, messages, only))
            or f"no alarm from {clock(begin, site.zone)} to {clock(end, site.zone)}"
        )
    return int(not rows)


def about(one: Notified, only: Sequence[str]) -> list[str]:
    """The alarms that a message is about, of those that are asked for."""
    return [name for name in one.alarms if not only or name in only]


def words(
    came: list[Change], wishes: list[Asked], site: Site, messages: Sequence[Notified] = (), only: Sequence[str] = ()
) -> list[str]:
    """A line each. A request that was followed stands in the change that it made."""
    said = [
        (one.at, f"{clock(one.at, site.zone)}  {one.priority:<8}  {name}: {_happened(one, site)}") for name, one in came
    ]
    for wish in wishes:
        if wish.followed and wish.wish != "reset":
            continue
        became = "no answer" if wish.followed is None else "done" if wish.followed else f"refused, {wish.reason}"
        why = f" ({wish.why})" if wish.why else ""
        said.append(
            (wish.at, f"{clock(wish.at, site.zone)}  {'':<8}  {wish.alarm}: {wish.wish} by {wish.who}{why}: {became}")
        )
    for message in messages:
        those = about(message, only)
        names = ", ".join(those[:3]) + (f" and {len(those) - 3} more" if len(those) > 3 else "")
        said.append((message.at, f"{clock(message.at, site.zone)}  {'':<8}  {names}: {notified(message)}"))
    return [line for _, line in sorted(said)]


def _happened(one: Alarm, site: Site) -> str:
    value = "" if only_comment(one) else measured(one, site.zone)
    return happened(one, site.zone) + (f"; {value}" if value else "")


def _changed(change: Change) -> dict[str, object]:
    name, one = change
    return {
        "at": _iso(one.at), "alarm": name, "state": str(one.state), "priority": str(one.priority), "value": one.value,
        "limit": one.limit, "unit": one.unit, "by": one.by, "why": one.why,
    }  # fmt: skip


def _wished(wish: Asked) -> dict[str, object]:
    return {
        "at": _iso(wish.at), "alarm": wish.alarm, "asked": wish.wish, "by": wish.who, "why": wish.why,
        "followed": wish.followed, "reason": wish.reason,
    }  # fmt: skip


def _told(one: Notified, name: str) -> dict[str, object]:
    return {
        "at": _iso(one.at), "alarm": name, "told": one.result, "people": " ".join(one.people), "channel": one.channel,
        "message": one.id, "reason": one.why,
    }  # fmt: skip


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
