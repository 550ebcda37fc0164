"""What conditions are compiled to, in three-valued logic (Kleene): what is not known is None, and `false and unknown`
is false, `true or unknown` is true.
"""

import operator
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from consumers.alarms.expression.checked import Checked
from consumers.alarms.expression.scope import Place, Scope, Sort
from consumers.alarms.expression.tree import Among, Both, Call, Compare, Either, Not, Number, Text
from consumers.alarms.expression.units import unit
from consumers.alarms.expression.values import Value, flags, gap, places, ratio, reading, scaled, value
from consumers.alarms.expression.windows import Run, Stuck
from consumers.alarms.latest import Latest
from schemas.site_device import POLLS

COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def truth(part: Checked, scope: Scope) -> Run:  # noqa: PLR0911  # one case per kind of node
    match part.node:
        case Compare():
            return _compare(part, scope)
        case Among(_, names):
            return _test(reading(part.parts[0]), frozenset(names).__contains__)
        case Not():
            return _test(truth(part.parts[0], scope), operator.not_)
        case Both():
            return _joined([truth(one, scope) for one in part.parts], decides=False)
        case Either():
            return _joined([truth(one, scope) for one in part.parts], decides=True)
        case Call("has"):
            return has(part, scope)
        case Call("stuck"):
            return _stuck(part, scope)
        case Call():
            return silence(part, scope)
    raise TypeError(part)


def sides(part: Checked, scope: Scope) -> tuple[Value, str, Value]:
    """Of a comparison of numbers, both in the unit of what is no constant: that stands left."""
    (left, right), sign = (value(one, scope, truth) for one in part.parts), part.node.sign  # type: ignore[union-attr]
    first, second = part.parts
    if left.constant is not None and right.constant is None:
        return right, FLIPPED[sign], scaled(left, ratio(first, second))
    return left, sign, scaled(right, ratio(second, first))


def names(part: Checked) -> bool:
    """Whether a comparison is one of names."""
    return part.parts[0].quantity.sort is Sort.STATE


def of_names(part: Checked) -> tuple[Run, Run]:
    """Its two sides."""
    node = part.node
    if isinstance(node, Compare) and isinstance(node.right, Text):
        said = node.right.value
        return reading(part.parts[0]), lambda _latest, _now, _wall: said
    return reading(part.parts[0]), reading(part.parts[1])


def ends(sign: str, left: Value, right: Value) -> tuple[Run, Run] | None:
    """The two sides as far as they are known, where a part of them is enough to say that it is wrong."""
    if sign in (">", ">="):
        pair = left.at_least, right.at_most
    elif sign in ("<", "<="):
        pair = left.at_most, right.at_least
    else:
        return None
    if pair == (None, None):
        return None
    return pair[0] or left.run, pair[1] or right.run


def has(part: Checked, scope: Scope) -> Run:
    """One flag is looked for where it may stand: what other registers say is no word on it."""
    node, of = part.node, part.parts[0]
    if not isinstance(node, Call) or len(node.args) != 2 or not isinstance(node.args[1], Text):
        return _test(reading(of), bool)
    flag, at = node.args[1].value, () if of.found is None else of.found.places
    if len(at) == 1:
        return _test(reading(of), lambda flags: flag in flags)
    registers = [flags((place,)) for place in at if flag in _flags_of(scope, place)]
    return _joined([_test(one, lambda names: flag in names) for one in registers], decides=True)


def _flags_of(scope: Scope, place: Place) -> Collection[str]:
    device, point = place
    return (scope.devices[device].points[point].flags or {}).values()


def patience(part: Checked, scope: Scope) -> float:
    """Seconds that a device may say nothing, of no_data or silent: 2.5 polls at least. With less it would be silent
    between two readings, and all alarms of its points would be the consequence."""
    call = part.node
    amount = call.args[0] if isinstance(call, Call) else None
    if not isinstance(call, Call) or not isinstance(amount, Number):
        raise TypeError(part)
    if call.name == "no_data":
        return max(POLLS, amount.value) * scope.poll(scope.own)
    return max(POLLS * scope.poll(scope.own), amount.value * unit(amount.unit).factor)


def steady(scope: Scope) -> float:
    """Seconds between two readings within which a device answers steadily."""
    return POLLS * max(1.0, scope.poll(scope.own))  # the clock looks once a second


def silence(part: Checked, scope: Scope) -> Run:
    device, limit = scope.own, patience(part, scope)

    def silent(latest: Latest, now: float, _wall: datetime) -> bool | None:
        age = latest.age(device, limit, now)
        return None if age is None else age > limit

    return silent


def _stuck(part: Checked, scope: Scope) -> Run:
    of = part.parts[0]
    run = value(of, scope, truth).run if of.quantity.sort is Sort.NUMBER else reading(of)
    node = part.node
    span = node.args[1] if isinstance(node, Call) else None
    if not isinstance(span, Number):
        raise TypeError(part)
    return Stuck(run, span.value * unit(span.unit).factor, gap(of, scope), places(of))


def _compare(part: Checked, scope: Scope) -> Run:
    if names(part):
        first, second = of_names(part)
        return _compared(COMPARES[part.node.sign], first, second)  # type: ignore[union-attr]
    left, sign, right = sides(part, scope)
    compares, some = COMPARES[sign], ends(sign, left, right)
    whole = _compared(compares, left.run, right.run)
    if some is None:
        return whole
    sure = _compared(compares, *some)

    def bounded(latest: Latest, now: float, wall: datetime) -> bool | None:
        found: bool | None = whole(latest, now, wall)
        return True if found is None and sure(latest, now, wall) else found

    return bounded


def _compared(compares: Callable[[Any, Any], bool], left: Run, right: Run) -> Run:
    def compared(latest: Latest, now: float, wall: datetime) -> bool | None:
        x, y = left(latest, now, wall), right(latest, now, wall)
        return None if x is None or y is None else compares(x, y)

    return compared


def _test(run: Run, of: Callable[[Any], bool]) -> Run:
    def test(latest: Latest, now: float, wall: datetime) -> bool | None:
        found = run(latest, now, wall)
        return None if found is None else of(found)

    return test


def _joined(runs: list[Run], *, decides: bool) -> Run:
    """All are looked at: what looks back in time must see each reading."""

    def joined(latest: Latest, now: float, wall: datetime) -> bool | None:
        found = [run(latest, now, wall) for run in runs]
        return decides if decides in found else None if None in found else not decides

    return joined
