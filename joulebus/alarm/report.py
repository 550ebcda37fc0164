"""`joulebus alarm report`: the figures of ISA-18.2 over a shift, a week, a month, out of the archive."""

import argparse
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.alarms.figures.live import UNHEARD, WATCH
from consumers.alarms.figures.past import figures_of
from consumers.alarms.figures.span import Gap, Span, unseen
from joulebus.alarm.report_words import words
from joulebus.alarm.spans import span, whole
from joulebus.archive_read import reading
from runtime.alarm_history import asked, changes, in_order, known_since, standing, watched
from schemas.alarm_figures import AlarmFigures
from schemas.site import Site
from schemas.troubles import Usage
from schemas.units import utc_now

KEEPS_QUIET = ("shelve", "out_of_service")


async def report(url: str, site: Site, parsed: argparse.Namespace) -> int:
    """Print it; 1 when nothing is known of that time. Raises Trouble."""
    now = utc_now()
    begin, end = _asked(site, now, parsed)
    async with reading(url, site.site) as database:
        found = await look(database, site, begin, end, now, parsed.operators)
        said = await asked(database, site.site, begin, end)
    refused = sum(one.followed is False and one.wish in KEEPS_QUIET for one in said)
    print(found.model_dump_json() if parsed.json else "\n".join(words(found, site, refused)))
    return int(found.seen == 0)


def _asked(site: Site, now: datetime, parsed: argparse.Namespace) -> tuple[datetime, datetime]:
    """Raises Trouble."""
    if parsed.span is None:
        if parsed.before:
            raise Usage("--before counts shifts, days, weeks or months: give one of --shift, --day, --week and --month")
        return span(site, now, parsed.start, parsed.end)
    if parsed.start or parsed.end:
        raise Usage(f"--{parsed.span} has its own begin and end: leave out --from and --to, or --{parsed.span}")
    return whole(parsed.span, site.zone, site.shifts, now, parsed.before)


async def look(  # noqa: PLR0917  # where, when, for whom: they read well in a row
    database: AsyncEngine, site: Site, begin: datetime, end: datetime, now: datetime, operators: int | None = None
) -> AlarmFigures:
    """Ask the archive. What lies before its first word, what is still to come, and what the alarm service says that it
    did not hear, was not seen. Before its first such word nobody knows: that is taken for seen."""
    told, watches = await watched(database, site.site, begin, end)
    first = (await known_since(database, site.site), told)
    since = min((one for one in first if one is not None), default=None)
    gaps = list[Gap]()
    if since is None or since > begin:
        gaps.append((begin, min(since or end, end)))
    if end > now:
        gaps.append((max(now, begin), end))
    if told is not None and told < (until := min(end, now)):
        gaps += unseen(going_on(watches, now), max(begin, told), until)
    before = await standing(database, site.site, begin)
    during = await changes(database, site.site, begin, end)
    return figures_of(
        (), in_order([*before, *during]), Span(begin, end, tuple(gaps)), now, operators or site.alarm_operators
    )


def going_on(watches: list[Gap], now: datetime) -> list[Gap]:
    """The last goes on until now, where the next is not due yet."""
    last = watches[-1][1] if watches else now
    return [*watches, (last, now)] if watches and now - last <= WATCH + UNHEARD else watches
