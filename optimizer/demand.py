"""Of a demand charge: which windows count, the period a peak is billed in, and the peaks its owner knows; on the local
clock. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from optimizer.tariff import holds
from schemas.tariff import Demand

NEAR = timedelta(days=366)
"""No period is longer; times that are further apart may lie beyond the calendar of a time zone."""


class Charged(NamedTuple):
    """How often the highest window is paid: each calendar month, or each year that begins with a month."""

    per: Literal["month", "year"] = "month"
    begins: int = 1
    """The month of a year, 1 to 12."""


MONTHLY = Charged()


def charged(demand: Demand | None) -> Charged:
    """As the tariff says; a site without a demand charge counts by the month."""
    return MONTHLY if demand is None else Charged(demand.per, demand.year_begins)


def period(at: datetime, zone: ZoneInfo, how: Charged = MONTHLY) -> tuple[datetime, datetime]:
    """Start and end of the period of the demand charge that holds at an instant, in UTC."""
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    if how.per == "month":
        return first.astimezone(UTC), later(first, 1).astimezone(UTC)
    begin = later(first, -((first.month - how.begins) % 12))
    return begin.astimezone(UTC), later(begin, 12).astimezone(UTC)


def later(first: datetime, months: int) -> datetime:
    """The first of a month some months away, on the same local clock."""
    year, month = divmod(12 * first.year + first.month - 1 + months, 12)
    return first.replace(year=year, month=month + 1)


def same_period(one: datetime, other: datetime, zone: ZoneInfo, how: Charged = MONTHLY) -> bool:
    """Whether both are billed together."""
    return abs(one - other) <= NEAR and period(one, zone, how) == period(other, zone, how)


def known_peak(demand: Demand | None, now: datetime, zone: ZoneInfo) -> float:
    """W: the highest peak of this period that stands in the tariff file. One of a period before counts no more, one of
    a day to come not yet."""
    if demand is None or not demand.known:
        return 0.0
    begin = period(now, zone, charged(demand))[0].astimezone(zone).date()
    today = now.astimezone(zone).date()
    return 1000 * max((one.peak for one in demand.known if begin <= one.on <= today), default=0.0)


def counts(component: Demand, window_start: datetime, zone: ZoneInfo) -> bool:
    """Whether a billing window is one of those that a component looks at: by the local time it begins."""
    local = window_start.astimezone(zone)
    return not component.hours or any(holds(component, one, local) for one in component.hours)
