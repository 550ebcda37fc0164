"""What energy costs: time of use, day-ahead prices, and the billed peak. The only file in kW and kWh."""

from datetime import time
from typing import Annotated, Literal

from pydantic import Field

from schemas.profile import Shape
from schemas.units import Number

Clock = Annotated[time, Field(strict=False)]
"""Local time of the site, `16:00` or `16:00:00`."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Period(Shape):
    """A price for some hours. The first period that matches holds; the last should match always."""

    price: Number
    """Per kWh."""
    start: Clock | None = None
    """Local time of the site."""
    end: Clock | None = None
    """Local time of the site; an end before the start crosses midnight."""
    days: list[Day] | None = None
    """Every day when left out."""
    months: Annotated[list[Annotated[int, Field(ge=1, le=12)]], Field(min_length=1)] | None = None
    """1 to 12; every month when left out."""


class DayAhead(Shape):
    """Market prices from a CSV (`timestamp_utc,price_eur_per_mwh`, may be gzipped)."""

    file: str
    """Relative to the tariff file."""
    plus: Number = 0.0
    """Added per kWh: grid fees, taxes, supplier."""
    times: Number = 1.0
    """A factor on the market price, such as 1.19 for the tax on it."""
    floor: Number | None = None
    """The price never falls below this."""
    repeat: bool = False
    """Beyond the file's end take the same weekday and season of a year it has: for simulations."""


class Demand(Shape):
    """A price for the highest mean import of a billing interval in a calendar month."""

    price: Annotated[float, Field(ge=0)]
    """Per kW and month."""
    minutes: Literal[15, 30, 60] = 15
    """Length of a billing interval."""


class Side(Shape):
    """One direction: either periods or day-ahead prices."""

    period: list[Period] = []
    """Prices by time of use."""
    day_ahead: DayAhead | None = None
    """Market prices, instead of periods."""


class Tariff(Shape):
    """A tariff file."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217."""
    import_: Side = Field(alias="import")
    """What a drawn kWh costs."""
    export: Side = Side()
    """What is paid for a fed-in kWh."""
    demand: Demand | None = None
    """What the highest draw of a month costs."""
