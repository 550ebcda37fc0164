"""Whether an expression fits what it names: points that are there, units that go together, states that are said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from consumers.alarms.expression.functions import FUNCTIONS, LONGEST_SPAN, OVER_KINDS, WINDOWS
from consumers.alarms.expression.names import find, of_kind
from consumers.alarms.expression.scope import Found, Quantity, Scope, Sort
from consumers.alarms.expression.tree import (
    Among,
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
    Negate,
    Node,
    Not,
    Number,
    Ref,
    Text,
    printed,
)
from consumers.alarms.expression.units import UNITS, Unit, difference, named, per_second, product, quotient, unit
from consumers.alarms.expression.wrong import Wrong, guess

BARE = Quantity(Sort.NUMBER)
TRUTH = Quantity(Sort.TRUTH)


@dataclass(frozen=True, slots=True)
class Checked:
    """A part of an expression that was found to be right."""

    node: Node
    """With the units that its bare numbers took."""
    quantity: Quantity
    parts: "tuple[Checked, ...]" = ()
    found: Found | None = None
    """Of a reference."""
    factor: float = 1.0
    """Of a product or a quotient: what it is multiplied with to be in its unit."""

    @property
    def unit(self) -> Unit | None:
        return None if self.quantity.unit is None else unit(self.quantity.unit)


def condition(node: Node, scope: Scope) -> Checked:
    """An expression that is true or false. Raises Wrong."""
    return _truth(check(node, scope), "an alarm")


def check(node: Node, scope: Scope) -> Checked:  # noqa: PLR0911  # one case per kind of node
    """Raises Wrong."""
    match node:
        case Number(_, name):
            return Checked(node, Quantity(Sort.NUMBER, name or None))
        case Text(value):
            raise Wrong(node.column, f"'{value}' is a name: it stands behind == or !=, or in has(flags, 'name')")
        case Ref():
            found = find(node, scope)
            return Checked(node, found.quantity, found=found)
        case Call(name):
            return _call(node, name, scope)
        case Negate(of):
            part = _number(check(of, scope), "a minus")
            if part.unit is not None and part.unit.dimension == "temperature":
                raise Wrong(node.column, f"minus {printed(of)} is no temperature; write a difference of two")
            return Checked(Negate(part.node, node.column), part.quantity, (part,))
        case Arithmetic(left, sign, right):
            sides = [_number(check(side, scope), f"{sign!r}") for side in (left, right)]
            return _sum(node, *sides) if sign in "+-" else _product(node, *sides)
        case Compare():
            return _compare(node, scope)
        case Among(left, names):
            part = check(left, scope)
            _said(part, names, node.column)
            return Checked(Among(part.node, names, node.column), TRUTH, (part,))
        case Not(of):
            part = _truth(check(of, scope), "`not`")
            return Checked(Not(part.node, node.column), TRUTH, (part,))
        case Both(parts):
            every = tuple(_truth(check(part, scope), "`and`") for part in parts)
            return Checked(Both(tuple(one.node for one in every), node.column), TRUTH, every)
        case Either(parts):
            every = tuple(_truth(check(part, scope), "`or`") for part in parts)
            return Checked(Either(tuple(one.node for one in every), node.column), TRUTH, every)


def _truth(part: Checked, whose: str) -> Checked:
    if part.quantity.sort is Sort.TRUTH:
        return part
    text = printed(part.node)
    right = {Sort.NUMBER: f"{text} > 0", Sort.STATE: f"{text} == 'fault'", Sort.FLAGS: f"has({text})"}
    words = f"{text} is {part.quantity.sort}, and {whose} needs a condition, such as {right[part.quantity.sort]}"
    raise Wrong(part.node.column, words)


def _number(part: Checked, whose: str) -> Checked:
    if part.quantity.sort is Sort.NUMBER:
        return part
    raise Wrong(part.node.column, f"{printed(part.node)} is {part.quantity.sort}, and {whose} needs a number")


def _adopt(part: Checked, name: str) -> Checked:
    """A bare number takes a unit."""
    if part.quantity.unit is not None:
        return part
    node = replace(part.node, unit=name) if isinstance(part.node, Number) else part.node
    return Checked(node, Quantity(Sort.NUMBER, name), part.parts, part.found, part.factor)


def _alike(parts: Sequence[Checked]) -> list[Checked]:
    """Numbers of one dimension; the bare ones take the unit of the first that has one. Raises Wrong."""
    first = next((part for part in parts if part.unit is not None), None)
    if first is None or first.unit is None:
        return list(parts)
    for part in parts:
        if part.unit is not None and part.unit.dimension != first.unit.dimension:
            raise _apart(first, part)
    return [_adopt(part, first.unit.name) for part in parts]


def _apart(left: Checked, right: Checked) -> Wrong:
    ours, other = left.unit or UNITS[""], right.unit or UNITS[""]
    what = f"is in {ours.name}" if ours.name else "is a plain number"
    other_words = "" if isinstance(right.node, Number) else f" (in {other.name})" if other.name else " (a plain number)"
    words = f"{printed(left.node)} {what}, and {printed(right.node)}{other_words} is no {named(ours.dimension)}"
    return Wrong(right.node.column, words)


def _sum(node: Arithmetic, left: Checked, right: Checked) -> Checked:
    minus = node.sign == "-"
    kinds = [None if part.unit is None else part.unit.dimension for part in (left, right)]
    name: str | None
    match kinds:
        case ["temperature", None | "difference"]:
            right, name = _adopt(right, "K"), "degC"
        case [None | "difference", "temperature"] if not minus:
            left, name = _adopt(left, "K"), "degC"
        case ["temperature", "temperature"] | [None, "temperature"] if minus:
            left, name = _adopt(left, "degC"), "K"
        case ["temperature", "temperature"]:
            words = f"two temperatures have no sum: {printed(left.node)} and {printed(right.node)}; add K, or subtract"
            raise Wrong(node.column, words)
        case ["difference", "temperature"]:
            words = f"{printed(right.node)} is a temperature, and nothing is left of a difference in K; turn them round"
            raise Wrong(right.node.column, words)
        case _:
            left, right = _alike([left, right])
            name = left.quantity.unit
    return Checked(
        Arithmetic(left.node, node.sign, right.node, node.column), Quantity(Sort.NUMBER, name), (left, right)
    )


def _product(node: Arithmetic, left: Checked, right: Checked) -> Checked:
    times = node.sign == "*"
    if left.unit is None and right.unit is None:
        made: tuple[Unit, float] | None = None
    else:
        made = (product if times else quotient)(left.unit or UNITS[""], right.unit or UNITS[""])
        if made is None:
            raise Wrong(node.column, _no_product(left, right, "times" if times else "divided by"))
    tree = Arithmetic(left.node, node.sign, right.node, node.column)
    if made is None:
        return Checked(tree, BARE, (left, right))
    return Checked(tree, Quantity(Sort.NUMBER, made[0].name), (left, right), factor=made[1])


def _no_product(left: Checked, right: Checked, verb: str) -> str:
    names = [part.unit.name if part.unit and part.unit.name else "a plain number" for part in (left, right)]
    hint = "; take a difference in K" if "degC" in names else ""
    return f"{names[0]} {verb} {names[1]} has no unit here: {printed(left.node)} and {printed(right.node)}{hint}"


def _compare(node: Compare, scope: Scope) -> Checked:
    left, right = node.left, node.right
    if isinstance(left, Text) and not isinstance(right, Text) and node.sign in ("==", "!="):
        left, right = right, left
    if isinstance(right, Text):
        part = check(left, scope)
        if node.sign not in ("==", "!="):
            raise Wrong(node.column, f"a name is no number: {node.sign} needs one; write == or !=")
        _said(part, [right.value], right.column)
        return Checked(Compare(part.node, node.sign, right, node.column), TRUTH, (part,))
    ours = check(left, scope)
    bare = isinstance(right, Ref) and not right.device and right.name in (ours.quantity.known or ())
    if bare and isinstance(right, Ref) and ours.quantity.sort is Sort.STATE:
        raise Wrong(right.column, f"{right.name} is the name of a state; write '{right.name}'")
    sides = [ours, check(right, scope)]
    sorts = {side.quantity.sort for side in sides}
    if sorts == {Sort.STATE} and node.sign in ("==", "!="):
        pass
    else:
        sides = _alike([_number(_no_flags(side), node.sign) for side in sides])
    return Checked(Compare(sides[0].node, node.sign, sides[1].node, node.column), TRUTH, tuple(sides))


def _no_flags(part: Checked) -> Checked:
    if part.quantity.sort is not Sort.FLAGS:
        return part
    text = printed(part.node)
    raise Wrong(part.node.column, f"{text} is a list of flags; write has({text}, 'name')")


def _said(part: Checked, names: Sequence[str], column: int) -> None:
    """Names that a state may say."""
    part = _no_flags(part)
    text = printed(part.node)
    if part.quantity.sort is not Sort.STATE:
        raise Wrong(part.node.column, f"{text} is {part.quantity.sort} and says no names; compare it with a number")
    known = part.quantity.known
    for name in names:
        if known is not None and name not in known:
            raise Wrong(column, f"{text} is never {name!r}; {guess(name, known)}")


def _call(node: Call, name: str, scope: Scope) -> Checked:
    function = FUNCTIONS.get(name)
    if function is None:
        raise Wrong(node.column, f"there is no function {name!r}; {guess(name, FUNCTIONS)}")
    if not function.least <= len(node.args) <= function.most:
        count = f"{function.least}" if function.least == function.most else f"{function.least} or more"
        count = "1 or 2" if name == "has" else count
        raise Wrong(node.column, f"{name} is given {count}: write {function.form}")
    return _CALLS[name](node, scope)


def _made(node: Call, quantity: Quantity, parts: Sequence[Checked], *rest: Node) -> Checked:
    args = (*(part.node for part in parts), *rest)
    return Checked(Call(node.name, args, node.column), quantity, tuple(parts))


def _numbers(node: Call, scope: Scope) -> list[Checked]:
    return _alike([_number(check(arg, scope), node.name) for arg in node.args])


def _same_unit(node: Call, scope: Scope) -> Checked:
    parts = _numbers(node, scope)
    return _made(node, Quantity(Sort.NUMBER, parts[0].quantity.unit), parts)


def _deviation(node: Call, scope: Scope) -> Checked:
    parts = _numbers(node, scope)
    first = parts[0].unit
    return _made(node, Quantity(Sort.NUMBER, None if first is None else difference(first).name), parts)


def _over_kind(node: Call, scope: Scope) -> Checked:
    given: list[Checked] = []
    for arg in node.args:
        several = of_kind(arg, scope) if isinstance(arg, Ref) else None
        given += [check(arg, scope)] if several is None else [check(one, scope) for one in several]
    parts = _alike([_number(part, node.name) for part in given])
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


def _rate(node: Call, scope: Scope) -> Checked:
    part = _number(check(node.args[0], scope), "rate")
    of = part.unit
    speed = None if of is None else per_second(of)
    if speed is None:
        raise Wrong(node.column, f"{printed(part.node)} has no rate; write rate(cell_t_max, 60 s)")
    return _made(node, Quantity(Sort.NUMBER, speed.name), [part], _span(node.args[1], LONGEST_SPAN))


def _stuck(node: Call, scope: Scope) -> Checked:
    part = check(node.args[0], scope)
    if part.quantity.sort is Sort.TRUTH or not isinstance(part.node, Ref | Arithmetic | Call | Negate):
        raise Wrong(part.node.column, f"{printed(part.node)} does not move; write stuck(p, 10 min)")
    return _made(node, TRUTH, [part], _span(node.args[1], LONGEST_SPAN))


def _count(node: Call, scope: Scope) -> Checked:
    part = _truth(check(node.args[0], scope), "count")
    return _made(node, Quantity(Sort.NUMBER, ""), [part], _span(node.args[1], LONGEST_SPAN))


def _projected(node: Call, scope: Scope) -> Checked:
    part = _number(check(node.args[0], scope), "projected")
    window = _span(node.args[1], max(WINDOWS))
    if part.unit is None:
        raise Wrong(part.node.column, f"{printed(part.node)} does not change; write projected(p, 15 min)")
    if window.value * unit(window.unit).factor not in WINDOWS:
        lengths = ", ".join(f"{length / 60:g}" for length in WINDOWS)
        raise Wrong(window.column, f"no window of the clock is {printed(window)} long; there is: {lengths} min")
    return _made(node, Quantity(Sort.NUMBER, part.quantity.unit), [part], window)


def _no_data(node: Call, scope: Scope) -> Checked:
    _has_telemetry(node, scope)
    polls = node.args[0]
    if not isinstance(polls, Number) or polls.unit or not 0 < polls.value <= 10_000:
        words = f"{printed(polls)} is no count of polls; write no_data(5), or silent(60 s) for seconds"
        raise Wrong(polls.column, words)
    return _made(node, TRUTH, [], polls)


def _silent(node: Call, scope: Scope) -> Checked:
    _has_telemetry(node, scope)
    return _made(node, TRUTH, [], _span(node.args[0], 1e10, 0.0))


def _has_telemetry(node: Call, scope: Scope) -> None:
    if scope.is_service or scope.own not in scope.devices:
        raise Wrong(node.column, f"{scope.own or 'the site'} is no device and sends no points; look at its state")


def _has(node: Call, scope: Scope) -> Checked:
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


_CALLS: dict[str, Callable[[Call, Scope], Checked]] = {
    "abs": _same_unit,
    "min": _same_unit,
    "max": _same_unit,
    "deviation": _deviation,
    "rate": _rate,
    "stuck": _stuck,
    "count": _count,
    "no_data": _no_data,
    "silent": _silent,
    "has": _has,
    **dict.fromkeys(OVER_KINDS, _over_kind),
    "projected": _projected,
}
