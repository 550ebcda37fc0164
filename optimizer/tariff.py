"""What a kWh costs at an instant, and which billing window and month it belongs to.

All of it runs on the site's local clock, so a DST night has 92 or 100 quarter hours, each with the price of its hour.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.tariff import DayAhead, Period, Side
from schemas.troubles import Trouble

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = time()
YEAR = 365.2425
"""Days."""
MOST_YEARS = 40
"""So far away a simulation may be from the prices it repeats."""


@dataclass(frozen=True)
class Series:
    """Market prices per kWh, each from its start for at most `hold`."""

    starts: Sequence[datetime]
    prices: Sequence[float]
    hold: timedelta = timedelta(hours=1)

    def at(self, instant: datetime) -> float | None:
        """The price of an instant; None where the series has none."""
        index = bisect_right(self.starts, instant) - 1
        if index < 0 or instant - self.starts[index] >= self.hold:
            return None
        return self.prices[index]


def prices(side: Side, instants: Sequence[datetime], zone: ZoneInfo, series: Series | None = None) -> list[float]:
    """The price per kWh at each instant; a side without any price costs and pays nothing.

    Raises Trouble where the tariff has no price.
    """
    if side.day_ahead is not None:
        return [_market(side.day_ahead, instant, zone, series or Series([], [])) for instant in instants]
    if not side.period:
        return [0.0] * len(instants)
    return [_of_use(side.period, instant.astimezone(zone)) for instant in instants]


def _of_use(periods: Sequence[Period], local: datetime) -> float:
    for period in periods:
        if _holds(period, local):
            return period.price
    raise Trouble(f"the tariff has no price for {local:%A %d %B %H:%M}: let the last period match always")


def _holds(period: Period, local: datetime) -> bool:
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
        and (period.days is None or DAYS[day.weekday()] in period.days)
        and (period.months is None or day.month in period.months)
    )


def _market(rule: DayAhead, instant: datetime, zone: ZoneInfo, series: Series) -> float:
    market = series.at(instant)
    if market is None and rule.repeat:
        market = _other_year(instant, zone, series)
    if market is None:
        market = _other_day(instant, zone, series)
    if market is None:
        raise Trouble(f"{rule.file} has no price for {instant:%Y-%m-%d %H:%M} UTC, nor for the eight days before")
    price = market * rule.times + rule.plus
    return price if rule.floor is None else max(rule.floor, price)


def _other_year(instant: datetime, zone: ZoneInfo, series: Series) -> float | None:
    """The price of the same weekday, season and local hour, as few years away as the series allows."""
    for years in range(1, MOST_YEARS):
        for count in (-years, years):
            found = series.at(_shifted(instant, zone, 7 * round(count * YEAR / 7)))
            if found is not None:
                return found
    return None


def _other_day(instant: datetime, zone: ZoneInfo, series: Series) -> float | None:
    """Beyond what the market has published: the same local hour of the latest day that has a price."""
    for days in range(1, 9):
        found = series.at(_shifted(instant, zone, -days))
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


def month(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end of the local calendar month of an instant."""
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return first.astimezone(UTC), following.astimezone(UTC)
