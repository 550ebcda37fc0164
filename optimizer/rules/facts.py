"""What rules are judged by, at one moment. What is not there is not known. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from optimizer.tariff import holds
from schemas.holidays import Holidays
from schemas.messages import Mode, Value
from schemas.site_rules import Quantity
from schemas.tariff_hours import ByTheHour, Hours

QUARTER = timedelta(minutes=15)
Side = Literal["buy", "sell"]


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
    _found: dict[tuple[object, ...], frozenset[datetime] | float | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    """What was asked of a day, so that it is reckoned once."""

    def is_ranked(self, side: Side, at: datetime, zone: ZoneInfo, hours: float, *, dearest: bool) -> bool | None:
        """Whether a moment lies in the cheapest or dearest `hours` of its local day. None while a price of this day is
        not known."""
        day, key = day_of(at, zone), (side, at.astimezone(zone).date(), hours, dearest)
        if key not in self._found:
            self._found[key] = ranked(self.buy if side == "buy" else self.sell, day, hours, dearest=dearest)
        found = self._found[key]
        return quarter_of(at) in found if isinstance(found, frozenset) else None

    def sun(self, at: datetime, zone: ZoneInfo) -> float | None:
        """Wh of PV on the local day of a moment; None while one of its quarters is not known."""
        day, key = day_of(at, zone), ("pv", at.astimezone(zone).date())
        if key not in self._found:
            self._found[key] = sum(self.pv[one] for one in day) / 4 if all(one in self.pv for one in day) else None
        found = self._found[key]
        return found if isinstance(found, float) else None


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


def day_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The quarters of the local day of a moment: 96, or 92 and 100 in the nights of the change."""
    return _day(at.astimezone(zone).date(), zone)


@lru_cache(maxsize=64)
def _day(day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    begin, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return tuple(begin + n * QUARTER for n in range((end - begin) // QUARTER))


def ranked(
    prices: Mapping[datetime, float], day: Sequence[datetime], hours: float, *, dearest: bool
) -> frozenset[datetime] | None:
    """The quarters of a day that are its cheapest or dearest `hours`; of equal prices the earlier ones. None where a
    price is missing."""
    if any(one not in prices for one in day):
        return None
    order = sorted(day, key=lambda one: (-prices[one] if dearest else prices[one], one))
    return frozenset(order[: round(4 * hours)])
