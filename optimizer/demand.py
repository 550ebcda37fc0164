"""Of a demand charge: the period a peak is billed in, and the peaks its owner knows; on the local clock. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from schemas.tariff import Demand

FIRST = "demand"
"""The name of a tariff's first component."""
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
        return first.astimezone(UTC), _later(first, 1).astimezone(UTC)
    begin = _later(first, -((first.month - how.begins) % 12))
    return begin.astimezone(UTC), _later(begin, 12).astimezone(UTC)


def _later(first: datetime, months: int) -> datetime:
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


def counts(demand: Demand, start: datetime, zone: ZoneInfo) -> bool:  # noqa: ARG001  # today each counts all hours
    """Whether a window that begins at `start` is billed by this component."""
    return True


def names(components: Sequence[Demand]) -> list[str]:
    """What the components of a tariff are called, in their order: `demand`, `demand-2`."""
    return [FIRST if number == 1 else f"{FIRST}-{number}" for number in range(1, len(components) + 1)]
