"""Whether the cause of an interlock is there, by what is known of one device. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from schemas.interlock import DERIVED, InterlockRule
from schemas.messages import Value
from schemas.rise import Past

GAP = 2.0
"""Times the longest pause between two readings: behind it a rise is looked for anew."""
Seen = Callable[[str, str], Value | None]
"""What is known of a point of a device; None when it is absent, stale or not good."""
Began = Callable[[str, str], float]
"""When the reading of it began, s on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Interlock:
    """One rule for one device."""

    name: str
    """`<rule>-<device>`, as with alarms."""
    rule: InterlockRule
    device: str
    points: tuple[str, ...]
    """What must be known of the device to say that the cause is not there."""
    states: tuple[str, ...] = ()
    """The names its profile gives to what the point can say: any other (`unknown_7`) nobody understands."""
    shipped: bool = True
    """Not of the site file."""
    left: float = math.inf
    """W of the rated power that it leaves where it derates."""
    every: float = 1.0
    """Seconds behind which the same value is surely another reading: its point is read at least so often."""


def read(lock: Interlock, seen: Seen) -> Value | None:
    """The value the rule judges; None when nobody can tell.

    Of flags those that are the cause: one that is set counts, whatever another register says; none only when all of
    their registers are known.
    """
    rule = lock.rule
    if rule.contains is not None:
        return _flags(rule.contains, [seen(lock.device, point) for point in lock.points])
    value = seen(lock.device, lock.points[0])
    if rule.equals is not None:
        return value if value in lock.states else None
    if len(lock.points) == 1 or rule.point not in DERIVED:
        return _finite(value)
    first, second = _finite(value), _finite(seen(lock.device, lock.points[1]))
    if not isinstance(first, float) or not isinstance(second, float):
        return None
    return _finite(DERIVED[rule.point].of(first, second))


def _flags(contains: list[str], values: list[Value | None]) -> Value | None:
    """Those of the flags that are set; None when none is and a register is not known."""
    named = [name for value in values if isinstance(value, list) for name in value if name in contains]
    return named if named or all(isinstance(value, list) for value in values) else None


def _finite(value: Value | None) -> Value | None:
    """Not a number compares with no limit: nobody knows it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_wrong(rule: InterlockRule, value: Value, past: Past, *, active: bool) -> bool | None:
    """Whether the cause is there; None when the value is of another kind. An active one is gone only beyond `clear`."""
    match rule.condition:
        case "silent":
            return False
        case "contains":
            return bool(value) if isinstance(value, list) else None
        case "equals":
            return value in (rule.equals or []) if isinstance(value, str) else None
        case "unless":
            return value not in (rule.unless or []) if isinstance(value, str) else None
        case _:
            return _beyond(rule, value, past, active=active) if isinstance(value, float) else None


def _beyond(rule: InterlockRule, value: float, past: Past, *, active: bool) -> bool:
    if rule.rises is not None:
        moved = past.moved(rule.within, early=True, held=True)
        return moved is not None and moved.amount > rule.rises
    if rule.above is not None:
        return value > (rule.clear if active and rule.clear is not None else rule.above)
    limit = rule.below if rule.below is not None else math.inf
    return value < (rule.clear if active and rule.clear is not None else limit)


def seen_again(lock: Interlock, past: Past, value: Value | None, now: float, began: float | None) -> Past:
    """With the reading that a look shows; without one that was seen before. Behind a gap it begins anew. `began`: when
    the reading did; None where that is not known."""
    if not isinstance(value, float):
        return past
    at = now if began is None else began
    if past.said and at - past.said[-1][0] > max(lock.rule.within, GAP * lock.every):
        past = Past()
    same = bool(past.said) and value == past.said[-1][1] and now - past.said[-1][0] < lock.every
    if same if began is None else past.said and at <= past.said[-1][0]:
        return past
    return past.read(at, value, lock.rule.within)


def words(lock: Interlock, value: Value) -> str:
    """What is seen, for an operator."""
    said = ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else value
    if lock.rule.contains is not None:
        return f"{lock.device} reports {said}"
    if lock.rule.point == "state":
        return f"{lock.device} is {'in fault' if said == 'fault' else said}"
    return f"{lock.rule.point} of {lock.device} is {said}"
