"""Which windows made the peaks that are billed, when they come, and how much lower the next ones were. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from optimizer.charge import Made
from optimizer.demand import charged, counts, period
from schemas.tariff_demand import Demand

NEAR = 0.95
"""Of a period's peak: a day that comes so near would have made it without the day that did."""
SHOWN = 5
"""Days of a period."""


@dataclass(frozen=True)
class Peak:
    """Of one billing period: the highest window of each of its highest days."""

    begin: datetime
    days: list[Made]
    """The highest first."""
    near: int
    """Days that came within 5 % of the peak, itself included."""

    @property
    def lower(self) -> float | None:
        """W by which the next day's window was lower: so much the peak falls without that one."""
        return self.days[0].power - self.days[1].power if len(self.days) > 1 else None


@dataclass(frozen=True)
class Drivers:
    """Of one demand of the tariff."""

    component: Demand
    peaks: list[Peak]
    """The oldest period first."""
    hours: list[tuple[int, int, int]]
    """Weekday (0 is Monday), hour, and how many days came near their period's peak then; the most frequent first."""


def drivers(component: Demand, made: Iterable[Made], zone: ZoneInfo) -> Drivers:
    """`made`: all windows that were seen well enough, of any hour; those that do not count are left out."""
    highest: dict[datetime, dict[date, Made]] = {}
    for one in made:
        if counts(component, one.at, zone):
            days = highest.setdefault(period(one.at, zone, charged(component))[0], {})
            day = one.at.astimezone(zone).date()
            if day not in days or one.power > days[day].power:
                days[day] = one
    peaks, hours = list[Peak](), Counter[tuple[int, int]]()
    for begin, days in sorted(highest.items()):
        ranked = sorted(days.values(), key=lambda one: -one.power)
        near = [one for one in ranked if one.power >= NEAR * ranked[0].power]
        peaks.append(Peak(begin, ranked[:SHOWN], len(near)))
        hours.update((local.weekday(), local.hour) for one in near for local in [one.at.astimezone(zone)])
    return Drivers(component, peaks, [(*when, number) for when, number in hours.most_common()])
