"""A part of an expression that was found to be right, and what it may stand beside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consumers.alarms.expression.scope import Found, Quantity, Sort
from consumers.alarms.expression.tree import Node, Number, printed
from consumers.alarms.expression.units import UNITS, Unit, named, unit
from consumers.alarms.expression.wrong import Wrong

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


def as_truth(part: Checked, whose: str) -> Checked:
    if part.quantity.sort is Sort.TRUTH:
        return part
    text = printed(part.node)
    known = part.quantity.known or ("fault",)
    state = "fault" if "fault" in known else known[0]
    right = {Sort.NUMBER: f"{text} > 0", Sort.STATE: f"{text} == '{state}'", Sort.FLAGS: f"has({text})"}
    words = f"{text} is {part.quantity.sort}, and {whose} needs a condition, such as {right[part.quantity.sort]}"
    raise Wrong(part.node.column, words)


def as_number(part: Checked, whose: str) -> Checked:
    if part.quantity.sort is Sort.NUMBER:
        return part
    raise Wrong(part.node.column, f"{printed(part.node)} is {part.quantity.sort}, and {whose} needs a number")


def adopt(part: Checked, name: str) -> Checked:
    """A bare number takes a unit."""
    if part.quantity.unit is not None:
        return part
    node = replace(part.node, unit=name) if isinstance(part.node, Number) else part.node
    return Checked(node, Quantity(Sort.NUMBER, name), part.parts, part.found, part.factor)


def alike(parts: Sequence[Checked]) -> list[Checked]:
    """Numbers of one dimension; the bare ones take the unit of the first that has one. Raises Wrong."""
    first = next((part for part in parts if part.unit is not None), None)
    if first is None or first.unit is None:
        return list(parts)
    for part in parts:
        if part.unit is not None and part.unit.dimension != first.unit.dimension:
            raise _apart(first, part)
    return [adopt(part, first.unit.name) for part in parts]


def _apart(left: Checked, right: Checked) -> Wrong:
    ours, other = left.unit or UNITS[""], right.unit or UNITS[""]
    what = f"is in {ours.name}" if ours.name else "is a plain number"
    other_words = "" if isinstance(right.node, Number) else f" (in {other.name})" if other.name else " (a plain number)"
    words = f"{printed(left.node)} {what}, and {printed(right.node)}{other_words} is no {named(ours.dimension)}"
    return Wrong(right.node.column, words)


def no_flags(part: Checked) -> Checked:
    if part.quantity.sort is not Sort.FLAGS:
        return part
    text = printed(part.node)
    raise Wrong(part.node.column, f"{text} is a list of flags; write has({text}, 'name')")
