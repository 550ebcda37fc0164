"""What is paid by the kW: the highest draw of a month or year, with its hours, ratchet and contracted capacity."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.shape import Shape
from schemas.tariff_hours import ByTheHour, Hours
from schemas.units import CalendarDay

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kilowatts = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Month = Annotated[int, Field(ge=1, le=12)]


class KnownPeak(Shape):
    """A peak that stands on a bill, from before it could be measured here."""

    peak: Kilowatts
    """kW."""
    on: CalendarDay
    """The day it was made: it counts in the month or year this day lies in, and for a ratchet in the months after."""


class Ratchet(Shape):
    """A part of the highest peak of the months before is billed at least."""

    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    """0.8 for 80 %."""
    months: Annotated[int, Field(ge=1, le=24)]
    """So many months before the present one are looked at, such as 11."""
    made_in: Annotated[list[Month], Field(min_length=1)] | None = None
    """Only peaks of these months ratchet, 1 to 12: such as a summer's. Every month when left out."""


class Contract(Shape):
    """A contracted capacity: paid whether it is used or not, with a penalty for what is drawn beyond it."""

    power: Kilowatts
    """kW."""
    price: Price = 0.0
    """Per contracted kW and month, or per kW and year."""
    penalty: Price = 0.0
    """Per kW of the highest interval beyond the contract, each month or year, beside the demand's `price`."""
    limit: bool = False
    """The plan keeps to it as to `import_limit`, in the hours it counts in."""


class Demand(ByTheHour):
    """A price for the highest mean import of a billing interval in a calendar month, or in a year."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = "demand"
    """As on the bill; each of several needs its own."""
    price: Price | None = None
    """Per kW and month, or per kW and year: that of a year is due whole for its highest interval. Beside a contract it
    may be left out."""
    per: Literal["month", "year"] = "month"
    """What the highest interval is looked for in."""
    year_begins: Month = 1
    """The month with whose first day a billing year begins."""
    minutes: Literal[15, 30, 60] = 15
    """Length of a billing interval."""
    sliding: Literal[1, 5, 10, 15, 30] | None = None
    """An interval begins each so many minutes, and overlaps those before; one after the other when left out."""
    hours: list[Hours] = []
    """An interval counts when it begins in one of these; each interval when left out."""
    floor: Price = 0.0
    """kW that are billed at least: to keep a peak below them is worth nothing (Flanders: 2.5)."""
    ratchet: Ratchet | None = None
    """What the peaks of earlier months still cost; `known` tells those from before it could be measured here."""
    contract: Contract | None = None
    """A contracted capacity."""
    known: list[KnownPeak] = []
    """Peaks that are billed already."""

    @property
    def hours_of(self) -> Sequence[Hours]:
        return self.hours

    @property
    def rate(self) -> float:
        """Per kW of the highest interval, without what a contract adds."""
        return self.price or 0.0

    @model_validator(mode="after")
    def _only_a_year_begins(self) -> Self:
        if self.per == "month" and "year_begins" in self.model_fields_set:
            raise ValueError('year_begins is the month a billing year begins with: write per = "year" beside it')
        return self

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if self.price is None and self.contract is None:
            raise ValueError("price is missing: what a kW costs; only beside a contract it may be left out")
        return self

    @model_validator(mode="after")
    def _ratchets_by_the_month(self) -> Self:
        if self.ratchet and self.per == "year":
            raise ValueError('ratchet counts months: write per = "month", with the price per kW and month')
        return self

    @model_validator(mode="after")
    def _slides_within_an_interval(self) -> Self:
        if self.sliding and (self.sliding >= self.minutes or self.minutes % self.sliding):
            right = "leave it out for intervals that follow each other"
            raise ValueError(f"sliding = {self.sliding} does not divide {self.minutes} min into parts: {right}")
        return self
