"""Whether a function is given what it needs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from consumers.alarms.expression.checked import TRUTH, Checked, alike, as_number, as_truth
from consumers.alarms.expression.functions import FUNCTIONS, LONGEST_SPAN, OVER_KINDS, WINDOWS
from consumers.alarms.expression.names import of_kind
from consumers.alarms.expression.scope import Quantity, Scope, Sort
from consumers.alarms.expression.tree import Arithmetic, Call, Negate, Node, Number, Ref, Text, printed
from consumers.alarms.expression.units import difference, per_second, unit
from consumers.alarms.expression.wrong import Wrong, guess

Check = Callable[[Node, Scope], Checked]


def call(node: Call, scope: Scope, check: Check) -> Checked:
    """`check`: of what it is given. Raises Wrong."""
    name = node.name
    function = FUNCTIONS.get(name)
    if function is None:
        raise Wrong(node.column, f"there is no function {name!r}; {guess(name, FUNCTIONS)}")
    if not function.least <= len(node.args) <= function.most:
        count = f"{function.least}" if function.least == function.most else f"{function.least} or more"
        count = "1 or 2" if name == "has" else count
        raise Wrong(node.column, f"{name} takes {count} in its parentheses: write {function.form}")
    return _CALLS[name](node, scope, check)


def _made(node: Call, quantity: Quantity, parts: Sequence[Checked], *rest: Node) -> Checked:
    args = (*(part.node for part in parts), *rest)
    return Checked(Call(node.name, args, node.column), quantity, tuple(parts))


def _numbers(node: Call, scope: Scope, check: Check) -> list[Checked]:
    return alike([as_number(check(arg, scope), node.name) for arg in node.args])


def _same_unit(node: Call, scope: Scope, check: Check) -> Checked:
    parts = _numbers(node, scope, check)
    return _made(node, Quantity(Sort.NUMBER, parts[0].quantity.unit), parts)


def _deviation(node: Call, scope: Scope, check: Check) -> Checked:
    parts = _numbers(node, scope, check)
    first = parts[0].unit
    return _made(node, Quantity(Sort.NUMBER, None if first is None else difference(first).name), parts)


def _over_kind(node: Call, scope: Scope, check: Check) -> Checked:
    given: list[Checked] = []
    for arg in node.args:
        several = of_kind(arg, scope) if isinstance(arg, Ref) else None
        if several is None and len(node.args) == 1:
            words = f"{printed(arg)} is one value, and {node.name} compares several; write {node.name}(bms.soc)"
            raise Wrong(arg.column, words)
        given += [check(arg, scope)] if several is None else [check(one, scope) for one in several]
    parts = alike([as_number(part, node.name) for part in given])
    first = parts[0].unit
    name = None if first is None else first.name
    if node.name == "sum" and name == "degC":
        raise Wrong(node.column, "temperatures have no sum; take highest, lowest or spread")
    if node.name == "spread" and first is not None:
        name = difference(first).name
    return Checked(node, Quantity(Sort.NUMBER, name), tuple(parts))


def _span(node: Node, longest: float, least: float = 1.0) -> Number:
    """Raises Wrong for what is no time."""
    if not isinstance(node, Number):
        raise Wrong(node.column, f"{printed(node)} is no span; write a time, such as 60 s")
    given = node if node.unit else replace(node, unit="s")
    of = unit(given.unit)
    if of.dimension != "time":
        raise Wrong(node.column, f"{printed(node)} is no time; write a span such as 60 s or 15 min")
    if not least <= given.value * of.factor <= longest:
        raise Wrong(node.column, f"a span is {least:g} s to {longest:g} s long, and {printed(node)} is not")
    return given


def _rate(node: Call, scope: Scope, check: Check) -> Checked:
    part = as_number(check(node.args[0], scope), "rate")
    of = part.unit
    speed = None if of is None else per_second(of)
    if speed is None:
        raise Wrong(node.column, f"{printed(part.node)} has no rate; write rate(cell_t_max, 60 s)")
    return _made(node, Quantity(Sort.NUMBER, speed.name), [part], _span(node.args[1], LONGEST_SPAN))


def _stuck(node: Call, scope: Scope, check: Check) -> Checked:
    part = check(node.args[0], scope)
    if part.quantity.sort is Sort.TRUTH or not isinstance(part.node, Ref | Arithmetic | Call | Negate):
        raise Wrong(part.node.column, f"{printed(part.node)} does not move; write stuck(p, 10 min)")
    return _made(node, TRUTH, [part], _span(node.args[1], LONGEST_SPAN))


def _count(node: Call, scope: Scope, check: Check) -> Checked:
    part = as_truth(check(node.args[0], scope), "count")
    return _made(node, Quantity(Sort.NUMBER, ""), [part], _span(node.args[1], LONGEST_SPAN))


def _given(node: Call, scope: Scope, check: Check) -> Checked:
    part, holds = as_number(check(node.args[0], scope), "given"), as_truth(check(node.args[1], scope), "given")
    return _made(node, Quantity(Sort.NUMBER, part.quantity.unit), [part, holds])


def _projected(node: Call, scope: Scope, check: Check) -> Checked:
    part = as_number(check(node.args[0], scope), "projected")
    window = _span(node.args[1], max(WINDOWS))
    if part.unit is None:
        raise Wrong(part.node.column, f"{printed(part.node)} does not change; write projected(p, 15 min)")
    if window.value * unit(window.unit).factor not in WINDOWS:
        lengths = ", ".join(f"{length / 60:g}" for length in WINDOWS)
        raise Wrong(window.column, f"no window of the clock is {printed(window)} long; there is: {lengths} min")
    return _made(node, Quantity(Sort.NUMBER, part.quantity.unit), [part], window)


def _no_data(node: Call, scope: Scope, _: Check) -> Checked:
    _has_telemetry(node, scope)
    polls = node.args[0]
    if not isinstance(polls, Number) or polls.unit or not 0 < polls.value <= 10_000:
        words = f"{printed(polls)} is no count of polls; write no_data(5), or silent(60 s) for seconds"
        raise Wrong(polls.column, words)
    return _made(node, TRUTH, [], polls)


def _silent(node: Call, scope: Scope, _: Check) -> Checked:
    _has_telemetry(node, scope)
    return _made(node, TRUTH, [], _span(node.args[0], 1e10, 0.0))


def _has_telemetry(node: Call, scope: Scope) -> None:
    if scope.is_service or scope.own not in scope.devices:
        raise Wrong(node.column, f"{scope.own or 'the site'} is no device and sends no points; look at its state")


def _has(node: Call, scope: Scope, check: Check) -> Checked:
    part = check(node.args[0], scope)
    text = printed(part.node)
    if part.quantity.sort is not Sort.FLAGS:
        raise Wrong(part.node.column, f"{text} is {part.quantity.sort} and no list of flags; write has(alarms, 'name')")
    if len(node.args) == 1:
        return _made(node, TRUTH, [part])
    name = node.args[1]
    if isinstance(name, Ref) and not name.device:
        name = Text(name.name, name.column)
    if not isinstance(name, Text):
        raise Wrong(name.column, f"{printed(name)} is no flag; write its name, such as has({text}, 'epo')")
    known = part.quantity.known
    if known is not None and name.value not in known:
        raise Wrong(name.column, f"{text} never holds {name.value!r}; {guess(name.value, known)}")
    return _made(node, TRUTH, [part], name)


_CALLS: dict[str, Callable[[Call, Scope, Check], Checked]] = {
    "abs": _same_unit,
    "min": _same_unit,
    "max": _same_unit,
    "deviation": _deviation,
    "rate": _rate,
    "stuck": _stuck,
    "count": _count,
    "given": _given,
    "no_data": _no_data,
    "silent": _silent,
    "has": _has,
    **dict.fromkeys(OVER_KINDS, _over_kind),
    "projected": _projected,
}
