"""The figures of a time that is over, or of one that is not yet: out of the journal. Pure."""

from collections.abc import Iterable
from datetime import datetime

from consumers.alarms.figures.following import Following
from consumers.alarms.figures.span import Span
from consumers.alarms.figures.tally import tally
from schemas.alarm_figures import AlarmFigures
from schemas.messages import Alarm

Change = tuple[str, Alarm]


def figures_of(
    before: Iterable[Change], during: Iterable[Change], span: Span, at: datetime, operators: int = 1
) -> AlarmFigures:
    """`before`: at least the last change of each alarm before the span; `during`: those in it, oldest first."""
    following = Following()
    for name, alarm in before:
        following.hear(name, alarm)
    for name, alarm in during:
        following.hear(name, alarm)
    return tally(following, span, at, operators)
