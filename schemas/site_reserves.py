"""What the plan looks at, and what it keeps beside: a backup, and power and energy that are promised to somebody."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.holidays import Holidays
from schemas.shape import Shape
from schemas.site_battery import Battery
from schemas.tariff_hours import ByTheHour, Hours
from schemas.units import CalendarDay, Name, Watts

Promised = Annotated[Watts, Field(ge=0)]
BACKUP = "backup"
"""What the reserve of `backup_minutes` is called."""


class Planning(Shape):
    """How far the plan looks ahead, in which steps, and what it keeps for the time without a grid."""

    hours: Annotated[float, Field(ge=24, le=48)] = 36.0
    """So far ahead: 36 reach past the next day's evening."""
    step_minutes: Literal[5, 15] = 15
    """Length of a step: 5 where loads change within a quarter of an hour and no forecast misses that."""
    backup_minutes: Annotated[float, Field(ge=0, le=1440)] = 0.0
    """For so long the batteries are to carry the load that is forecast, whenever the grid fails: as much of it as their
    PCS can. The energy stays in them, above `soc_min`, and no price takes it."""


class Reserve(ByTheHour):
    """Power and energy that are promised to somebody: frequency containment (FCR), demand response. While it is offered
    the batteries can give `up` more than planned, or `down` less, for so many minutes."""

    name: Name
    """What it is called in words and in what it costs; each needs its own."""
    up: Promised = 0.0
    """W to give more, or to take less."""
    down: Promised = 0.0
    """W to give less, or to take more."""
    minutes: Annotated[float, Field(gt=0, le=1440)]
    """For so long each of both: 15 or 30 of FCR, what the contract says of demand response."""
    hours: list[Hours] = []
    """It is offered in these; always when left out. A public holiday is as in the tariff file."""
    first: CalendarDay | None = None
    """The first day it is offered on; from now on when left out."""
    last: CalendarDay | None = None
    """The last one; without an end when left out."""

    @property
    def hours_of(self) -> Sequence[Hours]:
        return self.hours

    def knowing(self, days_off: Holidays) -> Self:
        """The same, with the public holidays of the tariff file."""
        found = self.model_copy()
        found._holidays = days_off
        return found

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.up and not self.down:
            raise ValueError(f"reserve {self.name!r} keeps nothing: give `up` or `down` in W, or both")
        if self.first and self.last and self.last < self.first:
            raise ValueError(f"reserve {self.name!r}: `last` {self.last} is before `first` {self.first}")
        return self


def mistakes(reserves: Sequence[Reserve], batteries: Sequence[Battery]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with their names, and where there is nothing to keep."""
    names = [one.name for one in reserves]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield ("reserve", number, "name"), f"two reserves are called {name!r}: give each a name of its own"
        if name == BACKUP:
            yield ("reserve", number, "name"), f"{name!r} is what plan.backup_minutes is called: give it another name"
        if not batteries:
            yield ("reserve", number, "name"), f"reserve {name!r} is kept in batteries, and the site has none"


def impossible(
    reserves: Sequence[Reserve], batteries: Sequence[Battery], rated: float
) -> Iterator[tuple[tuple[str, int, str], str]]:
    """More than the batteries have when they are at their best. `rated` W of their PCS."""
    usable = sum(one.energy * (one.soc_max - one.soc_min) / 100 for one in batteries)
    both = sum(one.energy * one.efficiency for one in batteries) / (sum(one.energy for one in batteries) or 1.0)
    for number, one in enumerate(reserves):
        for key, power in (("up", one.up), ("down", one.down)):
            if power > rated:
                words = f"{power / 1000:g} kW {key} are more than the {rated / 1000:g} kW of all PCS"
                yield ("reserve", number, key), f"reserve {one.name!r}: {words}"
        needs = energy(one, both)
        if needs > usable:
            words = f"{one.minutes:g} min of {one.up / 1000:g} kW up and {one.down / 1000:g} kW down need"
            have = f"the batteries have {usable / 1000:.1f} kWh between soc_min and soc_max"
            yield ("reserve", number, "minutes"), f"reserve {one.name!r}: {words} {needs / 1000:.1f} kWh, and {have}"


def energy(one: Reserve, efficiency: float) -> float:
    """Wh of the cells: what it takes out, and the room for what it puts in."""
    return (one.up / efficiency + one.down * efficiency) * one.minutes / 60
