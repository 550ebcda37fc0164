"""Whether an expression fits what it names: points that are there, units that go together, states that are said."""

from collections.abc import Sequence

from consumers.alarms.expression.calls import call
from consumers.alarms.expression.checked import BARE, TRUTH, Checked, adopt, alike, as_number, as_truth, no_flags
from consumers.alarms.expression.names import find
from consumers.alarms.expression.scope import Quantity, Scope, Sort
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
from consumers.alarms.expression.units import UNITS, Unit, product, quotient
from consumers.alarms.expression.wrong import Wrong, guess


def condition(node: Node, scope: Scope) -> Checked:
    """An expression that is true or false. Raises Wrong."""
    return as_truth(check(node, scope), "an alarm")


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
        case Call():
            return call(node, scope, check)
        case Negate(of):
            part = as_number(check(of, scope), "a minus")
            if part.unit is not None and part.unit.dimension == "temperature":
                raise Wrong(node.column, f"minus {printed(of)} is no temperature; write a difference of two")
            return Checked(Negate(part.node, node.column), part.quantity, (part,))
        case Arithmetic(left, sign, right):
            sides = [as_number(check(side, scope), f"{sign!r}") for side in (left, right)]
            return _sum(node, *sides) if sign in "+-" else _product(node, *sides)
        case Compare():
            return _compare(node, scope)
        case Among(left, names):
            part = check(left, scope)
            _said(part, names, node.column)
            return Checked(Among(part.node, names, node.column), TRUTH, (part,))
        case Not(of):
            part = as_truth(check(of, scope), "`not`")
            return Checked(Not(part.node, node.column), TRUTH, (part,))
        case Both(parts):
            every = tuple(as_truth(check(part, scope), "`and`") for part in parts)
            return Checked(Both(tuple(one.node for one in every), node.column), TRUTH, every)
        case Either(parts):
            every = tuple(as_truth(check(part, scope), "`or`") for part in parts)
            return Checked(Either(tuple(one.node for one in every), node.column), TRUTH, every)


def _sum(node: Arithmetic, left: Checked, right: Checked) -> Checked:
    minus = node.sign == "-"
    kinds = [None if part.unit is None else part.unit.dimension for part in (left, right)]
    name: str | None
    match kinds:
        case ["temperature", None | "difference"]:
            right, name = adopt(right, "K"), "degC"
        case [None | "difference", "temperature"] if not minus:
            left, name = adopt(left, "K"), "degC"
        case ["temperature", "temperature"] | [None, "temperature"] if minus:
            left, name = adopt(left, "degC"), "K"
        case ["temperature", "temperature"]:
            words = f"two temperatures have no sum: {printed(left.node)} and {printed(right.node)}; add K, or subtract"
            raise Wrong(node.column, words)
        case ["difference", "temperature"]:
            words = f"{printed(right.node)} is a temperature, and nothing is left of a difference in K; turn them round"
            raise Wrong(right.node.column, words)
        case _:
            left, right = alike([left, right])
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
        sides = alike([as_number(no_flags(side), node.sign) for side in sides])
    return Checked(Compare(sides[0].node, node.sign, sides[1].node, node.column), TRUTH, tuple(sides))


def _said(part: Checked, names: Sequence[str], column: int) -> None:
    """Names that a state may say."""
    part = no_flags(part)
    text = printed(part.node)
    if part.quantity.sort is not Sort.STATE:
        raise Wrong(part.node.column, f"{text} is {part.quantity.sort} and says no names; compare it with a number")
    known = part.quantity.known
    for name in names:
        if known is not None and name not in known:
            raise Wrong(column, f"{text} is never {name!r}; {guess(name, known)}")
