"""What followed of the alarms of a span, in figures against their targets. Pure.

The one way to them: of the live figures, which hold the last 24 h in memory, and of a report out of the archive.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from consumers.alarms.figures.acknowledging import acknowledging
from consumers.alarms.figures.crowds import SLOT, Flood, chattering, fleeting, floods
from consumers.alarms.figures.following import Following, Quiet, Raise
from consumers.alarms.figures.span import Span, slots
from consumers.alarms.figures.targets import FEW, FEW_NAMES, about, figure
from schemas.alarm_figures import AlarmFigure, AlarmFigures, AlarmFlood, FrequentAlarm, LastingAlarm, Quieted
from schemas.messages import AlarmPriority, AlarmState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOP = 10
STALE = timedelta(hours=24)


def tally(following: Following, span: Span, at: datetime, operators: int = 1) -> AlarmFigures:
    """The figures of a span, told `at`. Rates are of the time that was seen, and of one operator."""
    raised = sorted((one for one in following.raises if one.seen and span.holds(one.at)), key=lambda one: one.at)
    times = [one.at for one in raised]
    chatter = chattering(raised)
    gone = fleeting(raised, chatter)
    many = Counter(one.alarm for one in raised)
    top = _frequent(many, len(raised))
    stale = _stale(following.raises, span)
    flooded = floods(times, span.end, operators)
    chatters, fleets = Counter(name for name, _ in chatter), Counter(one.alarm for one in gone)
    priorities = Counter(one.priority for one in raised)
    quiet = {state: _quieted(following.quiets, state, span) for state in (*_KINDS,)}
    known = span.seen > 0
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
            figure("chattering", float(len(chatters)), known=known),
            figure("fleeting", float(len(fleets)), known=known),
            figure("stale", float(len(stale)), known=known),
            figure(
                "top_10_share", 100 * sum(one.share for one in top) if top else None, known=len(raised) >= FEW_NAMES
            ),
            *_priorities(priorities, len(raised)),
            *acknowledging(raised, known=known),
            *_quiet_figures(following.quiets, quiet[AlarmState.SHELVED], span, known=known),
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
    """A rate is told once its own time was seen: of a quarter of an hour nobody knows how a day is."""
    seen = span.seen

    def per(length: timedelta) -> float | None:
        seconds = length.total_seconds()
        return len(times) / operators * seconds / seen if seen >= seconds else None

    tens, hours = slots(times, SLOT), slots(times, HOUR)
    crowded = sum(count > 10 * operators for count in tens.values())
    full = sum(count > 30 * operators for count in hours.values())
    return [
        figure("per_day", per(DAY)),
        figure("per_hour", per(HOUR)),
        figure("per_10_min", per(SLOT)),
        figure("most_in_10_min", max(tens.values(), default=0) / operators if seen else None),
        figure("slots_above_10", _part(crowded * SLOT.total_seconds(), seen)),
        figure("hours_above_30", _part(full * HOUR.total_seconds(), seen)),
    ]


def _part(seconds: float, seen: float) -> float | None:
    """In %."""
    return min(100.0, 100 * seconds / seen) if seen else None


def _length(flood: Flood, span: Span) -> float:
    return span.overlap(flood.begin, flood.end)


def _flooded(flooded: Iterable[Flood], span: Span) -> AlarmFigure:
    return figure("time_in_flood", _part(sum(_length(one, span) for one in flooded), span.seen))


def _frequent(many: Counter[str], of: int) -> list[FrequentAlarm]:
    first = sorted(many.items(), key=lambda one: (-one[1], one[0]))[:TOP]
    return [FrequentAlarm(alarm=name, raised=count, share=round(count / of, 6)) for name, count in first]


def _stale(raises: Iterable[Raise], span: Span) -> list[LastingAlarm]:
    """Those that stood for more than 24 h at some time of the span, the longest first; each alarm once."""
    found = dict[str, LastingAlarm]()
    for one in raises:
        over = min(one.over or span.end, span.end)
        if over - one.at > STALE and one.at + STALE < span.end and (one.over is None or one.over > span.begin):
            mine = LastingAlarm(alarm=one.alarm, since=one.at, seconds=(over - one.at).total_seconds())
            found[one.alarm] = max(mine, found.get(one.alarm, mine), key=lambda lasting: lasting.seconds)
    return sorted(found.values(), key=lambda one: (-one.seconds, one.alarm))


def _priorities(many: Counter[AlarmPriority], of: int) -> list[AlarmFigure]:
    def share(*of_them: AlarmPriority) -> float | None:
        return 100 * sum(many[one] for one in of_them) / of if of else None

    known = of >= FEW
    return [
        about("priority_low_medium", share(AlarmPriority.LOW, AlarmPriority.MEDIUM), known=known),
        about("priority_high", share(AlarmPriority.HIGH), known=known),
        about("priority_critical", share(AlarmPriority.CRITICAL), known=known),
    ]


def _quieted(quiets: Iterable[Quiet], state: AlarmState, span: Span) -> Quieted:
    """How often, and the longest; of each the part that lies in the span."""
    mine = [one for one in quiets if one.state is state and span.overlap(one.begin, one.end) > 0]
    lasting = [
        LastingAlarm(alarm=one.alarm, since=max(one.begin, span.begin), seconds=span.overlap(one.begin, one.end))
        for one in mine
    ]
    longest = max(lasting, key=lambda one: (one.seconds, one.alarm), default=None)
    return Quieted(now=sum(one.end is None or one.end > span.end for one in mine), times=len(mine), longest=longest)


def _quiet_figures(quiets: Iterable[Quiet], shelved: Quieted, span: Span, *, known: bool) -> list[AlarmFigure]:
    out = AlarmState.OUT_OF_SERVICE
    silent = sum(one.state is out and not one.said_why and span.overlap(one.begin, one.end) > 0 for one in quiets)
    return [
        figure("shelved_longest", shelved.longest.seconds / 3600 if shelved.longest else 0.0, known=known),
        figure("out_without_why", float(silent), known=known),
    ]
