"""What a site pays: energy in layers, export alike, what is billed by the kW, and by the month. The only file in kW and
kWh."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator, field_validator, model_validator

from schemas.holidays import LOOKS_LIKE, Holidays, known
from schemas.shape import Shape
from schemas.tariff_demand import Contract, Demand, KnownPeak, Price, Ratchet
from schemas.tariff_hours import WEEK, ByTheHour, Clock, Day, Hours
from schemas.units import CURRENCY, Number

__all__ = [
    "WEEK", "Clock", "Contract", "Day", "DayAhead", "Demand", "Hours", "KnownPeak", "Layer", "Layered", "Period",
    "Priced", "Ratchet", "Reactive", "Side", "Tariff", "Unpaid",
]  # fmt: skip


def _written(given: object) -> object:
    return given.isoformat() if isinstance(given, date) else given


def _known(text: str) -> str:
    known(text)
    return text


Holiday = Annotated[str, BeforeValidator(_written), AfterValidator(_known), Field(examples=[LOOKS_LIKE])]


class Period(Hours):
    """A price for some hours. The first period that matches holds; the last should match always: in hours without a
    price a plan takes the dearest one for what is drawn and the lowest for what is fed in, and says so."""

    price: Number
    """Per kWh."""


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


class Priced(ByTheHour):
    """A price per kWh: by periods or by the market."""

    period: list[Period] = []
    """Prices by time of use."""
    day_ahead: DayAhead | None = None
    """Market prices, instead of periods."""

    @property
    def hours_of(self) -> Sequence[Hours]:
        return self.period


class Layer(Priced):
    """A part of a price, added to those above it: a grid fee by the hour, a levy, a tax. It is one of `period`,
    `day_ahead`, `price` and `percent`."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    """What it is: `grid fee`, `electricity tax`, `VAT`."""
    price: Number | None = None
    """Per kWh, at any time."""
    percent: Annotated[float, Field(gt=-100, le=200, allow_inf_nan=False)] | None = None
    """Of the sum of all above it in the file: 19 for a tax of 19 %."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = {"period": self.period, "day_ahead": self.day_ahead}
        given = [name for name, what in kinds.items() if what]
        given += [name for name in ("price", "percent") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "has no price"
            raise ValueError(f"the layer {self.name!r} {said}: give one of period, day_ahead, price and percent")
        return self


class Unpaid(Shape):
    """Nothing is paid for what is fed in while the market is below a price (§ 51 EEG: in hours of negative prices)."""

    day_ahead: DayAhead
    """The market that is looked at."""
    below: Number = 0.0
    """Per kWh of that market price; 0 for negative ones."""


class Side(Priced):
    """One direction: periods or day-ahead prices, and layers upon them."""

    layer: list[Layer] = []
    """What is added, in this order."""
    unpaid: Unpaid | None = None
    """Hours in which nothing is paid, whatever the price is: for what is fed in."""

    @property
    def layers(self) -> "list[Layered]":
        """All that its price is the sum of, each with its place below the side."""
        first: list[Layered] = [("", self)] if self.period or self.day_ahead else []
        return [*first, *((f"layer.{number}", one) for number, one in enumerate(self.layer))]

    @property
    def markets(self) -> dict[str, DayAhead]:
        """All market prices it looks at, by their place below the side, such as `layer.0`; `` of its own."""
        found = {place: one.day_ahead for place, one in self.layers if one.day_ahead}
        return found | ({"unpaid": self.unpaid.day_ahead} if self.unpaid else {})


Layered = tuple[str, Priced]
"""A place below a side, and what is priced there."""


class Reactive(Shape):
    """A price for reactive energy beyond a power factor."""

    cos_phi: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.9
    """Down to this power factor it is free: at 0.9, 0.484 kvarh a kWh."""
    price: Price
    """Per kvarh beyond, of a month."""


def _each(given: object, several: Callable[[object], list[Demand]]) -> list[Demand]:
    """One `[demand]`, or each `[[demand]]`."""
    if isinstance(given, Demand):
        return [given]
    return [Demand.model_validate(given)] if isinstance(given, dict) else several(given)


class Tariff(Shape):
    """A tariff file."""

    holidays: list[Holiday] = []
    """Public holidays of the site: dates (`"2026-12-25"`), or rules that need no new list each year: `"12-25"`,
    `"easter+1"`, `"4 thu nov"`, `"last mon may"`; or a country or its state with all it has: `"DE-BW"`. For prices
    and for the load they are like Sundays."""

    currency: Annotated[str, Field(pattern=CURRENCY)] = "EUR"
    """ISO 4217."""
    import_: Side = Field(alias="import")
    """What a drawn kWh costs."""
    export: Side = Side()
    """What is paid for a fed-in kWh."""
    demand: Annotated[list[Demand], WrapValidator(_each, json_schema_input_type=Demand | list[Demand])] = []
    """What the highest draw of a month or of a year costs: one `[demand]`, or a `[[demand]]` for each of several."""
    fixed: Price = 0.0
    """Per month, whatever is used."""
    minimum: Price = 0.0
    """A month costs this at least, all together."""
    reactive: Reactive | None = None
    """What reactive energy costs."""

    @model_validator(mode="after")
    def _parts_know_the_holidays(self) -> Self:
        sides = (self.import_, self.export)
        for part in (*sides, *(one for side in sides for one in side.layer), *self.demand):
            part._holidays = self.days_off
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.demand]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'two [[demand]] are called "{twice}": give each its own name, such as "on-peak"')
        return self

    @model_validator(mode="after")
    def _only_a_feed_in_is_unpaid(self) -> Self:
        if self.import_.unpaid:
            raise ValueError("import.unpaid: only what is fed in can be unpaid: write [export.unpaid]")
        return self

    @property
    def components(self) -> tuple[Demand, ...]:
        """What is paid by the kW, each with its own intervals and periods."""
        return tuple(self.demand)

    @property
    def markets(self) -> dict[str, DayAhead]:
        """All market prices by their place in the file: `import`, `import.layer.0`, `export.unpaid`."""
        sides = {"import": self.import_, "export": self.export}
        return {
            f"{name}.{place}".removesuffix("."): rule
            for name, side in sides.items()
            for place, rule in side.markets.items()
        }

    @cached_property
    def days_off(self) -> Holidays:
        """Its holidays, to ask for a date."""
        return Holidays(self.holidays)
