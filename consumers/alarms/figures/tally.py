"""What followed of the alarms of a span, in figures against their targets. Pure.

The one way to them: of the live figures, which hold the last 24 h in memory, and of a report out of the archive.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from textwrap import shorten

from consumers.alarms.figures.acknowledging import acknowledging
from consumers.alarms.figures.crowds import SLOT, Flood, chattering, fleeting, floods
from consumers.alarms.figures.following import Following, Quiet, Raise
from consumers.alarms.figures.span import Span, slots
from consumers.alarms.figures.targets import FEW, FEW_NAMES, about, figure, per
from schemas.alarm_figures import (
    AlarmFigure,
    AlarmFigures,
    AlarmFlood,
    FrequentAlarm,
    LastingAlarm,
    QuietAlarm,
    Quieted,
)
from schemas.messages import AlarmPriority, AlarmState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOP = 10
STALE = timedelta(hours=24)
WHY = 100
"""Letters of a reason: the journal has all of it."""


def tally(following: Following, span: Span, at: datetime, operators: int = 1) -> AlarmFigures:
    """The figures of a span, told `at`. Rates are of the time that was seen, and of one operator."""
    raised = sorted((one for one in following.raises if one.seen and span.holds(one.at)), key=lambda one: one.at)
    times = [one.at for one in raised]
    chatter = chattering(raised)
    gone = fleeting(raised, chatter)
    many = Counter(one.alarm for one in raised)
    top = _frequent(many, len(raised))
    stale = _stale(following.raises, span)
    few_names = f"{len(raised)} of {FEW_NAMES} alarms" if len(raised) < FEW_NAMES else ""
    flooded = floods(times, span.end, operators)
    chatters, fleets = Counter(name for name, _ in chatter), Counter(one.alarm for one in gone)
    priorities = Counter(one.priority for one in raised)
    quiet = {state: _quieted(following.quiets, state, span) for state in (*_KINDS,)}
    seen = span.seen
    return AlarmFigures(
        at=at,
        begin=span.begin,
        end=span.end,
        seen=round(span.share, 4),
        operators=operators,
        raised=len(raised),
        last_10_min=sum(one >= span.end - SLOT for one in times),
        last_hour=sum(one >= span.end - HOUR for one in times),
        flooding=bool(flooded) and flooded[-1].end is None,
        figures=[
            *_rates(times, span, operators),
            _flooded(flooded, span),
            figure("chattering", float(len(chatters)), seen),
            figure("fleeting", float(len(fleets)), seen),
            figure("stale", float(_on_the_worst_day(following.raises, span)), seen),
            figure("top_10_share", 100 * sum(one.share for one in top) if top else None, seen, few=few_names),
            *_priorities(priorities, len(raised), seen),
            *acknowledging(raised, seen),
            *_quiet_figures(following.quiets, quiet[AlarmState.SHELVED], span),
        ],
        top=top,
        chattering=_frequent(chatters, len(raised)),
        fleeting=_frequent(fleets, len(raised)),
        stale=stale[:TOP],
        floods=[AlarmFlood(begin=one.begin, end=one.end, alarms=one.alarms) for one in flooded[-TOP:]],
        flood_count=len(flooded),
        flood_longest=max((_length(one, span) for one in flooded), default=0.0),
        flood_most=max((one.alarms for one in flooded), default=0),
        priorities={one: priorities[one] for one in AlarmPriority if priorities[one]},
        shelved=quiet[AlarmState.SHELVED],
        suppressed=quiet[AlarmState.SUPPRESSED],
        out_of_service=quiet[AlarmState.OUT_OF_SERVICE],
    )


_KINDS = AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE


def _rates(times: Sequence[datetime], span: Span, operators: int) -> list[AlarmFigure]:
    """Of one operator, by the time that was seen."""
    seen, many = span.seen, len(times) / operators
    tens, hours = slots(times, SLOT), slots(times, HOUR)
    crowded = sum(count > 10 * operators for count in tens.values())
    full = sum(count > 30 * operators for count in hours.values())
    return [
        per("per_day", many * DAY.total_seconds(), seen),
        per("per_hour", many * HOUR.total_seconds(), seen),
        per("per_10_min", many * SLOT.total_seconds(), seen),
        figure("most_in_10_min", max(tens.values(), default=0) / operators if seen else None, seen),
        _share("slots_above_10", crowded * SLOT.total_seconds(), seen),
        _share("hours_above_30", full * HOUR.total_seconds(), seen),
    ]


def _share(name: str, seconds: float, seen: float) -> AlarmFigure:
    """In %; a slot of the clock may lie partly beyond what was seen."""
    return per(name, 100 * min(seconds, seen), seen)


def _length(flood: Flood, span: Span) -> float:
    return span.overlap(flood.begin, flood.end)


def _flooded(flooded: Iterable[Flood], span: Span) -> AlarmFigure:
    return _share("time_in_flood", sum(_length(one, span) for one in flooded), span.seen)


def _frequent(many: Counter[str], of: int) -> list[FrequentAlarm]:
    first = sorted(many.items(), key=lambda one: (-one[1], one[0]))[:TOP]
    return [FrequentAlarm(alarm=name, raised=count, share=round(count / of, 6)) for name, count in first]


def _stale(raises: Iterable[Raise], span: Span) -> list[LastingAlarm]:
    """Those that stood for more than 24 h at some time of the span, the longest first; each alarm once."""
    found = dict[str, LastingAlarm]()
    for one, _, over in _standing_long(raises, span):
        mine = LastingAlarm(alarm=one.alarm, since=one.at, seconds=(over - one.at).total_seconds())
        found[one.alarm] = max(mine, found.get(one.alarm, mine), key=lambda lasting: lasting.seconds)
    return sorted(found.values(), key=lambda one: (-one.seconds, one.alarm))


def _standing_long(raises: Iterable[Raise], span: Span) -> Iterator[tuple[Raise, datetime, datetime]]:
    """What stood for more than 24 h, with from when until when it did so within the span."""
    for one in raises:
        over = min(one.over or span.end, span.end)
        if over - one.at > STALE and one.at + STALE < span.end and (one.over is None or one.over > span.begin):
            yield one, max(one.at + STALE, span.begin), over


def _on_the_worst_day(raises: Iterable[Raise], span: Span) -> int:
    """Most alarms that were stale within the same 24 h, counted from the begin of the span."""
    days: dict[int, set[str]] = {}
    for one, begin, over in _standing_long(raises, span):
        for day in range((begin - span.begin) // DAY, -((span.begin - over) // DAY)):
            days.setdefault(day, set()).add(one.alarm)
    return max(map(len, days.values()), default=0)


def _priorities(many: Counter[AlarmPriority], of: int, seen: float) -> list[AlarmFigure]:
    """The highest is to be rare; the others are about so many."""
    few = f"{of} of {FEW} alarms" if of < FEW else ""
    shares = {one: 100 * many[one] / of if of else None for one in AlarmPriority}
    others = (AlarmPriority.LOW, AlarmPriority.MEDIUM, AlarmPriority.HIGH)
    return [
        *(about(f"priority_{one}", shares[one], seen, few=few) for one in others),
        figure("priority_critical", shares[AlarmPriority.CRITICAL], seen, few=few),
    ]


def _quieted(quiets: Iterable[Quiet], state: AlarmState, span: Span) -> Quieted:
    """How often, and the longest; of each the part that lies in the span."""
    mine = [one for one in quiets if one.state is state and span.overlap(one.begin, one.end) > 0]
    lasting = [
        LastingAlarm(alarm=one.alarm, since=max(one.begin, span.begin), seconds=span.overlap(one.begin, one.end))
        for one in mine
    ]
    longest = max(lasting, key=lambda one: (one.seconds, one.alarm), default=None)
    still = [one for one in mine if one.end is None or one.end > span.end]
    by_people = still if state is not AlarmState.SUPPRESSED else []
    standing = sorted(by_people, key=lambda one: (one.begin, one.alarm))[:TOP]
    return Quieted(
        now=len(still), times=len(mine), longest=longest, standing=[_quiet_alarm(one, span.end) for one in standing]
    )


def _quiet_alarm(one: Quiet, end: datetime) -> QuietAlarm:
    lasts = (end - one.begin).total_seconds()
    why = shorten(one.why, WHY, placeholder=" ...")
    return QuietAlarm(alarm=one.alarm, since=one.begin, seconds=lasts, until=one.until, by=one.by, why=why)


def _quiet_figures(quiets: Iterable[Quiet], shelved: Quieted, span: Span) -> list[AlarmFigure]:
    out = AlarmState.OUT_OF_SERVICE
    silent = sum(one.state is out and not one.said_why and span.overlap(one.begin, one.end) > 0 for one in quiets)
    return [
        figure("shelved_longest", shelved.longest.seconds / 3600 if shelved.longest else 0.0, span.seen),
        figure("out_without_why", float(silent), span.seen),
    ]
