"""`joulebus alarm report`: the figures of ISA-18.2 over a shift, a week, a month, out of the archive."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from math import floor

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.alarms.figures.live import UNHEARD, WATCH
from consumers.alarms.figures.past import figures_of
from consumers.alarms.figures.span import Gap, Span, unseen
from consumers.alarms.figures.targets import TARGETS
from joulebus.alarm.spans import DAY, SPANS, span
from joulebus.archive_read import reading
from runtime.alarm_history import changes, known_since, standing, watched
from runtime.alarm_words import clock, lasting
from schemas.alarm_figures import AlarmFigure, AlarmFigures, FrequentAlarm, LastingAlarm, Quieted, Verdict
from schemas.site import Site
from schemas.units import utc_now


async def report(url: str, site: Site, parsed: argparse.Namespace) -> int:
    """Print it; 1 when nothing is known of that time. Raises Trouble."""
    now = utc_now()
    begin, end = span(site, now, parsed.start, parsed.end, SPANS.get(parsed.span, DAY))
    async with reading(url) as database:
        found = await look(database, site, begin, end, now, parsed.operators)
    print(found.model_dump_json() if parsed.json else "\n".join(words(found, site)))
    return int(found.seen == 0)


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
    return figures_of(before, during, Span(begin, end, tuple(gaps)), now, operators or site.alarm_operators)


def going_on(watches: list[Gap], now: datetime) -> list[Gap]:
    """The last goes on until now, where the next is not due yet."""
    last = watches[-1][1] if watches else now
    return [*watches, (last, now)] if watches and now - last <= WATCH + UNHEARD else watches


def words(found: AlarmFigures, site: Site) -> list[str]:
    """For people."""
    begin, end = (clock(at, site.zone)[:16] for at in (found.begin, found.end))
    positions = "1 operator" if found.operators == 1 else f"{found.operators} operators, of whom each figure is one's"
    seen = "" if found.seen == 1 else f", of which {_seen(found)} was seen"
    head = f"alarms of {site.site}, {begin} to {end} ({site.time_zone}){seen}: {found.raised} raised; {positions}"
    if found.seen == 0:
        return [head, "the archive knows nothing of that time"]
    said = [head, *(_figure(one) for one in found.figures)]
    beyond = sum(one.verdict is Verdict.BEYOND for one in found.figures)
    said.append(f"{beyond} beyond their target" if beyond else "none is beyond its target")
    return [*said, *_crowds(found, site), *_lists(found, site)]


def _seen(found: AlarmFigures) -> str:
    seconds = found.seen * (found.end - found.begin).total_seconds()
    return f"{lasting(seconds)} ({floor(1000 * found.seen) / 10:g} %)"


def _figure(one: AlarmFigure) -> str:
    says = TARGETS[one.name].says if one.name in TARGETS else one.name
    value = "-" if one.value is None else f"{one.value:g} {one.unit}".strip()
    return f"  {says:<35}{value:<18}{one.verdict:<9}{one.target} ({one.source})"


def _crowds(found: AlarmFigures, site: Site) -> Iterator[str]:
    if found.flood_count:
        longest = f"the longest {lasting(found.flood_longest)}, the most alarms {found.flood_most}"
        yield f"floods: {found.flood_count}, {longest}"
        for one in found.floods:
            end = clock(one.end, site.zone)[11:] if one.end else "now"
            yield f"  {clock(one.begin, site.zone)} to {end}: {one.alarms} alarms"
    shares = ", ".join(f"{name} {count}" for name, count in found.priorities.items())
    if shares:
        yield f"by priority: {shares}"


def _lists(found: AlarmFigures, site: Site) -> Iterator[str]:
    for head, rows in (("most frequent", found.top), ("chattering", found.chattering), ("fleeting", found.fleeting)):
        if rows:
            yield f"{head}:"
            yield from map(_often, rows)
    if found.stale:
        yield "stale:"
        yield from (_lasts(one, site) for one in found.stale)
    quiet = (("shelved", found.shelved), ("suppressed", found.suppressed), ("out of service", found.out_of_service))
    for name, one in quiet:
        if one.times:
            yield _quieted(name, one)


def _often(one: FrequentAlarm) -> str:
    return f"  {one.raised:>5}  {100 * one.share:>4.1f} %  {one.alarm}"


def _lasts(one: LastingAlarm, site: Site) -> str:
    return f"  {one.alarm}, since {clock(one.since, site.zone)}, {lasting(one.seconds)}"


def _quieted(name: str, one: Quieted) -> str:
    longest = f", the longest {one.longest.alarm} for {lasting(one.longest.seconds)}" if one.longest else ""
    return f"{name}: {one.times} times, {one.now} at the end{longest}"
