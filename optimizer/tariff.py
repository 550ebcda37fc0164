"""What a kWh costs at an instant, and which billing window it belongs to.

All of it runs on the site's local clock, so a DST night has 92 or 100 quarter hours, each with the price of its hour.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from schemas.tariff import DayAhead, Period, Side
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
    OTHER_DAY = "other_day"  # the market has published none: borrowed
    OUTERMOST = "outermost"  # no period holds: the dearest for what is drawn, the lowest for what is fed in


class Quote(NamedTuple):
    """A price per kWh."""

    price: float
    source: Source = Source.OWN


@dataclass(frozen=True)
class Series:
    """Market prices per kWh, in the order of their starts. Each holds for `hold`, or until the next of its day."""

    starts: Sequence[datetime]
    prices: Sequence[float]
    hold: timedelta = timedelta(hours=1)

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


def prices(side: Side, instants: Sequence[datetime], zone: ZoneInfo, series: Series | None = None) -> list[float]:
    """The price per kWh at each instant of what is drawn. Raises Trouble where the market has none."""
    return [one.price for one in quotes(side, instants, zone, series)]


def quotes(
    side: Side,
    instants: Sequence[datetime],
    zone: ZoneInfo,
    series: Series | None = None,
    *,
    way: Literal["import", "export"] = "import",
) -> list[Quote]:
    """The price per kWh at each instant and whose it is; a side without any price costs and pays nothing.

    Raises Trouble where the market has no price, nor had one in the eight days before.
    """
    if side.day_ahead is not None:
        return [_market(side.day_ahead, instant, zone, series or Series([], [])) for instant in instants]
    if not side.period:
        return [Quote(0.0)] * len(instants)
    # where no period holds, nothing is bought or sold that a later bill could turn into a loss
    outermost = (max if way == "import" else min)(period.price for period in side.period)
    found = [period_of(side, instant.astimezone(zone)) for instant in instants]
    return [Quote(outermost, Source.OUTERMOST) if one is None else Quote(one.price) for one in found]


def period_of(side: Side, local: datetime) -> Period | None:
    """The period that holds at a local time."""
    return next((period for period in side.period if holds(side, period, local)), None)


def holds(side: Side, period: Period, local: datetime) -> bool:
    """Whether a period covers a local time; one that crosses midnight belongs to the day it began."""
    start, end, clock = period.start or MIDNIGHT, period.end or MIDNIGHT, local.time()
    day = local
    if start < end:
        inside = start <= clock < end
    else:
        inside = clock >= start or clock < end
        if clock < start:
            day = local - timedelta(days=1)
    return (
        inside
        and (period.days is None or side.days_of(day.date()) in period.days)
        and (period.months is None or day.month in period.months)
    )


def _market(rule: DayAhead, instant: datetime, zone: ZoneInfo, series: Series) -> Quote:
    market, source = series.known(instant, zone), Source.OWN
    if market is None and rule.repeat:
        market, source = _other_year(instant, zone, series), Source.OTHER_YEAR
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
