"""The words an expression is made of.

A hyphen that touches a name on both sides is a part of it: `pcs-1.p` is one reference, and a difference is written
with blanks, `p - ccl`.
"""

import re
from typing import NamedTuple

from consumers.alarms.expression.wrong import Wrong

LONGEST, MOST = 1000, 200
"""Characters, and words, of an expression."""

KEYWORDS = ("and", "or", "not", "in")
INSTEAD = {
    "=": "==",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
    "<>": "!=",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "·": "*",
    "×": "*",
    "^": "*",
    "**": "*",
    "°C": "degC",
    "°": "deg",
    "Ω": "Ohm",
    "‰": "%",
}
"""What other languages write, and how it is written here."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<ref>[a-z_][a-z0-9_-]*\.[a-z0-9_-]+ | [0-9][a-z0-9_-]*\.[a-z_][a-z0-9_-]*)
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<odd>&&|\|\||<>|\*\*|°C)
    | (?P<sign><=|>=|==|!=|[<>+*/(),%-])
    | (?P<other>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    sort: str
    """`ref`, `number`, `name`, `text`, `sign`, or `end`."""
    text: str
    column: int
    end: int
    """The column behind it."""


def tokens(text: str) -> list[Token]:
    """All words of an expression and its end. Raises Wrong."""
    if len(text) > LONGEST:
        raise Wrong(LONGEST, f"an expression has at most {LONGEST} characters; split the rule in two")
    found: list[Token] = []
    place, stop = 0, len(text.rstrip())
    while place < stop:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:  # only blanks are left
            break
        token = Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1, match.end() + 1)
        if token.sort in ("odd", "other"):
            raise _strange(token)
        found.append(token)
        if len(found) > MOST:
            raise Wrong(token.column, f"an expression has at most {MOST} words; split the rule in two")
        place = match.end()
    return [*found, Token("end", "", stop + 1, stop + 1)]


def _strange(token: Token) -> Wrong:
    if token.text in "'\"":
        return Wrong(token.column, f"the text is not closed; write {token.text} at its end, too")
    if token.text in INSTEAD:
        return Wrong(token.column, f"{token.text!r} is not known here; did you mean {INSTEAD[token.text]!r}?")
    if token.text == ".":
        return Wrong(token.column, "a point stands between a device and what it has, such as meter.p, or in a number")
    return Wrong(token.column, f"{token.text!r} means nothing here; write names, numbers and + - * / < > = ( )")
