"""`joulebus alarm explain`: an alarm's rule in words, what happened to it, and its point around that."""

import argparse
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from joulebus.alarm.chart import chart
from joulebus.alarm.history import words as events
from joulebus.alarm.known import known, rules_of
from joulebus.alarm.rule_words import rule_words
from joulebus.archive_read import reading
from joulebus.explain import when
from runtime.alarm_history import Asked, Change, Trend, asked, changes, names, told, trend, without_repeats
from runtime.alarm_words import clock, happened, measured, only_comment
from runtime.history import History
from schemas.messages import Alarm, AlarmState, Notified
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.units import EARLIEST, utc_now

LAST = 10
"""Changes that are told."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is told of one alarm."""

    name: str
    rule: AlarmRule | None
    came: list[Change]
    """The last changes up to the time that was asked of."""
    wishes: list[Asked]
    messages: list[Notified]
    """Who was told of them."""
    trend: Trend | None

    @property
    def last(self) -> Alarm | None:
        return self.came[-1][1] if self.came else None

    @property
    def raised(self) -> Alarm | None:
        """The change by which it was raised last, else the last one."""
        mine = [one for _, one in self.came if one.state is AlarmState.UNACKNOWLEDGED]
        return mine[-1] if mine else self.last


async def explain(url: str, site: Site, parsed: argparse.Namespace) -> int:
    """Print it. Raises Trouble."""
    now = utc_now()
    at = when(parsed.at, site, now) if parsed.at else now
    async with reading(url, site.site) as database:
        name = known(parsed.name, site, await names(database, site.site))
        story = await look(database, site, name, at)
    print(json.dumps(facts(story)) if parsed.json else "\n".join(words(story, site, at)))
    return 0


async def look(database: AsyncEngine, site: Site, name: str, at: datetime) -> Story:
    """Ask the archive. The newest change is of `at` itself at the latest."""
    until = at + timedelta(microseconds=1)
    came = await changes(database, site.site, EARLIEST, until, [name], LAST)
    wishes = await asked(database, site.site, came[0][1].at, until, [name]) if came else []
    messages = await told(database, site.site, came[0][1].at, until, [name]) if came else []
    story = Story(name, rules_of(site).get(name), came, wishes, messages, None)
    one = story.raised
    if one is None:
        return story
    curve = await trend(History(database), site.site, one, one.at)
    return Story(name, story.rule, came, wishes, messages, curve)


def words(story: Story, site: Site, at: datetime) -> list[str]:
    """For people."""
    last, said = story.last, [story.name]
    said += [f"{name:<11}{text}" for name, text in rule_words(story.rule, last)]
    if last is None:
        return [*said, f"{'never':<11}the archive knows no change of it up to {clock(at, site.zone)}"]
    came = without_repeats(story.came)
    since = [one for _, one in came if not only_comment(one)][-1].at
    value = measured(last, site.zone)
    said.append(f"{'state':<11}{happened(last, site.zone)} at {clock(since, site.zone)}{value and f'; {value}'}")
    for name, text in (("group", _explains(last)), ("did", last.did), ("comment", last.comment)):
        if text:
            said.append(f"{name:<11}{text}")
    said += ["", *events(came, story.wishes, site, story.messages, [story.name])]
    return [*said, "", *_curve(story, site)]


def _explains(one: Alarm) -> str:
    """In the words of the page."""
    if one.first_out:
        return "the first-out: its condition came first of its group"
    return f"follows from {one.consequence_of}" if one.consequence_of else ""


def _curve(story: Story, site: Site) -> list[str]:
    seen, one = story.trend, story.raised
    if one is not None and (one.silent or isinstance(one.value, str)):
        return ["it looks at no number that has a curve"]
    if seen is None or one is None:
        point = f"{one.device}.{one.point}" if one is not None else "its point"
        return [f"of {point} nothing is stored around that time"]
    limit = one.limit if isinstance(one.limit, float) and not one.silent else None
    head = f"{seen.device}.{seen.point} around {clock(one.at, site.zone)} ({seen.resolution}; : the event, - the limit)"
    return [head, *chart(seen.curve, one.at, limit, one.unit, site.zone)]


def facts(story: Story) -> dict[str, object]:
    """For programs."""
    rule, seen = story.rule, story.trend
    return {
        "alarm": story.name,
        "rule": rule.model_dump(mode="json", by_alias=True, exclude_none=True) if rule is not None else None,
        "changes": [one.model_dump(mode="json") for _, one in story.came],
        "asked": [
            {"at": one.at.isoformat(), "who": one.who, "wish": one.wish, "why": one.why, "followed": one.followed}
            for one in story.wishes
        ],
        "told": [one.model_dump(mode="json") for one in story.messages],
        "trend": None
        if seen is None
        else {
            "point": f"{seen.device}.{seen.point}",
            "resolution": seen.resolution,
            "curve": [[at.isoformat(), value] for at, value in seen.curve],
        },
    }
