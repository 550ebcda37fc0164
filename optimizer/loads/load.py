"""A flexible load as a plan sees it, and the times within which it may not be switched. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

from schemas.messages import LoadState
from schemas.profile import Profile
from schemas.site_loads import FlexibleLoad
from schemas.tariff_hours import WEEK

HOUR = 3600.0
LEVELS = (0.25, 0.5, 0.75, 1.0)
"""Shares of its rating that a dimmable load is planned at; below `least` none."""
SLOWEST = 0.2
"""Of its rating: what draws less while it is on is nearly full, or has a fault, and is no pace to plan by."""


@dataclass(frozen=True)
class Load:
    """What does not change."""

    rule: FlexibleLoad
    rated: float
    """W."""
    zone: ZoneInfo
    dims: bool = False

    @classmethod
    def of(cls, rule: FlexibleLoad, profile: Profile, rated: float, zone: ZoneInfo) -> "Load":
        """Of the site file."""
        return cls(rule, rated, zone, rule.dims(profile))

    @property
    def name(self) -> str:
        return self.rule.device

    @property
    def shares(self) -> tuple[float, ...]:
        """Of its rating, that it can run at."""
        least = self.rule.least / 100
        return (
            tuple(sorted({*(one for one in LEVELS if one > least), *([least] if least else [])}))
            if self.dims
            else (1.0,)
        )

    @property
    def safe(self) -> float:
        """W while nobody tells it anything."""
        return self.rated if self.rule.fallback == "on" else 0.0

    @property
    def planned(self) -> bool:
        """It has a purpose that a plan can serve."""
        return self.rule.planned

    def free(self, at: datetime) -> bool:
        """Whether it may be touched at a moment."""
        local = at.astimezone(self.zone)
        if not self.rule.hours:
            return True
        for hours in self.rule.hours:
            clock, late = local.time(), hours.end <= hours.start
            after_midnight = late and clock < hours.end
            day = WEEK[(local - timedelta(days=1)).weekday()] if after_midnight else WEEK[local.weekday()]
            inside = (clock >= hours.start or after_midnight) if late else hours.start <= clock < hours.end
            if inside and day in (hours.days or WEEK):
                return True
        return False

    def within(self, start: datetime, end: datetime, wanted: float = inf) -> float:
        """Seconds in which it may be touched, to the minute; no more are counted than are wanted."""
        if not self.rule.hours:
            return (end - start).total_seconds()
        found, at = 0.0, start.astimezone(UTC)
        while at < end and found <= wanted:
            following = min(_following(at, 15), end)
            if self.free(at) is not self.free(following - timedelta(seconds=1)):  # they begin or end in it
                following = min(_following(at, 1), end)
            found += (following - at).total_seconds() if self.free(at) else 0.0
            at = following
        return found

    def ends_at(self, at: datetime) -> bool:
        """A moment is a deadline of it: so not one that the site file had before."""
        return self.deadline(at - timedelta(seconds=1)) == at

    def lasts(self, at: datetime) -> bool:
        """It may be touched long enough for its minimum time on, if it is started then and stops by itself after."""
        least = self.rule.minimum_on
        until = at + timedelta(seconds=least)
        return self.rule.fallback == "on" or not least or self.within(at, until) >= least

    def deadline(self, after: datetime) -> datetime | None:
        """The next one later than a moment; None for a load without."""
        if self.rule.deadline is None:
            return None
        first = after.astimezone(self.zone).date()
        for days in range(9):  # a week, and what a change of the clocks moves
            day = first + timedelta(days=days)
            # in UTC: two moments of one zone are compared, and taken from another, by what its clocks show
            at = datetime.combine(day, self.rule.deadline, self.zone).astimezone(UTC)
            if at > after and WEEK[day.weekday()] in (self.rule.days or WEEK):
                return at
        return None


def _following(at: datetime, minutes: int) -> datetime:
    """The next moment at which the clock shows a multiple of so many minutes."""
    return at.replace(minute=at.minute - at.minute % minutes, second=0, microsecond=0) + timedelta(minutes=minutes)


@dataclass(frozen=True)
class LoadNow:
    """What was measured of it."""

    on: bool = False
    seconds: float = inf
    """Since it was switched on or off last."""
    starts: Sequence[float] = ()
    """Seconds since each start of the last hour."""
    value: float | None = None
    """The point of its comfort band; None while that is not known."""
    taken: float = 0.0
    """Wh since the last deadline."""
    pace: float | None = None
    """W that it was measured to draw lately when it was fully on; None while that is not known."""


def state_of(said: LoadState | None, at: datetime) -> LoadNow | None:
    """What dispatch has said of a load, for a plan that begins at a moment."""
    if said is None:
        return None
    starts = [(at - start).total_seconds() for start in said.starts]
    seconds = max(0.0, (at - said.since).total_seconds())
    ages = [age for age in starts if 0 <= age < HOUR]
    return LoadNow(said.on, seconds, ages, said.value, said.taken, said.pace)


def paced(load: Load, now: LoadNow | None) -> Load:
    """A switched load with what it really draws in place of its rating; a dimmable one is planned by its shares."""
    if now is None or now.pace is None or load.dims:
        return load
    return replace(load, rated=pace(load, now))


def pace(load: Load, now: LoadNow) -> float:
    """W at which it takes its energy."""
    return load.rated if now.pace is None else min(load.rated, max(now.pace, SLOWEST * load.rated))


def must_stay(load: Load, now: LoadNow) -> float:
    """Seconds for which it must not be switched: its minimum time, and its starts per hour."""
    if now.on:
        return max(0.0, load.rule.minimum_on - now.seconds)
    rests, most = max(0.0, load.rule.minimum_off - now.seconds), load.rule.starts_per_hour
    lately = sorted(one for one in now.starts if one < HOUR)
    if most is not None and len(lately) >= most:
        rests = max(rests, HOUR - lately[most - 1])
    return rests


def to_go(load: Load, now: LoadNow) -> float:
    """Wh it must still take until its deadline."""
    return max(0.0, (load.rule.energy or 0.0) - now.taken)
