"""What rules are judged by, at one moment. What is not there is not known. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from optimizer.tariff import holds
from schemas.holidays import Holidays
from schemas.messages import Mode, Value
from schemas.site_rules import Quantity
from schemas.tariff_hours import ByTheHour, Hours

QUARTER = timedelta(minutes=15)


class RuleHours(ByTheHour):
    """The hours of one condition, on the calendar of a site."""

    hours: Hours

    @property
    def hours_of(self) -> Sequence[Hours]:
        return [self.hours]

    @classmethod
    def on(cls, hours: Hours, holidays: Holidays) -> "RuleHours":
        """With the public holidays of the tariff."""
        found = cls(hours=hours)
        found._holidays = holidays
        return found

    def hold(self, local: datetime) -> bool:
        """Whether they cover a local time."""
        return holds(self, self.hours, local)


@dataclass(frozen=True)
class Quarters:
    """What is known of quarters of an hour, by their begin in UTC: those that are over, and those to come."""

    buy: Mapping[datetime, float] = field(default_factory=dict)
    """Per kWh that is drawn."""
    sell: Mapping[datetime, float] = field(default_factory=dict)
    """Per kWh that is fed in."""
    pv: Mapping[datetime, float] = field(default_factory=dict)
    """W: the forecast mean of the PV; of quarters that are over, as it was forecast last."""


@dataclass(frozen=True)
class Facts:
    """Numbers in the units of `schemas.site_rules.UNITS`."""

    zone: ZoneInfo
    points: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    """By device and point, those that are fresh and good."""
    numbers: Mapping[Quantity, float] = field(default_factory=dict)
    """`soc`, `import` and `export`, where they are known."""
    quarters: Quarters = Quarters()
    mode: Mode | None = None
    holidays: Holidays = field(default_factory=Holidays)
    """For hours that name `holiday`, or `sun`."""


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on two clocks: delays run on the steady one, hours and ends stand on the wall."""

    steady: float
    """s."""
    wall: datetime


def quarter_of(at: datetime) -> datetime:
    """The begin of its quarter of an hour, in UTC."""
    return datetime.fromtimestamp(at.timestamp() // 900 * 900, UTC)


def day_of(at: datetime, zone: ZoneInfo) -> list[datetime]:
    """The quarters of the local day of a moment: 96, or 92 and 100 in the nights of the change."""
    day = at.astimezone(zone).date()
    begin, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return [begin + n * QUARTER for n in range((end - begin) // QUARTER)]


def ranked(
    prices: Mapping[datetime, float], at: datetime, zone: ZoneInfo, hours: float, *, dearest: bool
) -> bool | None:
    """Whether a moment lies in the cheapest or dearest `hours` of its local day; of equal prices the earlier one is
    taken. None while a price of this day is not known."""
    day = day_of(at, zone)
    if any(one not in prices for one in day):
        return None
    order = sorted(day, key=lambda one: (-prices[one] if dearest else prices[one], one))
    return quarter_of(at) in order[: round(4 * hours)]


def energy_of(powers: Mapping[datetime, float], at: datetime, zone: ZoneInfo) -> float | None:
    """Wh of the local day of a moment, from W of each of its quarters; None while one of them is not known."""
    day = day_of(at, zone)
    return sum(powers[one] for one in day) / 4 if all(one in powers for one in day) else None
