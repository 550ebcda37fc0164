"""What a demand charge bills: the mean import of a window, and the highest one of a period. Pure.

A window's mean is what was imported in it, over the time that was covered. Only import is billed: what was fed in
within the same window takes nothing off. A window of which too little was seen says nothing; live readings
(`optimizer.running_window`) and the archive's quarters of an hour come to the same number by the same rule.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from optimizer.demand import MONTHLY, Charged, counts, period
from optimizer.tariff import window
from schemas.tariff import Demand

HOLD = 60.0
"""Seconds a reading may stand for; a longer silence was not seen."""
QUARTER = 15
"""Minutes of what the archive has."""
MOST = 1e12
"""W: what is beyond no plant has, and its sums would overflow."""
COMPLETE = 0.9
"""A window of which less was covered says nothing about the peak."""


class Quarter(NamedTuple):
    """What the grid meter saw of a quarter of an hour."""

    at: datetime
    """When it begins, in UTC."""
    imported: float
    """Wh; what was fed in meanwhile is not taken off."""
    seconds: float
    """That are covered by readings."""


def believed(found: Iterable[Quarter]) -> list[Quarter]:
    """Without powers that no plant has."""
    return [one for one in found if one.imported <= MOST / 4]


def rarely_read(poll: float) -> bool:
    """Of a meter that is read each `poll` seconds: whether a minute may pass without a reading."""
    return 2 * poll > HOLD


def quarter(at: datetime, imported: float, seconds: float, readings: int, poll: float) -> Quarter:
    """As the archive has it. There a reading stands no longer than its minute where the next one has none: of a meter
    that is read rarely each counts for its whole time."""
    if not rarely_read(poll) or seconds <= 0:
        return Quarter(at, max(0.0, imported), min(seconds, 900.0))
    whole = min(readings * min(HOLD, poll), 900.0)
    return Quarter(at, max(0.0, imported) * whole / seconds, whole)


class Window(NamedTuple):
    """What was seen of a billing window."""

    start: datetime
    imported: float
    """Wh."""
    seconds: float
    """That are covered."""

    @property
    def mean(self) -> float:
        """W over the time that was covered; 0 where nothing was."""
        return self.imported * 3600 / self.seconds if self.seconds > 0 else 0.0


class Seen(NamedTuple):
    """Of a period: its highest window, and how many were over, and were seen enough to be billed."""

    highest: Window | None = None
    over: int = 0
    billed: int = 0

    @property
    def share(self) -> float:
        """How much of it is known, from 0 to 1; all, where no window is over yet."""
        return self.billed / self.over if self.over else 1.0

    def plus(self, other: "Seen") -> "Seen":
        """Two parts of one period."""
        return Seen(higher(self.highest, other.highest), self.over + other.over, self.billed + other.billed)


def least_seen(minutes: int, poll: float) -> float:
    """Seconds of a window that must be covered, for a meter read each `poll` seconds. Of one that is read more rarely
    than a reading may stand for, the share it can cover, and one reading less."""
    possible = 60 * minutes * min(1.0, HOLD / poll)
    return min(COMPLETE * possible, possible - HOLD)


def is_billed(one: Window, demand: Demand, poll: float, zone: ZoneInfo) -> bool:
    """Whether a window that is over counts: enough of it was seen, and the component counts its hours."""
    seen = one.seconds > 0 and one.seconds >= least_seen(demand.minutes, poll) - 1e-6
    return seen and counts(demand, one.start, zone)


def windows(quarters: Iterable[Quarter], demand: Demand, zone: ZoneInfo) -> dict[datetime, Window]:
    """Quarters of an hour as the windows they lie in; these stand on the local clock.

    Windows that slide are those that begin with a quarter: what slides by less is not measured in between.
    """
    found: dict[datetime, Window] = {}
    for at, imported, seconds in quarters:
        for start in around(at, demand, zone):
            one = found.get(start, Window(start, 0.0, 0.0))
            found[start] = Window(start, one.imported + imported, one.seconds + seconds)
    return found


def around(quarter: datetime, demand: Demand, zone: ZoneInfo) -> list[datetime]:
    """The beginnings of the windows that a quarter lies in."""
    last = quarter if step_of(demand) == QUARTER else window(quarter, zone, step_of(demand))[0]
    return [last - timedelta(minutes=back) for back in range(0, demand.minutes, step_of(demand))]


def step_of(demand: Demand) -> int:
    """Minutes from the beginning of a window to that of the next. All zones' offsets are whole quarters of an hour."""
    return max(demand.sliding, QUARTER) if demand.sliding else demand.minutes


def overlap(demand: Demand) -> timedelta:
    """So far a window reaches into those after it; nothing where they do not slide."""
    return timedelta(minutes=demand.minutes - step_of(demand))


def peaks_by_period(  # noqa: PLR0917  # what was seen, what is billed, and when: they read well in a row
    seen: Mapping[datetime, Window],
    demand: Demand,
    poll: float,
    zone: ZoneInfo,
    begin: datetime,
    end: datetime,
    how: Charged = MONTHLY,
) -> dict[datetime, Seen]:
    """Of each period (as a rule a month) that the windows of a span touch, by its beginning in UTC: the highest window.

    `begin` is the start of a window; windows that end after `end` are not over. A window is of the period it lies in:
    one that slides over the end of a period is of none.
    """
    found = dict[datetime, Seen]()
    while begin < end:
        first, over = period(begin, zone, how)
        last = min(over, end)
        mine = [one for one in _starts(begin, last, end, demand, zone) if counts(demand, one, zone)]
        billed = [one for at in mine if (one := seen.get(at)) is not None and is_billed(one, demand, poll, zone)]
        if mine:
            peak = max(billed, key=lambda one: one.mean, default=None)
            found[first] = Seen(peak, len(mine), len(billed))
        begin = last
    return found


def _starts(begin: datetime, last: datetime, end: datetime, demand: Demand, zone: ZoneInfo) -> Iterator[datetime]:
    """Of the windows that begin before `last` and are over at `end`."""
    length, (start, after) = timedelta(minutes=demand.minutes), window(begin, zone, step_of(demand))
    while start < last and start + length <= end:
        yield start
        start, after = window(after, zone, step_of(demand))


def higher(one: Window | None, other: Window | None) -> Window | None:
    """Of two windows; of equal ones the first."""
    if one is None or other is None:
        return one or other
    return other if other.mean > one.mean else one


def within(found: Mapping[datetime, Seen], begin: datetime, end: datetime) -> Seen:
    """The months of a longer period as one."""
    mine = Seen()
    for at in sorted(found):
        if begin <= at < end:
            mine = mine.plus(found[at])
    return mine
