"""What a kWh costs at an instant, and which billing window it belongs to.

All of it runs on the site's local clock, so a DST night has 92 or 100 quarter hours, each with the price of its hour.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from schemas.tariff import DayAhead, Hours, Layer, Period, Priced, Side
from schemas.tariff_hours import ByTheHour
from schemas.troubles import Trouble

MIDNIGHT = time()
YEAR = 365.2425
"""Days."""
MOST_YEARS = 40
"""So far away a simulation may be from the prices it repeats."""


class Source(StrEnum):
    """Whose price it is."""

    OWN = "own"  # of the tariff, for this hour
    OTHER_YEAR = "other_year"  # repeated because the tariff says so, for simulations
    FORECAST = "forecast"  # beyond what the market has published: told from the last weeks
    OTHER_DAY = "other_day"  # the market has published none: borrowed
    OUTERMOST = "outermost"  # no period holds: the dearest for what is drawn, the lowest for what is fed in


STRANGEST = (Source.OUTERMOST, Source.OTHER_DAY, Source.FORECAST, Source.OTHER_YEAR, Source.OWN)
"""Of a sum of prices, whose it is."""


class Quote(NamedTuple):
    """A price per kWh."""

    price: float
    source: Source = Source.OWN

    def with_(self, other: "Quote") -> "Quote":
        """Their sum."""
        return Quote(self.price + other.price, min(self.source, other.source, key=STRANGEST.index))


NOTHING = Quote(0.0)


@dataclass(frozen=True)
class Series:
    """Market prices per kWh, in the order of their starts. Each holds for `hold`, or until the next of its day."""

    starts: Sequence[datetime]
    prices: Sequence[float]
    hold: timedelta = timedelta(hours=1)
    forecast: "Series | None" = field(default=None, kw_only=True)
    """What is told of the time from its end on, for a plan alone: nobody is billed by it."""

    def at(self, instant: datetime) -> float | None:
        """The price of an instant; None where the series has none."""
        index = bisect_right(self.starts, instant) - 1
        if index < 0 or instant - self.starts[index] >= self.hold:
            return None
        return self.prices[index]

    def known(self, instant: datetime, zone: ZoneInfo) -> float | None:
        """The price of an instant, also of one that the published day leaves out."""
        found = self.at(instant)
        return self.carried(instant, zone) if found is None else found

    def carried(self, instant: datetime, zone: ZoneInfo) -> float | None:
        """The price of an hour that the published day leaves out: it equals the one before (ENTSO-E, curve type A03).

        Only between two prices of one local day, or up to its end where the next day begins: a day that is missing is
        no such hour.
        """
        index = bisect_right(self.starts, instant) - 1
        if index < 0 or index + 1 >= len(self.starts):
            return None
        day = self.starts[index].astimezone(zone).date() + timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        return self.prices[index] if self.starts[index + 1] <= midnight else None

    @property
    def end(self) -> datetime | None:
        """Where the last price ends."""
        return self.starts[-1] + self.hold if self.starts else None


Way = Literal["import", "export"]


def prices(side: Side, instants: Sequence[datetime], zone: ZoneInfo, series: Series | None = None) -> list[float]:
    """The price per kWh at each instant of what is drawn. Raises Trouble where the market has none."""
    return [one.price for one in quotes(side, instants, zone, series)]


def quotes(  # a tariff, a time and what the market says of it
    side: Side,
    instants: Sequence[datetime],
    zone: ZoneInfo,
    series: Series | None = None,
    *,
    way: Way = "import",
    every: Mapping[str, Series] | None = None,
) -> list[Quote]:
    """The price per kWh at each instant and whose it is: the sum of its layers, each with its own hours. A side without
    any price costs and pays nothing.

    `series`: the market prices of the side itself; `every`: all of the tariff, by the place of their file such as
    `import.layer.0`. Raises Trouble where the market has no price, nor had one in the eight days before.
    """
    known = dict(every or {})
    if series is not None:
        known[way] = series
    return [_quote(side, instant, zone, known, way) for instant in instants]


def _quote(side: Side, instant: datetime, zone: ZoneInfo, known: Mapping[str, Series], way: Way) -> Quote:
    total = NOTHING
    if side.unpaid:
        market = _market(side.unpaid.day_ahead, instant, zone, known.get(f"{way}.unpaid") or Series([], []))
        total = Quote(0.0, market.source)  # paid or not: of a borrowed price nobody knows it
        if market.price < side.unpaid.below:
            return total
    for place, layer in side.layers:
        if isinstance(layer, Layer) and layer.percent is not None:
            total = Quote(total.price * (1 + layer.percent / 100), total.source)
        elif isinstance(layer, Layer) and layer.price is not None:
            total = Quote(total.price + layer.price, total.source)
        else:
            total = total.with_(_of_hours(layer, instant, zone, known.get(f"{way}.{place}".removesuffix(".")), way))
    return total


def _of_hours(layer: Priced, instant: datetime, zone: ZoneInfo, series: Series | None, way: Way) -> Quote:
    """By the market or by the period that holds."""
    if layer.day_ahead is not None:
        return _market(layer.day_ahead, instant, zone, series or Series([], []))
    if (one := period_of(layer, instant.astimezone(zone))) is not None:
        return Quote(one.price)
    # where no period holds, nothing is bought or sold that a later bill could turn into a loss
    return Quote((max if way == "import" else min)(period.price for period in layer.period), Source.OUTERMOST)


def period_of(side: Priced, local: datetime) -> Period | None:
    """The period that holds at a local time."""
    return next((period for period in side.period if holds(side, period, local)), None)


def holds(whose: ByTheHour, hours: Hours, local: datetime) -> bool:
    """Whether some hours cover a local time; those that cross midnight belong to the day they began."""
    start, end, clock = hours.start or MIDNIGHT, hours.end or MIDNIGHT, local.time()
    day = local
    if start < end:
        inside = start <= clock < end
    else:
        inside = clock >= start or clock < end
        if clock < start:
            day = local - timedelta(days=1)
    return (
        inside
        and (hours.days is None or whose.days_of(day.date()) in hours.days)
        and (hours.months is None or day.month in hours.months)
    )


def _market(rule: DayAhead, instant: datetime, zone: ZoneInfo, series: Series) -> Quote:
    market, source = series.known(instant, zone), Source.OWN
    if market is None and rule.repeat:
        market, source = _other_year(instant, zone, series), Source.OTHER_YEAR
    if market is None and series.forecast is not None:
        market, source = series.forecast.at(instant), Source.FORECAST
    if market is None:
        market, source = _other_day(instant, zone, series), Source.OTHER_DAY
    if market is None:
        words = f"{instant:%Y-%m-%d %H:%M} UTC, nor for the eight days before"
        raise Trouble(f"{rule.sources} {'have' if rule.many else 'has'} no price for {words}")
    price = market * rule.times + rule.plus
    return Quote(price if rule.floor is None else max(rule.floor, price), source)


def _other_year(instant: datetime, zone: ZoneInfo, series: Series) -> float | None:
    """The price of the same weekday, season and local hour, as few years away as the series allows."""
    for years in range(1, MOST_YEARS):
        for count in (-years, years):
            found = series.known(_shifted(instant, zone, 7 * round(count * YEAR / 7)), zone)
            if found is not None:
                return found
    return None


def _other_day(instant: datetime, zone: ZoneInfo, series: Series) -> float | None:
    """Beyond what the market has published: the same local hour of the latest day that has a price."""
    for days in range(1, 9):
        found = series.known(_shifted(instant, zone, -days), zone)
        if found is not None:
            return found
    return None


def _shifted(instant: datetime, zone: ZoneInfo, days: int) -> datetime:
    """The same local time some days away."""
    return (instant.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def window(at: datetime, zone: ZoneInfo, minutes: int) -> tuple[datetime, datetime]:
    """Start and end of the billing window of an instant, aligned to the local clock."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    length = timedelta(minutes=minutes)
    since = (at - datetime(1970, 1, 1, tzinfo=UTC) + offset) % length
    start = (at - since).astimezone(UTC)
    return start, start + length
