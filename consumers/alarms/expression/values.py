"""What numbers, states and flags of an expression are compiled to. None stands for what is not known."""

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from consumers.alarms.expression.checked import Checked
from consumers.alarms.expression.scope import SITE_PLACE, Scope, Sort
from consumers.alarms.expression.tree import Arithmetic, Call, Negate, Number, Ref
from consumers.alarms.expression.units import unit
from consumers.alarms.expression.windows import Count, Projected, Rate, Run, Told
from consumers.alarms.latest import Latest
from consumers.alarms.reading import MESSAGES

HUGE = 1e300
"""Beyond it a product is not told: a sum of such would be no number."""
Truth = Callable[[Checked, Scope], Run]
"""Compiles a condition."""


class Value(NamedTuple):
    run: Run
    constant: float | None = None
    at_least: Run | None = None
    """Of a number of which a part may be unknown: it is not less than this."""
    at_most: Run | None = None


def reading(part: Checked) -> Run:
    """Of a reference. The type is looked at: a device may say anything."""
    found = part.found
    if found is None:
        raise TypeError(part)
    if found.derived is not None:
        first, second = (Value(_one(place, float)) for place in found.places)
        return _two(found.derived.of, first, second)
    if part.quantity.sort is Sort.FLAGS:
        return _one(found.places[0], list) if len(found.places) == 1 else flags(found.places)
    return _one(found.places[0], float if part.quantity.sort is Sort.NUMBER else str)


def value(part: Checked, scope: Scope, truth: Truth) -> Value:
    """Of a number, in its own unit."""
    match part.node:
        case Number(amount):
            return Value(_always(amount), amount)
        case Ref():
            return Value(reading(part))
        case Negate():
            of = value(part.parts[0], scope, truth)
            return _folded(_through(operator.neg, of.run), of)
        case Arithmetic(_, sign):
            left, right = value(part.parts[0], scope, truth), value(part.parts[1], scope, truth)
            if sign in "+-":
                right = scaled(right, ratio(part.parts[1], part.parts[0]))
                return _folded(_two(operator.add if sign == "+" else operator.sub, left, right), left, right)
            return _folded((_times if sign == "*" else _over)(left, right, part.factor), left, right)
        case Call(name):
            return _call(part, name, scope, truth)
    raise TypeError(part)


def ratio(of: Checked, into: Checked) -> float:
    """What a number is multiplied with to be in the unit of another."""
    if of.unit is None or into.unit is None:
        return 1.0
    return of.unit.factor / into.unit.factor


def scaled(of: Value, by: float) -> Value:
    if by == 1.0:
        return of
    if of.constant is not None:
        return Value(_always(of.constant * by), of.constant * by)
    low, high = (None if run is None else _by(run, by) for run in (of.at_least, of.at_most))
    return Value(_by(of.run, by), None, low, high)


def _call(part: Checked, name: str, scope: Scope, truth: Truth) -> Value:  # noqa: PLR0911  # one case per function
    match name:
        case "rate":
            of = value(part.parts[0], scope, truth)
            rate = Rate(of.run, _span(part), gap(part, scope), places(part))
            return Value(rate, at_least=rate.rose, at_most=rate.fell)
        case "projected":
            of = value(part.parts[0], scope, truth)
            told = _told(part.parts[0], scope)
            return Value(Projected(of.run, _span(part), scope.zone, places(part), told))
        case "count":
            events = [place for place in places(part) if place[1] in MESSAGES]
            count = Count(truth(part.parts[0], scope), _span(part), events)
            return Value(count, at_least=count.at_least)
        case "given":
            return Value(_given(value(part.parts[0], scope, truth).run, truth(part.parts[1], scope)))
    first = part.parts[0]
    values = [scaled(value(one, scope, truth), ratio(one, first)) for one in part.parts]
    runs = [one.run for one in values]
    match name:
        case "abs":
            return _folded(_through(abs, runs[0]), *values)
        case "deviation":
            return _folded(_two(lambda x, y: abs(x - y), values[0], values[1]), *values)
        case "sum":
            return _folded(_all(runs, sum), *values)
        case "min" | "lowest":
            return _folded(_all(runs, min), *values)._replace(at_most=_some(runs, min))
        case "max" | "highest":
            return _folded(_all(runs, max), *values)._replace(at_least=_some(runs, max))
    return _folded(_all(runs, _spread), *values)._replace(at_least=_some(runs, _spread))


def _told(part: Checked, scope: Scope) -> Told | None:
    """What is billed is followed by optimize as well: the import at the grid connection, and nothing else."""
    node, nothing = part.node, [one for one in part.parts if isinstance(one.node, Number) and one.node.value == 0]
    imported = isinstance(node, Call) and node.name == "max" and len(part.parts) == 2 and len(nothing) == 1
    if not imported or part.quantity.unit != "W" or places(part) != {(scope.billed, "p")}:
        return None
    return (SITE_PLACE, "window"), (SITE_PLACE, "window_seen"), (SITE_PLACE, "window_length")


def gap(part: Checked, scope: Scope) -> float:
    """Seconds without a reading that is believed, behind which a window begins anew."""
    return max((scope.patience(place) for place in places(part) if place[0] in scope.devices), default=float("inf"))


def places(part: Checked) -> frozenset[tuple[str, str]]:
    """All that it looks at."""
    own = () if part.found is None else part.found.places
    return frozenset(own).union(*(places(one) for one in part.parts))


def _span(part: Checked) -> float:
    span = part.node.args[1] if isinstance(part.node, Call) else None
    if not isinstance(span, Number):
        raise TypeError(part)
    return span.value * unit(span.unit).factor


def _spread(values: list[float]) -> float:
    return max(values) - min(values)


def _always(amount: float) -> Run:
    return lambda _latest, _now, _wall: amount


def _one(place: tuple[str, str], of: type) -> Run:
    def run(latest: Latest, now: float, _wall: datetime) -> Any:  # noqa: ANN401  # of type `of`
        held = latest.values.get(place)
        if held is None or held[1] < now:
            return None
        found = held[0]
        return found if type(found) is of else None

    return run


def flags(at: tuple[tuple[str, str], ...]) -> Run:
    """Of several registers. None when nothing is set in those that can be believed, but there is one that cannot."""

    def run(latest: Latest, now: float, _wall: datetime) -> list[str] | None:
        values = latest.values
        heard = [latest.value(place, now) for place in at if place in values]
        names = [name for one in heard if isinstance(one, list) for name in one]
        return names if names or (heard and None not in heard) else None

    return run


def _through(of: Callable[[float], float], run: Run) -> Run:
    def through(latest: Latest, now: float, wall: datetime) -> float | None:
        found = run(latest, now, wall)
        return None if found is None else of(found)

    return through


def _given(run: Run, holds: Run) -> Run:
    """Both are looked at: what looks back in time must see each reading."""

    def given(latest: Latest, now: float, wall: datetime) -> float | None:
        found, held = run(latest, now, wall), holds(latest, now, wall)
        return found if held is True else None

    return given


def _by(run: Run, factor: float) -> Run:
    def times(latest: Latest, now: float, wall: datetime) -> float | None:
        found = run(latest, now, wall)
        return None if found is None else found * factor

    return times


def _two(of: Callable[[float, float], float], left: Value, right: Value) -> Run:
    first, second, constant = left.run, right.run, right.constant

    def beside(latest: Latest, now: float, wall: datetime) -> float | None:
        x = first(latest, now, wall)
        return None if x is None else of(x, constant)  # type: ignore[arg-type]

    def both(latest: Latest, now: float, wall: datetime) -> float | None:
        x, y = first(latest, now, wall), second(latest, now, wall)
        return None if x is None or y is None else of(x, y)

    return both if constant is None else beside


def _times(left: Value, right: Value, factor: float) -> Run:
    first, second = left.run, right.run

    def product(latest: Latest, now: float, wall: datetime) -> float | None:
        x, y = first(latest, now, wall), second(latest, now, wall)
        if x is None or y is None:
            return None
        found: float = x * y * factor
        return found if -HUGE < found < HUGE else None

    return product


def _over(left: Value, right: Value, factor: float) -> Run:
    first, second = left.run, right.run

    def quotient(latest: Latest, now: float, wall: datetime) -> float | None:
        x, y = first(latest, now, wall), second(latest, now, wall)
        if x is None or not y:  # nobody knows what comes of a division by 0
            return None
        found: float = x / y * factor
        return found if -HUGE < found < HUGE else None

    return quotient


def _all(runs: list[Run], of: Callable[[list[float]], float]) -> Run:
    def every(latest: Latest, now: float, wall: datetime) -> float | None:
        values = [run(latest, now, wall) for run in runs]
        return None if None in values else of(values)

    return every


def _some(runs: list[Run], of: Callable[[list[float]], float]) -> Run:
    """Of those that are known."""

    def known(latest: Latest, now: float, wall: datetime) -> float | None:
        values = [found for run in runs if (found := run(latest, now, wall)) is not None]
        return of(values) if values else None

    return known


def _folded(run: Run, *of: Value) -> Value:
    """What is made of constants alone is one."""
    if any(one.constant is None for one in of):
        return Value(run)
    constant = run(None, 0.0, None)  # type: ignore[arg-type]  # constants look at nothing
    return Value(run) if constant is None else Value(_always(constant), constant)
