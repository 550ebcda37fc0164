"""What energy costs: time of use, day-ahead prices, and the billed peak. The only file in kW and kWh."""

import re
from datetime import date, time
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from schemas.holidays import LOOKS_LIKE, Holidays, rule
from schemas.shape import Shape
from schemas.units import Number


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


def _written(given: object) -> object:
    return given.isoformat() if isinstance(given, date) else given


def _known(text: str) -> str:
    rule(text)
    return text


Holiday = Annotated[str, BeforeValidator(_written), AfterValidator(_known), Field(examples=[LOOKS_LIKE])]


class Period(Shape):
    """A price for some hours. The first period that matches holds; the last should match always: in hours without a
    price a plan takes the dearest one for what is drawn and the lowest for what is fed in, and says so."""

    price: Number
    """Per kWh."""
    start: Clock | None = None
    """Local time of the site."""
    end: Clock | None = None
    """Local time of the site; an end before the start crosses midnight."""
    days: list[Day] | None = None
    """Every day when left out. A public holiday is a `holiday`, or, where no period of this side names one, a `sun`."""
    months: Annotated[list[Annotated[int, Field(ge=1, le=12)]], Field(min_length=1)] | None = None
    """1 to 12; every month when left out."""


class Fetch(Shape):
    """Fetches market prices from their publisher, once they are out. See [prices](prices.md#fetched)."""

    from_: Literal["entsoe", "awattar", "tibber"] = Field(alias="from")
    """Whose prices; ENTSO-E and Tibber need a token, `JOULEBUS_PRICE_TOKEN_FILE`."""
    url: str = ""
    """Of another server that answers alike; `https`, or this machine."""

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        """A token is sent to it."""
        if url and not re.match(r"https://[^/@\s]+(/\S*)?$|http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?$", url):
            raise ValueError(f"{url!r} is no https:// address: a token is sent there")
        return url


class DayAhead(Shape):
    """Market prices from files as they are published, from a topic, or fetched; the topic holds before the files, and
    those before what is fetched. See [prices](prices.md)."""

    file: str = ""
    """Relative to the tariff file: a file, a folder, or a pattern such as `omie/marginalpdbc_*`."""
    topic: bool = False
    """Prices that are sent on [`market/prices`](topics.md#marketprices) hold, where it has them."""
    fetch: Fetch | None = None
    """Fetched by optimize."""
    area: str = ""
    """Whose prices, where a document has several: a bidding zone by its name or EIC (`"DE-LU"`), of OMIE `"ES"` or
    `"PT"`, of Tibber the home's id."""
    auction: Annotated[int, Field(ge=1, le=9)] = 1
    """Of ENTSO-E, where a zone has several: in DE-LU 1 is the market coupling, 2 is EXAA."""
    part: Literal["energy", "total"] = "energy"
    """Of Tibber: `energy` is the market price, `total` has fee and taxes in it."""
    minutes: Literal[15, 30, 60] | None = None
    """Where a document has two resolutions for the same time, the one that is billed."""
    plus: Number = 0.0
    """Added per kWh: grid fees, taxes, supplier."""
    times: Number = 1.0
    """A factor on the market price, such as 1.19 for the tax on it."""
    floor: Number | None = None
    """The price never falls below this."""
    repeat: bool = False
    """Beyond the file's end take the same weekday and season of a year it has: for simulations."""

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if not (self.file or self.topic or self.fetch):
            raise ValueError('give file = "...", topic = true, or fetch = { from = "..." }')
        if self.fetch is not None and self.fetch.from_ != "tibber" and not self.area:
            raise ValueError('fetch needs the area, such as area = "DE-LU"')
        return self

    @property
    def sources(self) -> str:
        """Where its prices come from, in words."""
        fetched = f"what is fetched from {self.fetch.from_}" if self.fetch else ""
        return " and ".join(filter(None, ("the topic market/prices" if self.topic else "", self.file, fetched)))

    @property
    def many(self) -> bool:
        """Whether it has several sources."""
        return bool(self.topic) + bool(self.file) + (self.fetch is not None) > 1


def _day(given: object) -> object:
    """Also as text: who writes JSON has no dates."""
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError(f'{given!r} is no day: write it such as "2026-02-11"') from None


class KnownPeak(Shape):
    """A peak that stands on a bill, from before it could be measured here."""

    peak: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """kW."""
    on: Annotated[date, BeforeValidator(_day)]
    """The day it was made: it counts in the month or year this day lies in, and in no other."""


class Demand(Shape):
    """A price for the highest mean import of a billing interval in a calendar month, or in a year."""

    price: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Per kW and month, or per kW and year: that of a year is due whole for its highest interval."""
    per: Literal["month", "year"] = "month"
    """What the highest interval is looked for in."""
    year_begins: Annotated[int, Field(ge=1, le=12)] = 1
    """The month with whose first day a billing year begins."""
    minutes: Literal[15, 30, 60] = 15
    """Length of a billing interval."""
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """kW that are billed at least: to keep a peak below them is worth nothing (Flanders: 2.5)."""
    known: list[KnownPeak] = []
    """Peaks that are billed already."""

    @model_validator(mode="after")
    def _only_a_year_begins(self) -> Self:
        if self.per == "month" and "year_begins" in self.model_fields_set:
            raise ValueError('year_begins is the month a billing year begins with: write per = "year" beside it')
        return self


class Side(Shape):
    """One direction: either periods or day-ahead prices."""

    period: list[Period] = []
    """Prices by time of use."""
    day_ahead: DayAhead | None = None
    """Market prices, instead of periods."""

    _holidays: Holidays = PrivateAttr(default=Holidays())

    def days_of(self, day: date) -> Day:
        """Which day of its periods a date is."""
        if day not in self._holidays:
            return WEEK[day.weekday()]
        return "holiday" if self._names_holidays else "sun"

    @cached_property
    def _names_holidays(self) -> bool:
        return any("holiday" in (period.days or ()) for period in self.period)


class Tariff(Shape):
    """A tariff file."""

    holidays: list[Holiday] = []
    """Public holidays of the site: dates (`"2026-12-25"`), or rules that need no new list each year: `"12-25"`,
    `"easter+1"`, `"4 thu nov"`, `"last mon may"`. For prices and for the load they are like Sundays."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217."""
    import_: Side = Field(alias="import")
    """What a drawn kWh costs."""
    export: Side = Side()
    """What is paid for a fed-in kWh."""
    demand: Demand | None = None
    """What the highest draw of a month or of a year costs."""

    @model_validator(mode="after")
    def _sides_know_the_holidays(self) -> Self:
        for side in (self.import_, self.export):
            side._holidays = self.days_off
        return self

    @property
    def components(self) -> tuple[Demand, ...]:
        """What is paid by the kW, each with its own windows and periods."""
        return () if self.demand is None else (self.demand,)

    @cached_property
    def days_off(self) -> Holidays:
        """Its holidays, to ask for a date."""
        return Holidays(self.holidays)
