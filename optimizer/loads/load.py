"""A flexible load as a plan sees it, and the times within which it may not be switched. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

from schemas.messages import LoadState
from schemas.profile import Profile
from schemas.site_loads import FlexibleLoad
from schemas.tariff_hours import WEEK

HOUR = 3600.0
LEVELS = (0.25, 0.5, 0.75, 1.0)
"""Shares of its rating that a dimmable load is planned at; below `least` none."""


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
        """Seconds in which it may be touched, by quarters of an hour; no more are counted than are wanted."""
        if not self.rule.hours:
            return (end - start).total_seconds()
        found, at = 0.0, start
        while at < end and found <= wanted:
            following = min(at + timedelta(minutes=15), end)
            found += (following - at).total_seconds() if self.free(at) else 0.0
            at = following
        return found

    def deadline(self, after: datetime) -> datetime | None:
        """The next one later than a moment; None for a load without."""
        if self.rule.deadline is None:
            return None
        first = after.astimezone(self.zone).date()
        for days in range(9):  # a week, and what a change of the clocks moves
            day = first + timedelta(days=days)
            at = datetime.combine(day, self.rule.deadline, self.zone)
            if at > after and WEEK[day.weekday()] in (self.rule.days or WEEK):
                return at
        return None


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


def state_of(said: LoadState | None, at: datetime) -> LoadNow | None:
    """What dispatch has said of a load, for a plan that begins at a moment."""
    if said is None:
        return None
    starts = [(at - start).total_seconds() for start in said.starts]
    seconds = max(0.0, (at - said.since).total_seconds())
    return LoadNow(said.on, seconds, [age for age in starts if 0 <= age < HOUR], said.value, said.taken)


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
