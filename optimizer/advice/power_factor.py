"""What reactive energy costs by the month, and how large a compensation would end that. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from optimizer.demand import period
from optimizer.invoice import Interval
from schemas.tariff import Reactive

EXACT = 100.0
"""var: so exactly the compensation is found."""
HOUR = 3600.0


@dataclass(frozen=True)
class Month:
    """Of the intervals whose reactive energy was measured."""

    begin: datetime
    power_factor: float | None
    """Mean, from 0 to 1; None where nothing was drawn."""
    free: float
    """kvarh."""
    beyond: float
    """kvarh that are paid for."""
    cost: float
    compensation: float
    """var that, given all the time, would have left nothing to pay for."""
    measured: float
    """The share of the intervals whose reactive energy is known. Where it is not 1 the bill cannot tell it, either."""


def power_factor(rule: Reactive, intervals: Iterable[Interval], zone: ZoneInfo, seconds: float = 900.0) -> list[Month]:
    """By month, the oldest first; months in which nothing of it was measured are left out."""
    months: dict[datetime, list[Interval]] = {}
    for one in intervals:
        months.setdefault(period(one.at, zone)[0], []).append(one)
    found = [_month(rule, begin, mine, seconds) for begin, mine in sorted(months.items())]
    return [one for one in found if one.measured]


def _month(rule: Reactive, begin: datetime, mine: Sequence[Interval], seconds: float) -> Month:
    known = [(one.imported, one.reactive) for one in mine if one.reactive is not None]
    active, reactive = math.fsum(into for into, _ in known), [abs(one) for _, one in known]
    free = math.tan(math.acos(rule.cos_phi)) * active
    whole = math.fsum(reactive)
    beyond = max(0.0, whole - free) / 1000
    return Month(
        begin=begin,
        power_factor=active / math.hypot(active, whole) if active else None,
        free=free / 1000,
        beyond=beyond,
        cost=beyond * rule.price,
        compensation=_compensation(reactive, free, seconds),
        measured=len(known) / len(mine),
    )


def _compensation(reactive: Sequence[float], free: float, seconds: float) -> float:
    """var that leave no more than `free` varh. Of no sign: each interval is taken to be of the common one."""
    low, high = 0.0, max(reactive, default=0.0) * HOUR / seconds
    while high - low > EXACT:
        middle = (low + high) / 2
        left = math.fsum(max(0.0, one - middle * seconds / HOUR) for one in reactive)
        low, high = (middle, high) if left > free else (low, middle)
    return high if math.fsum(reactive) > free else 0.0
