"""Whether two rules can hold at the same time. Pure. Only what is certain counts as `never`."""

from datetime import time
from math import inf

from schemas.site_rules import Condition, SiteRule
from schemas.tariff_hours import WEEK, Hours

EVERY_DAY = frozenset({*WEEK, "holiday"})
EVERY_MONTH = frozenset(range(1, 13))
MIDNIGHT = time()


def may_meet(one: SiteRule, other: SiteRule) -> bool:
    """False only where a condition of one excludes a condition of the other, and neither goes on by itself."""
    if one.until is not None or other.until is not None:
        return True  # it goes on while its conditions do not hold
    return not any(_exclude(mine, theirs) for mine in one.when for theirs in other.when)


def _exclude(one: Condition, other: Condition) -> bool:
    if one.hours is not None and other.hours is not None:
        return _apart(one.hours, other.hours)
    if one.mode is not None and other.mode is not None:
        return one.mode is not other.mode
    subject = one.device, one.point, one.quantity
    if subject != (other.device, other.point, other.quantity) or subject == (None, None, None):
        return False
    if one.equals is not None and other.equals is not None:
        return one.equals != other.equals
    mine, theirs = _span(one), _span(other)
    return mine is not None and theirs is not None and (mine[1] <= theirs[0] or theirs[1] <= mine[0])


def _span(one: Condition) -> tuple[float, float] | None:
    """Between which values it may hold, its hysteresis included; None where it is no question of a number."""
    if one.between is not None:
        return one.between[0], one.between[1]
    if one.above is not None:
        return (one.above if one.clear is None else one.clear), inf
    if one.below is not None:
        return -inf, (one.below if one.clear is None else one.clear)
    return None


def _apart(one: Hours, other: Hours) -> bool:
    """Hours that cross midnight reach into the next day: of those only the clock is compared."""
    if not any(a < b and c < d for a, b in _pieces(one) for c, d in _pieces(other) if max(a, c) < min(b, d)):
        return True
    if len(_pieces(one)) > 1 or len(_pieces(other)) > 1:
        return False
    days, months = _days(one) & _days(other), _months(one) & _months(other)
    return not days or not months


def _pieces(one: Hours) -> list[tuple[float, float]]:
    """Hours of the day from and to."""
    start, end = _clock(one.start or MIDNIGHT), _clock(one.end or MIDNIGHT) or 24.0
    return [(start, end)] if start < end else [(start, 24.0), (0.0, end)]


def _clock(at: time) -> float:
    return at.hour + at.minute / 60 + at.second / 3600


def _days(one: Hours) -> frozenset[str]:
    """A holiday is a Sunday to hours that name no holiday."""
    given = EVERY_DAY if one.days is None else frozenset(one.days)
    return given | {"holiday"} if "sun" in given else given


def _months(one: Hours) -> frozenset[int]:
    return EVERY_MONTH if one.months is None else frozenset(one.months)
