"""From the text of an expression to its tree, by recursive descent.

either  = both {"or" both}          sum     = term {("+" | "-") term}
both    = negated {"and" negated}   term    = factor {("*" | "/") factor}
negated = "not" negated | compared  factor  = "-" factor | atom
compared = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum | ["not"] "in" "(" name {"," name} ")"]
atom    = number [unit] | text | [device "."] name | function "(" [either {"," either}] ")" | "(" either ")"
"""

from collections.abc import Callable

from consumers.alarms.expression.tokens import INSTEAD, KEYWORDS, Token, tokens
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
)
from consumers.alarms.expression.units import is_unit, no_unit
from consumers.alarms.expression.wrong import Wrong
from schemas.units import LARGEST

DEEPEST = 30
"""Parentheses, functions and signs inside of each other."""
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def parse(text: str) -> Node:
    """The tree of an expression. Raises Wrong, and nothing else, for any other text."""
    reader = _Reader(tokens(text))
    if reader.now.sort == "end":
        raise Wrong(1, 'the expression is empty; write what is wrong, such as "p > 450 kW"')
    node = reader.either()
    if reader.now.sort != "end":
        raise reader.surplus()
    return node


class _Reader:
    def __init__(self, found: list[Token]) -> None:
        self._found, self._at, self._depth = found, 0, 0

    @property
    def now(self) -> Token:
        return self._found[self._at]

    def _next(self) -> Token:
        token = self.now
        self._at += token.sort != "end"
        return token

    def _takes(self, *texts: str) -> Token | None:
        token = self.now
        if token.sort in ("sign", "name") and token.text in texts:
            return self._next()
        return None

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Wrong(self.now.column, f"more than {DEEPEST} things stand inside of each other; split the rule")
        node = read()
        self._depth -= 1
        return node

    def either(self) -> Node:
        column, parts = self.now.column, [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts), column)

    def _both(self) -> Node:
        column, parts = self.now.column, [self._negated()]
        while self._takes("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), column)

    def _negated(self) -> Node:
        token = self._takes("not")
        return Not(self._deeper(self._negated), token.column) if token else self._compared()

    def _compared(self) -> Node:
        left = self._sum()
        token = self.now
        if self._takes(*COMPARISONS):
            node: Node = Compare(left, token.text, self._sum(), token.column)
        elif self._takes("in"):
            node = Among(left, self._names(), token.column)
        elif token.text == "not" and self._found[self._at + 1].text == "in":
            self._next()
            self._next()
            node = Not(Among(left, self._names(), token.column), token.column)
        else:
            return left
        if self.now.text in (*COMPARISONS, "in") and self.now.sort != "text":
            raise Wrong(self.now.column, "a comparison has two sides; join two of them with `and`: a < b and b < c")
        return node

    def _names(self) -> tuple[str, ...]:
        """Of states, with quotes or without."""
        self._expect("(", "after `in` names of states stand in parentheses: in ('off', 'fault')")
        names: list[str] = []
        while True:
            token = self._next()
            if token.sort not in ("text", "name"):
                raise Wrong(token.column, "the name of a state is missing, such as 'fault'")
            names.append(token.text.strip("'\"") if token.sort == "text" else token.text)
            if not self._takes(","):
                break
        self._expect(")", "the parenthesis of the names is not closed; write ) behind the last one")
        return tuple(names)

    def _sum(self) -> Node:
        return self._chain(self._term, "+", "-")

    def _term(self) -> Node:
        return self._chain(self._factor, "*", "/")

    def _chain(self, read: Callable[[], Node], *signs: str) -> Node:
        node = read()
        while token := self._takes(*signs):
            node = Arithmetic(node, token.text, read(), token.column)
        return node

    def _factor(self) -> Node:
        token = self._takes("-")
        if token is None:
            return self._atom()
        if self.now.sort == "number":
            amount = self._number(self._next())
            return Number(-amount.value, amount.unit, token.column)
        return Negate(self._deeper(self._factor), token.column)

    def _atom(self) -> Node:
        token = self._next()
        if token.text == "(" and token.sort == "sign":
            node = self._deeper(self.either)
            self._expect(")", f"the parenthesis of column {token.column} is not closed; write )")
            return node
        match token.sort:
            case "number":
                return self._number(token)
            case "text":
                return Text(token.text[1:-1], token.column)
            case "ref":
                device, name = token.text.split(".")
                return Ref(name, device, token.column)
            case "name" if token.text not in KEYWORDS:
                return self._call(token) if self.now.text == "(" else Ref(token.text, "", token.column)
        where = "at the end" if token.sort == "end" else f"before {token.text!r}"
        raise Wrong(token.column, f"a point, a number or a function is missing {where}")

    def _number(self, token: Token) -> Number:
        value = float(token.text)
        if not abs(value) <= LARGEST:
            raise Wrong(token.column, f"{token.text} lies outside of -{LARGEST:g} to {LARGEST:g}: no plant has that")
        return Number(value, self._unit(), token.column)

    def _unit(self) -> str:
        """What stands behind a number; `K/s` is one unit when no blank is in it."""
        token = self.now
        if self._takes("%"):
            unit = "%"
        elif token.sort == "name" and token.text not in KEYWORDS:
            self._next()
            unit = token.text
        else:
            return ""
        slash, behind = self.now, self._found[min(self._at + 1, len(self._found) - 1)]
        joined = slash.text == "/" and slash.column == token.end and behind.column == slash.end
        if joined and (is_unit(f"{unit}/{behind.text}") or (is_unit(unit) and is_unit(behind.text))):
            unit = f"{unit}/{behind.text}"
            self._at += 2
        if not is_unit(unit):
            raise Wrong(token.column, no_unit(unit))
        return unit

    def _call(self, name: Token) -> Call:
        opened, args = self._next(), list[Node]()
        if not self._takes(")"):
            args.append(self._deeper(self.either))
            while self._takes(","):
                args.append(self._deeper(self.either))
            self._expect(")", f"the parenthesis of column {opened.column} is not closed; write )")
        return Call(name.text, tuple(args), name.column)

    def _expect(self, sign: str, words: str) -> None:
        if self.now.sort != "sign" or not self._takes(sign):
            raise Wrong(self.now.column, words)

    def surplus(self) -> Wrong:
        token = self.now
        meant = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in"}.get(token.text, INSTEAD.get(token.text))
        if token.text == ")":
            return Wrong(token.column, "this parenthesis was never opened; take it out, or write ( before")
        hint = f"did you mean {meant!r}?" if meant else "join two conditions with `and` or `or`"
        return Wrong(token.column, f"{token.text} does not go on from what stands before it; {hint}")
