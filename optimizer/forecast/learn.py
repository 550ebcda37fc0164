"""Learns the forecast of a site from its record, once a day; the days before need not be learned again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.forecast.lessons import HORIZON, Errors, Lesson, Stretch, Weights, lesson
from optimizer.forecast.local_days import DAY
from optimizer.forecast.ridge import fit
from optimizer.record import Vector

LEARNED = 140
"""Days of origins."""
JUDGED = 42
"""Days of errors."""
CAPPED = 60 * DAY
"""Quarters whose highest value bounds what is forecast."""
CAP = 1.1
WEEK = 7 * DAY
NOTHING = Weights(None, None, 0.0, 0.0)


@dataclass(frozen=True)
class Pending:
    """Origins whose targets are not all known yet, and what they are told with."""

    begin: int
    end: int
    weights: Weights


@dataclass(frozen=True)
class Learned:
    """What is known at a quarter, and what learning goes on from."""

    at: int
    lessons: tuple[Lesson, ...]
    """By the week, oldest first."""
    errors: tuple[Errors, ...]
    """By the day, oldest first."""
    pending: tuple[Pending, ...]
    weights: Weights

    @property
    def days(self) -> float:
        """That were learned from."""
        return sum(one.end - one.begin for one in self.lessons) / DAY


def learned(stretch: Stretch, now: int, before: Learned | None) -> Learned:
    """Walks from the last time to now, a day at a time."""
    if before is None or not now - LEARNED * DAY < before.at <= now:
        days = min((now - stretch.first) // DAY, LEARNED + JUDGED)
        before = Learned(now - days * DAY, (), (), (), NOTHING)
    while before.at < now:
        before = _next(stretch, before, min(before.at + DAY, now), now)
    return before


def _next(stretch: Stretch, before: Learned, at: int, now: int) -> Learned:
    """A day later. Weights of days whose errors are too old to be of use are not solved for."""
    judged = at >= now - (JUDGED + 3) * DAY
    pending = [*before.pending, Pending(before.at, at, before.weights)]
    lessons, errors = list(before.lessons), list(before.errors)
    while pending and pending[0].end + HORIZON <= at + 1:
        one = pending.pop(0)
        taught, wrong = lesson(stretch, one.begin, one.end, one.weights if judged else None)
        lessons = _with(lessons, taught)
        errors += [wrong] if wrong is not None and one.weights is not NOTHING else []
    lessons = [one for one in lessons if one.end > at - LEARNED * DAY]
    errors = [one for one in errors if one.origins[-1] >= at - (JUDGED + 3) * DAY]
    weights = _weights(stretch, lessons, at) if judged else NOTHING
    return Learned(at, tuple(lessons), tuple(errors), tuple(pending), weights)


def _with(lessons: list[Lesson], taught: Lesson) -> list[Lesson]:
    """The lessons and one more: added to the last one until that has a week."""
    if lessons and taught.end - lessons[-1].begin <= WEEK:
        return [*lessons[:-1], lessons[-1] + taught]
    return [*lessons, taught]


def _weights(stretch: Stretch, lessons: Sequence[Lesson], at: int) -> Weights:
    over = at - stretch.first
    return Weights(
        fit([one.load for one in lessons]),
        fit([one.pv for one in lessons]),
        _most(stretch.load[:over]),
        _most(stretch.pv[:over]),
    )


def _most(values: Vector) -> float:
    last = values[-CAPPED:]
    last = last[np.isfinite(last)]
    return CAP * float(last.max(initial=0.0))
