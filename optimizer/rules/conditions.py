"""Whether the conditions of a rule hold, with the values that say so. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from optimizer.rules.facts import Facts, Now, RuleHours, Side, quarter_of
from optimizer.rules.words import asked, seen_as
from schemas.holidays import Holidays
from schemas.messages import Value
from schemas.site_rules import NUMERIC, PRICES, Condition, SiteRule


class Sight(StrEnum):
    """What a rule's conditions come to, and one event beside: its time is over."""

    YES = "yes"  # all hold
    COMING = "coming"  # all are so, one of them not yet for its `hold`, or the rule pauses
    NO = "no"  # a measured one is not so
    OUTSIDE = "outside"  # one of the clock, the calendar or a price is not so
    UNKNOWN = "unknown"  # one of them is not known, whatever the others say
    OVER = "over"  # what it began has come to its end


@dataclass(frozen=True, slots=True)
class Met:
    """What is remembered of one condition."""

    since: float | None = None
    """Since when it is so, on the steady clock."""
    holds: bool = False
    """It was so for its `hold`."""


@dataclass(frozen=True)
class Seen:
    """The conditions of a rule at one moment."""

    sight: Sight
    met: tuple[Met, ...]
    because: str
    """The values, in words."""
    missing: str
    """What is not known, in words; empty where all is."""


def look(rule: SiteRule, facts: Facts, now: Now, before: Sequence[Met]) -> Seen:
    """All of its conditions. `before`: what this gave the last time; empty at first."""
    met, sights, because, missing = list[Met](), set[Sight](), list[str](), list[str]()
    for number, one in enumerate(rule.when):
        last = before[number] if number < len(before) else Met()
        value = value_of(one, facts, now)
        so = is_so(one, value, holds=last.holds)
        if so is None:
            missing.append(asked(one))
        else:
            because.append(seen_as(one, value))
        met.append(_met(one, so, last, now.steady))
        sights.add(_sight(one, so, met[-1]))
    worst = next(one for one in (Sight.UNKNOWN, Sight.OUTSIDE, Sight.NO, Sight.COMING, Sight.YES) if one in sights)
    return Seen(worst, tuple(met), " and ".join(because), ", ".join(missing))


def _met(one: Condition, so: bool | None, last: Met, steady: float) -> Met:
    if not so:
        return Met()
    since = steady if last.since is None else last.since
    return Met(since, last.holds or steady - since >= one.hold)


def _sight(one: Condition, so: bool | None, met: Met) -> Sight:
    if so is None:
        return Sight.UNKNOWN
    if not so:
        return Sight.OUTSIDE if one.timetable else Sight.NO
    return Sight.YES if met.holds else Sight.COMING


def value_of(one: Condition, facts: Facts, now: Now) -> Value | bool | None:
    """What it looks at: a value, or for hours, dates, ranks and modes the answer itself. None is not known."""
    local = now.wall.astimezone(facts.zone)
    if one.hours is not None:
        return RuleHours.on(one.hours, facts.holidays).hold(local)
    if one.dates is not None:
        return local.date() in Holidays(one.dates)
    if one.mode is not None:
        return None if facts.mode is None else facts.mode is one.mode
    if one.device is not None:
        return facts.points.get((one.device, str(one.point)))
    return _quantity(one, facts, now)


def _quantity(one: Condition, facts: Facts, now: Now) -> float | bool | None:
    known = facts.quarters
    if one.quantity == "pv_today":
        return known.sun(now.wall, facts.zone)
    if one.quantity in PRICES:
        side: Side = "buy" if one.quantity == "price_import" else "sell"
        if (hours := one.cheapest or one.dearest) is not None:
            return known.is_ranked(side, now.wall, facts.zone, hours, dearest=one.dearest is not None)
        return (known.buy if side == "buy" else known.sell).get(quarter_of(now.wall))
    return None if one.quantity is None else facts.numbers.get(one.quantity)


def is_so(one: Condition, value: Value | bool | None, *, holds: bool) -> bool | None:
    """Whether a value meets a condition; None where it is not known, or of another kind. One that `holds` already ends
    only beyond its `clear`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return None if one.equals is None else value == one.equals
    if isinstance(value, list):
        return None if one.contains is None else one.contains in value
    return None if one.test not in NUMERIC else _beyond(one, value, holds=holds)


def _beyond(one: Condition, value: float, *, holds: bool) -> bool:
    """Of a number."""
    if one.between is not None:
        return one.between[0] <= value <= one.between[1]
    clear = one.clear if holds else None
    if one.below is not None:
        return value < (one.below if clear is None else clear)
    return value > ((one.above or 0.0) if clear is None else clear)
