"""Learns the forecast of a site from its record, once a day; the days before need not be learned again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.forecast.lessons import HORIZON, LEADS, Compared, Errors, Lesson, Posed, Stretch, Weights, pose
from optimizer.forecast.local_days import DAY, LocalDays
from optimizer.forecast.ridge import fit
from optimizer.forecast.skill import DAYS as SKILL
from optimizer.forecast.skill import Tally, tally
from optimizer.forecast.uncertainty import Uncertainty, clocks_of
from optimizer.record import Vector

LEARNED = 364
"""Days of origins."""
HALF = 90.0
"""Days after which an origin counts half."""
JUDGED = 42
"""Days of errors."""
CAPPED = 60 * DAY
"""Quarters whose highest value bounds what is forecast."""
CAP = 1.1
FEWEST = 21
"""Days of load that were learned from; with fewer the simple forecast is the better one, and nothing is judged."""
HOURS = 24
"""Origins of a day."""
WEEK = 7 * DAY
WEEKS = LEARNED // 7
NOTHING = Weights(None, None, 0.0, 0.0)


@dataclass(frozen=True)
class Pending:
    """Origins whose targets are not all known yet, and how far off they were believed to be."""

    posed: Posed
    doubt: Uncertainty | None


@dataclass(frozen=True)
class Learned:
    """What is known at a quarter, and what learning goes on from."""

    at: int
    lessons: tuple[Lesson, ...]
    """By the week, oldest first."""
    errors: tuple[Errors, ...]
    """By the day, oldest first."""
    tallies: tuple[Tally, ...]
    """By the day, oldest first: of the forecasts as they would have been told then."""
    pending: tuple[Pending, ...]
    weights: Weights
    doubt: Uncertainty | None

    @property
    def days(self) -> float:
        """That were learned from."""
        return days_of(self.lessons)


def days_of(lessons: Sequence[Lesson]) -> float:
    """Days whose load was known."""
    return sum(float(one.load.count[0]) for one in lessons) / HOURS


def learned(stretch: Stretch, now: int, before: Learned | None) -> Learned:
    """Walks from the last time to now, a day at a time."""
    if before is None or not now - LEARNED * DAY < before.at <= now:
        days = min((now - stretch.first) // DAY, LEARNED + JUDGED)
        before = Learned(now - days * DAY, (), (), (), (), NOTHING, None)
    judged, tallied = _begin_of(stretch, now, JUDGED), _begin_of(stretch, now, SKILL)
    while before.at < now:
        at = min(before.at + DAY, now)
        before = _next(stretch, before, at, judged=at >= judged, tallied=at >= tallied)
    return before


def _begin_of(stretch: Stretch, now: int, days: int) -> int:
    """From when on there are so many known days, and the three whose targets are not over."""
    known = np.flatnonzero(np.isfinite(stretch.load + stretch.pv)[: now - stretch.first]) + stretch.first
    enough = days * DAY
    return min(int(known[-enough]) if len(known) >= enough else stretch.first, now) - 3 * DAY


def _next(stretch: Stretch, before: Learned, at: int, *, judged: bool, tallied: bool) -> Learned:
    """A day later. What is too old to be judged is not told anew."""
    weights = None if before.weights is NOTHING else before.weights
    pending = [*before.pending, Pending(pose(stretch, before.at, at, weights), before.doubt)]
    lessons, errors, tallies = list(before.lessons), list(before.errors), list(before.tallies)
    while pending and pending[0].posed.end + HORIZON <= at + 1:
        one = pending.pop(0)
        taught, compared = one.posed.lesson(stretch), one.posed.compared(stretch)
        lessons = _with(lessons, taught) if taught.teaches else lessons
        if compared is not None and compared.knows:
            errors.append(compared.errors)
            tallies.append(_tally(stretch.local, compared, one.doubt))
    lessons, errors = lessons[-WEEKS:], errors[-JUDGED:]
    return Learned(
        at,
        tuple(lessons),
        tuple(errors),
        tuple(tallies[-SKILL:]),
        tuple(pending),
        _weights(stretch, lessons, at) if judged and days_of(lessons) >= FEWEST else NOTHING,
        Uncertainty.of([*errors, *_young(stretch, pending, at)], stretch.local, at) if tallied else None,
    )


def _young(stretch: Stretch, pending: Sequence[Pending], at: int) -> list[Errors]:
    """What is known already of the errors of the last days: a change is seen the next morning."""
    over = stretch.until(at)
    each = [one.posed.compared(over) for one in pending]
    return [one.errors for one in each if one is not None and one.knows]


def _tally(local: LocalDays, one: Compared, doubt: Uncertainty | None) -> Tally:
    (load, pv), (told_load, told_pv) = one.came, one.told
    bands = None if doubt is None else doubt.bands(told_load, told_pv, LEADS, clocks_of(local, one.origins))
    return tally((load, pv, load - pv), (told_load, told_pv, told_load - told_pv), bands)


def _with(lessons: list[Lesson], taught: Lesson) -> list[Lesson]:
    """The lessons and one more: added to the last one until that has a week."""
    if lessons and taught.end - lessons[-1].begin <= WEEK:
        return [*lessons[:-1], lessons[-1] + taught]
    return [*lessons, taught]


def _weights(stretch: Stretch, lessons: Sequence[Lesson], at: int) -> Weights:
    over = at - stretch.first
    counting = [0.5 ** ((at - one.end) / DAY / HALF) for one in lessons]
    return Weights(
        fit([one.load for one in lessons], counting),
        fit([one.pv for one in lessons], counting),
        _most(stretch.load[:over]),
        _most(stretch.pv[:over]),
    )


def _most(values: Vector) -> float:
    last = values[-CAPPED:]
    last = last[np.isfinite(last)]
    return CAP * float(last.max(initial=0.0))
