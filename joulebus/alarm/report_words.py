"""A report on the alarms as who runs a site reads it: one page, what to do next on top."""

from collections.abc import Iterator
from math import floor

from consumers.alarms.figures.targets import TARGETS
from joulebus.alarm.next_step import next_step
from runtime.alarm_words import clock, lasting
from schemas.alarm_figures import (
    AlarmFigure,
    AlarmFigures,
    FrequentAlarm,
    LastingAlarm,
    QuietAlarm,
    Quieted,
    Verdict,
)
from schemas.site import Site

MONTH = 28 * 86_400
"""Seconds of the shortest; the standard judges by a month."""
FLOODS = 5
"""Of the last ones that are told."""
HEADS = {
    Verdict.BEYOND: "beyond its target",
    Verdict.OK: "within its target",
    Verdict.UNKNOWN: "not judged: too little was seen",
}


def words(found: AlarmFigures, site: Site, refused: int = 0) -> list[str]:
    """For people. `refused`: requests to keep an alarm quiet that were not followed."""
    begin, end = (clock(at, site.zone)[:16] for at in (found.begin, found.end))
    positions = "1 operator" if found.operators == 1 else f"{found.operators} operators, of whom each figure is one's"
    seen = "" if found.seen == 1 else f", of which {_seen(found)} was seen"
    head = f"alarms of {site.site}, {begin} to {end} ({site.time_zone}){seen}: {found.raised} raised; {positions}"
    if found.seen == 0:
        return [head, "nothing is known of that time"]
    said = [head, f"do next: {next_step(found)}", ""]
    for verdict, title in HEADS.items():
        rows = [one for one in found.figures if one.verdict is verdict]
        if rows:
            said += [f"{title} ({len(rows)}):", *map(_figure, rows)]
    if found.seen * (found.end - found.begin).total_seconds() < MONTH:
        said.append("the standard judges by a month: of less these are a tendency")
    return [*said, *_crowds(found, site), *_lists(found, site, refused)]


def _seen(found: AlarmFigures) -> str:
    seconds = found.seen * (found.end - found.begin).total_seconds()
    return f"{lasting(seconds)} ({floor(1000 * found.seen) / 10:g} %)"


def _figure(one: AlarmFigure) -> str:
    says = TARGETS[one.name].says if one.name in TARGETS else one.name
    value = "-" if one.value is None else lasting(one.value) if one.unit == "s" else f"{one.value:.3g} {one.unit}"
    return f"  {says:<35}{value.strip():<15}{one.target:<29}{one.why or one.source}"


def _crowds(found: AlarmFigures, site: Site) -> Iterator[str]:
    if found.flood_count:
        longest = f"the longest {lasting(found.flood_longest)}, the most alarms {found.flood_most}"
        yield f"floods: {found.flood_count}, {longest}"
        for one in found.floods[-FLOODS:]:
            end = clock(one.end, site.zone)[11:] if one.end else "now"
            yield f"  {clock(one.begin, site.zone)} to {end}: {one.alarms} alarms"
    shares = ", ".join(f"{name} {count}" for name, count in found.priorities.items())
    if shares:
        yield f"by priority: {shares}"


def _lists(found: AlarmFigures, site: Site, refused: int) -> Iterator[str]:
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
            yield from (_kept_quiet(each, site) for each in one.standing)
    if refused:
        yield f"requests to shelve or take out of service that were refused: {refused} (joulebus alarm history)"


def _often(one: FrequentAlarm) -> str:
    return f"  {one.raised:>5}  {100 * one.share:>4.1f} %  {one.alarm}"


def _lasts(one: LastingAlarm, site: Site) -> str:
    return f"  {one.alarm}, since {clock(one.since, site.zone)}, {lasting(one.seconds)}"


def _quieted(name: str, one: Quieted) -> str:
    longest = f", the longest {one.longest.alarm} for {lasting(one.longest.seconds)}" if one.longest else ""
    times = "once" if one.times == 1 else f"{one.times} times"
    return f"{name}: {times}, {one.now} at the end{longest}"


def _kept_quiet(one: QuietAlarm, site: Site) -> str:
    until = f", until {clock(one.until, site.zone)}" if one.until else ""
    said = f", by {one.by or 'nobody'}: {one.why or 'no reason given'}"
    return f"  {one.alarm}, since {clock(one.since, site.zone)}, {lasting(one.seconds)}{until}{said}"
