"""An expression as a tree. Two that mean the same have the same tree, wherever they stand in their text."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    unit: str = ""
    """As it was written; empty for a bare number, which takes the unit of the other side."""
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Ref:
    """A point, a word of a device or a value of the site."""

    name: str
    device: str = ""
    """Or a kind, or `site`; empty for the device of the rule."""
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: "tuple[Node, ...]"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    of: "Node"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    left: "Node"
    sign: str
    right: "Node"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    left: "Node"
    sign: str
    right: "Node"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """`left in ('a', 'b')`."""

    left: "Node"
    names: tuple[str, ...]
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    of: "Node"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Both:
    """`a and b and c`"""

    parts: "tuple[Node, ...]"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Either:
    """`a or b or c`"""

    parts: "tuple[Node, ...]"
    column: int = field(default=1, compare=False)


Node = Number | Text | Ref | Call | Negate | Arithmetic | Compare | Among | Not | Both | Either

LEVEL: dict[type, int] = {Either: 1, Both: 2, Not: 3, Compare: 4, Among: 4, Arithmetic: 5, Negate: 7}
"""How loosely a node binds: one that stands below a tighter one needs parentheses. `*` and `/` bind one tighter."""
ATOM = 9


def printed(node: Node) -> str:  # noqa: PLR0911  # one case per kind of node
    """The canonical text: it is parsed to the same tree."""
    match node:
        case Number(value, unit):
            return f"{number(value)} {unit}".rstrip()
        case Text(value):
            return quoted(value)
        case Ref(name, device):
            return f"{device}.{name}" if device else name
        case Call(name, args):
            return f"{name}({', '.join(map(printed, args))})"
        case Negate(of):
            return "-" + (f"({printed(of)})" if isinstance(of, Number) else _inside(of, 7))
        case Arithmetic(left, sign, right):
            level = _level(node)
            return f"{_inside(left, level)} {sign} {_inside(right, level + 1)}"
        case Compare(left, sign, right):
            return f"{_inside(left, 5)} {sign} {_inside(right, 5)}"
        case Among(left, names):
            return f"{_inside(left, 5)} in ({', '.join(map(quoted, names))})"
        case Not(of):
            return f"not {_inside(of, 3)}"
        case Both(parts):
            return " and ".join(_inside(part, 3) for part in parts)
        case Either(parts):
            return " or ".join(_inside(part, 2) for part in parts)


def references(node: Node) -> Iterator[Ref]:
    """All that it names; also a state or a flag that stands without quotes."""
    match node:
        case Ref():
            yield node
        case Call(_, parts) | Both(parts) | Either(parts):
            for part in parts:
                yield from references(part)
        case Arithmetic(left, _, right) | Compare(left, _, right):
            yield from references(left)
            yield from references(right)
        case Negate(of) | Not(of) | Among(of):
            yield from references(of)


def number(value: float) -> str:
    """The shortest text that is read as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


def _level(node: Node) -> int:
    tight = isinstance(node, Arithmetic) and node.sign in "*/"
    return LEVEL.get(type(node), ATOM) + tight


def _inside(node: Node, least: int) -> str:
    text = printed(node)
    return text if _level(node) >= least else f"({text})"
