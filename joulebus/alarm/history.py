"""`joulebus alarm history`: what happened to alarms, and what people asked of them."""

import argparse
import csv
import json
import sys
from datetime import datetime

from joulebus.alarm.known import known
from joulebus.alarm.spans import span
from joulebus.archive_read import reading
from runtime.alarm_history import Asked, Change, asked, changes, names, without_repeats
from runtime.alarm_words import clock, happened, measured
from schemas.messages import Alarm
from schemas.site import Site
from schemas.units import utc_now

COLUMNS = ("at", "alarm", "state", "priority", "value", "limit", "unit", "by", "why", "asked", "followed", "reason")


async def history(url: str, site: Site, parsed: argparse.Namespace) -> int:
    """Print it; 1 when nothing happened. Raises Trouble."""
    begin, end = span(site, utc_now(), parsed.start, parsed.end)
    async with reading(url) as database:
        only = [known(parsed.name, site, await names(database, site.site))] if parsed.name else []
        came = without_repeats(await changes(database, site.site, begin, end, only))
        wishes = await asked(database, site.site, begin, end, only)
    dated = [*((one.at, _changed((name, one))) for name, one in came), *((one.at, _wished(one)) for one in wishes)]
    rows = [row for _, row in sorted(dated, key=lambda each: each[0])]
    if parsed.json:
        print(json.dumps({"site": site.site, "from": _iso(begin), "to": _iso(end), "events": rows}))
    elif parsed.csv:
        lines = csv.DictWriter(sys.stdout, COLUMNS, restval="")
        lines.writeheader()
        lines.writerows(rows)
    else:
        print(
            "\n".join(words(came, wishes, site))
            or f"no alarm from {clock(begin, site.zone)} to {clock(end, site.zone)}"
        )
    return int(not rows)


def words(came: list[Change], wishes: list[Asked], site: Site) -> list[str]:
    """A line each. A request that was followed stands in the change that it made."""
    told = [
        (one.at, f"{clock(one.at, site.zone)}  {one.priority:<8}  {name}: {_happened(one, site)}") for name, one in came
    ]
    for wish in wishes:
        if wish.followed and wish.wish not in ("comment", "reset"):
            continue
        became = "no answer" if wish.followed is None else "done" if wish.followed else f"refused, {wish.reason}"
        why = f" ({wish.why})" if wish.why else ""
        told.append(
            (wish.at, f"{clock(wish.at, site.zone)}  {'':<8}  {wish.alarm}: {wish.wish} by {wish.who}{why}: {became}")
        )
    return [line for _, line in sorted(told)]


def _happened(one: Alarm, site: Site) -> str:
    value = measured(one)
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


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
