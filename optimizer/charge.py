"""What a highest window costs: its price beyond what is billed anyway, a contract's penalty, and a ratchet's months
after. Pure.

All of it is a sum of `price * max(0, peak - above)`, so a plan may weigh it as it weighs energy: no kW more is cheaper
than the one before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from optimizer.demand import charged, counts, later, period
from schemas.tariff_demand import Demand


class Made(NamedTuple):
    """The mean import of a billing window."""

    at: datetime
    """Its start."""
    power: float
    """W."""


class Piece(NamedTuple):
    """What the part of a peak beyond a power costs."""

    above: float
    """W."""
    price: float
    """Per kW."""


Highest = Mapping[datetime, float]
"""W by the begin of a billing period, in UTC."""


def highest(component: Demand, made: Iterable[Made], until: datetime, zone: ZoneInfo) -> dict[datetime, float]:
    """W by billing period: the highest of the windows that count and begin before an instant, and of the known peaks
    of days until then, but for those of a month in which nothing is billed."""
    found = dict[datetime, float]()
    how, today = charged(component), until.astimezone(zone).date()
    known = [
        Made(datetime.combine(one.on, time(12), zone).astimezone(UTC), 1000 * one.peak)
        for one in component.known
        if one.on <= today and bills(component, datetime.combine(one.on, time(12), zone), zone)
    ]
    seen = [one for one in made if one.at < until and counts(component, one.at, zone)]
    for one in (*known, *seen):
        begin = period(one.at, zone, how)[0]
        found[begin] = max(found.get(begin, 0.0), one.power)
    return found


def bills(component: Demand, begin: datetime, zone: ZoneInfo) -> bool:
    """Whether a component is billed at all in a period: not in a month none of its hours lies in."""
    month = begin.astimezone(zone).month
    return (
        component.per == "year"
        or not component.hours
        or any(one.months is None or month in one.months for one in component.hours)
    )


def ratcheted(component: Demand, peaks: Highest, begin: datetime, zone: ZoneInfo) -> float:
    """W that are billed in the month of `begin` for the peaks of the months before it."""
    ratchet = component.ratchet
    if ratchet is None:
        return 0.0
    first = begin.astimezone(zone)
    months = [later(first, -back) for back in range(1, ratchet.months + 1)]
    looked_at = [one for one in months if ratchet.made_in is None or one.month in ratchet.made_in]
    return ratchet.share * max((peaks.get(one.astimezone(UTC), 0.0) for one in looked_at), default=0.0)


def least(component: Demand, peaks: Highest, begin: datetime, zone: ZoneInfo) -> float:
    """W that are billed in a period whatever is drawn in it."""
    return max(1000 * component.floor, ratcheted(component, peaks, begin, zone)) if bills(component, begin, zone) else 0


def due(component: Demand, peak: float, stands: float) -> float:
    """What a period costs for its peak, without the contracted capacity itself. `peak` and `stands` in W: as it was
    drawn, and what is billed at `least`."""
    beyond = max(0.0, peak - 1000 * component.contract.power) if component.contract else 0.0
    penalty = component.contract.penalty if component.contract else 0.0
    return (component.rate * max(peak, stands) + penalty * beyond) / 1000


def pieces(
    component: Demand, peaks: Highest, begin: datetime, zone: ZoneInfo, expected: float = 0.0
) -> tuple[Piece, ...]:
    """What a peak of the period of `begin` costs, by where each price begins; the lowest first, none is empty.

    Of a ratchet: in each of the months after it a share of the peak is billed at least. That costs something only in
    those months, and only as far, as neither the floor, nor the ratchet of the other months' peaks, nor the peak that
    is `expected` in every month (W) is as high. Months that nobody knows yet are taken to reach what is expected.
    """
    found = defaultdict[float, float](float)
    if component.rate and bills(component, begin, zone):
        found[least(component, peaks, begin, zone)] += component.rate
    if component.contract and component.contract.penalty:
        found[1000 * component.contract.power] += component.contract.penalty
    ratchet, first = component.ratchet, begin.astimezone(zone)
    if ratchet and component.rate and (ratchet.made_in is None or first.month in ratchet.made_in):
        others = {at: power for at, power in peaks.items() if at != begin}
        for ahead in range(1, ratchet.months + 1):
            month = later(first, ahead).astimezone(UTC)
            if bills(component, month, zone):
                stands = max(least(component, others, month, zone), expected)
                found[stands / ratchet.share] += ratchet.share * component.rate
    return tuple(Piece(above, price) for above, price in sorted(found.items())) or (Piece(0.0, 0.0),)


def worth(found: Iterable[Piece], peak: float) -> float:
    """What a peak in W costs beyond what is billed anyway."""
    return sum(one.price * max(0.0, peak - one.above) for one in found) / 1000
