"""Hours and days as tariffs write them: on the local clock of a site, with public holidays."""

import re
from collections.abc import Sequence
from datetime import date, time
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from schemas.holidays import Holidays
from schemas.shape import Shape


def _clock(given: object) -> object:
    """A local time. A number would be taken for seconds, and a time with a zone belongs to no clock of the site."""
    if isinstance(given, time) and given.tzinfo is None:
        return given
    if isinstance(given, str) and (part := re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", given.strip())):
        hour, minute, second = (int(one or 0) for one in part.groups())
        if (hour, minute, second) == (24, 0, 0):
            return time()
        if hour < 24 and minute < 60 and second < 60:
            return time(hour, minute, second)
    raise ValueError(f'{given!r} is no time of the clock: write it such as "16:00", without a zone')


Clock = Annotated[time, BeforeValidator(_clock)]
"""Local time of the site, `16:00` or `16:00:00`; `24:00` is midnight, too."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours(Shape):
    """Some hours of some days."""

    start: Clock | None = None
    """Local time of the site."""
    end: Clock | None = None
    """Local time of the site; an end before the start crosses midnight."""
    days: list[Day] | None = None
    """Every day when left out. A public holiday is a `holiday`, or, where nothing beside this names one, a `sun`."""
    months: Annotated[list[Annotated[int, Field(ge=1, le=12)]], Field(min_length=1)] | None = None
    """1 to 12; every month when left out."""


class ByTheHour(Shape):
    """What holds in some hours and not in others."""

    _holidays: Holidays = PrivateAttr(default=Holidays())

    @property
    def hours_of(self) -> Sequence[Hours]:
        """All of them that it names."""
        raise NotImplementedError

    def days_of(self, day: date) -> Day:
        """Which day of its hours a date is."""
        if day not in self._holidays:
            return WEEK[day.weekday()]
        return "holiday" if self._names_holidays else "sun"

    @cached_property
    def _names_holidays(self) -> bool:
        return any("holiday" in (hours.days or ()) for hours in self.hours_of)
