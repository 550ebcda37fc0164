"""What the archive knows of alarms: their changes, what was asked of them, who was told, and their points around an
event."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.history import History
from schemas.alarm_figures import AlarmWatch
from schemas.messages import Alarm, AlarmRequest, AlarmState, Notified, RequestOutcome
from schemas.printable import printable
from schemas.tables import alarm, control
from schemas.topics import ALARM_MAINTENANCE, ALARM_OUTCOME, ALARM_REQUEST, ALARM_WATCHED, NOTIFY_TOLD

Change = tuple[str, Alarm]
AROUND = timedelta(minutes=30)
"""Before and after an event that its trend shows."""


SET_BACK = timedelta(days=1)
"""By so much a clock is set back at the most while an alarm stands: what was said of it after that is looked for."""
TOGETHER = 100
"""Alarms that one question is about."""
LONGEST = 2000
"""Characters of a reason that are told."""
CLOCK_SET = datetime(2020, 1, 1, tzinfo=UTC)
"""Before it no clock of ours was right: one that was never set says 1970."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked of an alarm, and what became of it."""

    at: datetime
    alarm: str
    who: str
    wish: str
    why: str = ""
    until: datetime | None = None
    followed: bool | None = None
    """None: no answer is stored."""
    reason: str = ""
    """Why not."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A point around an event, in moments and numbers."""

    device: str
    point: str
    resolution: str
    curve: list[tuple[datetime, float]]


async def changes(  # noqa: PLR0917  # where, when, which: they read well in a row
    engine: AsyncEngine, site: str, start: datetime, end: datetime, names: Sequence[str] = (), most: int = 0
) -> list[Change]:
    """The changes of alarms in a span, oldest first, `end` excluded. `names`: of these alone; `most`: the newest."""
    c = alarm.c
    asked = select(c.alarm, c.body).where(c.site == site, c.at >= start, c.at < end)
    if names:
        asked = asked.where(c.alarm.in_(names))
    newest_first = asked.order_by(c.at.desc(), c.state)
    rows = await _rows(engine, newest_first.limit(most) if most else newest_first)
    return in_order(_read(reversed(rows)))


def in_order(came: Sequence[Change]) -> list[Change]:
    """As they came, of changes oldest first. One that bears a time before its own raise came after the clock was set
    back: what is known of that raise stands before it."""
    behind = dict[tuple[str, datetime], datetime]()
    for name, one in came:
        if one.at < one.since:
            behind.setdefault((name, one.since), one.at)

    def key(change: Change) -> tuple[datetime, bool, datetime]:
        name, one = change
        return behind.get((name, one.since), one.at), one.at < one.since, one.at

    return sorted(came, key=key)


def without_repeats(came: Sequence[Change]) -> list[Change]:
    """Those that change what a person reads of an alarm, of changes oldest first. An alarm is told again when its value
    or what control does about it is another; who reads "raised" three times counts three alarms. One that brings
    nothing but a comment tells that, and not once more who acknowledged it."""
    last: dict[str, Any] = {}
    found = list[Change]()
    for name, one in came:
        reads = (
            one.state, one.active, one.priority, one.since, one.shelved_until, one.out_until, one.by, one.why,
            one.consequence_of if one.state is AlarmState.SUPPRESSED else "",
        )  # fmt: skip
        before, comment = last.get(name, (None, ""))
        if before != reads:
            found.append((name, one))
        elif comment != one.comment:
            found.append((name, one.model_copy(update={"by": "", "why": one.comment})))
        last[name] = reads, one.comment
    return found


async def standing(engine: AsyncEngine, site: str, at: datetime) -> list[Change]:
    """The last change of each alarm before a moment: how it was then."""
    c = alarm.c
    last = select(c.alarm, func.max(c.at).label("at")).where(c.site == site, c.at < at).group_by(c.alarm).subquery()
    asked = select(c.alarm, c.body).join(last, (c.alarm == last.c.alarm) & (c.at == last.c.at)).where(c.site == site)
    found = _read(await _rows(engine, asked.order_by(c.at, c.state)))
    doubtful, later = [(name, one) for name, one in found if one.state is not AlarmState.NORMAL], list[Change]()
    for begin in range(0, len(doubtful), TOGETHER):
        spans = [
            and_(c.alarm == name, c.at >= one.since - SET_BACK, c.at < one.since)
            for name, one in doubtful[begin : begin + TOGETHER]
        ]
        question = select(c.alarm, c.body).where(c.site == site, or_(*spans)).order_by(c.at)
        later += _read(await _rows(engine, question))
    return [*dict(in_order([*later, *found])).items()]


async def names(engine: AsyncEngine, site: str) -> list[str]:
    """Every alarm that ever changed."""
    c = alarm.c
    return [name for (name,) in await _rows(engine, select(c.alarm).where(c.site == site).distinct().order_by(c.alarm))]


async def known_since(engine: AsyncEngine, site: str) -> datetime | None:
    """Since when the archive knows alarms of this site. That it knows readings says nothing of who judged them."""
    asked = select(func.min(alarm.c.at)).where(alarm.c.site == site, alarm.c.at >= CLOCK_SET)
    ((first,),) = await _rows(engine, asked)
    return first if isinstance(first, datetime) else None


async def watched(
    engine: AsyncEngine, site: str, start: datetime, end: datetime
) -> tuple[datetime | None, list[tuple[datetime, datetime]]]:
    """Since when the alarm service says that it listens, and from when until when it did; from shortly before the
    span to the first after it."""
    c = control.c
    mine = select(c.body).where(c.site == site, c.topic == ALARM_WATCHED.name, c.at >= CLOCK_SET).order_by(c.at)
    rows = [
        *await _rows(engine, mine.limit(1)),
        *await _rows(engine, mine.where(c.at >= start - AROUND, c.at < end)),
        *await _rows(engine, mine.where(c.at >= end).limit(1)),
    ]
    found = [one for (body,) in rows if (one := AlarmWatch.model_validate_json(body)).since >= CLOCK_SET]
    return (found[0].since, [(one.since, one.at) for one in found[1:]]) if found else (None, [])


async def asked(
    engine: AsyncEngine, site: str, start: datetime, end: datetime, names: Sequence[str] = ()
) -> list[Asked]:
    """What people asked of alarms in a span, with what became of it, oldest first."""
    c = control.c
    topics = {one.name: one for one in (ALARM_REQUEST, ALARM_MAINTENANCE, ALARM_OUTCOME)}
    question = select(c.topic, c.subject, c.body).where(c.site == site, c.at >= start, c.at < end)
    question = question.where(c.topic.in_([*topics]))
    if names:
        question = question.where(c.subject.in_(names))
    wishes, answers = list[tuple[str, AlarmRequest]](), dict[str, RequestOutcome]()
    for topic, subject, body in await _rows(engine, question.order_by(c.at, c.topic)):
        try:
            said = topics[topic].payload.model_validate_json(body)
        except ValidationError:  # of another version
            continue
        if isinstance(said, RequestOutcome):
            answers[said.id] = said
        else:
            wishes.append((subject, said))
    return [_asked(name, wish, answers.get(wish.id or "")) for name, wish in wishes]


async def told(  # noqa: PLR0917  # as `changes`
    engine: AsyncEngine, site: str, start: datetime, end: datetime, names: Sequence[str] = (), most: int = 0
) -> list[Notified]:
    """Who was told of alarms in a span, or was not and why, oldest first. `names`, `most`: as of `changes`."""
    c = control.c
    question = select(c.body).where(c.site == site, c.at >= start, c.at < end, c.topic == NOTIFY_TOLD.name)
    if names:
        question = question.where(c.subject.in_([*names, ""]))  # without a subject: of several at once
    question = question.order_by(c.at.desc())
    found = list[Notified]()
    for (body,) in reversed(await _rows(engine, question.limit(most) if most else question)):
        with suppress(ValidationError):  # of another version
            one = Notified.model_validate_json(body)
            if not names or {*names} & {*one.alarms}:
                found.append(one)
    return found


def _asked(name: str, wish: AlarmRequest, answer: RequestOutcome | None) -> Asked:
    followed = None if answer is None else answer.followed
    reason = "" if answer is None else printable(answer.reason, LONGEST)
    # the archive keeps what strangers sent; whoever reads of it sees no more than words
    return Asked(wish.at, name, printable(wish.who), wish.action, printable(wish.why), wish.until, followed, reason)


async def trend(history: History, site: str, one: Alarm, at: datetime, pixels: int = 60) -> Trend | None:
    """The alarm's own point half an hour before and after a moment; None where nothing is stored of it."""
    fits, buckets = await history.series(site, one.device, one.point, at - AROUND, at + AROUND, pixels)
    curve = [(bucket.at, bucket.mean) for bucket in buckets]
    if not curve:
        fits, curve = "raw", await history.numbers(site, one.device, one.point, at - AROUND, at + AROUND)
    return Trend(one.device, one.point, fits, curve) if curve else None


def _read(rows: Iterable[Sequence[str]]) -> list[Change]:
    found = list[Change]()
    for name, body in rows:
        with suppress(ValidationError):  # of another version
            found.append((name, Alarm.model_validate_json(body)))
    return found


async def _rows(engine: AsyncEngine, question: Select[Any]) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(question)).all())
