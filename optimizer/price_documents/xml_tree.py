"""A small XML document as a tree whose elements know their lines. Pure.

A document type is refused before anything of it is expanded: no publisher of prices writes one, and entities that
hold each other fill any memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from optimizer.price_documents.wanted import Unreadable

DEEPEST = 40
"""Elements inside of each other; a price document has six."""


@dataclass
class Element:
    """`name` is without its namespace: it changes with each version of a schema."""

    name: str
    line: int
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Element"]:
        """Its children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, *names: str) -> "Element | None":
        """The first of a path of names below."""
        found: Element | None = self
        for name in names:
            found = next(found.all(name), None) if found else None
        return found

    def said(self, *names: str) -> str:
        """The text of the first of a path of names; empty where it is not."""
        found = self.first(*names)
        return found.text.strip() if found else ""

    def need(self, *names: str) -> "Element":
        """The same, which must be there. Raises Unreadable."""
        found = self.first(*names)
        if found is None or (not found.text.strip() and not found.children):
            raise Unreadable(f"{self.name} has no {'.'.join(names)}", self.line)
        return found


class _Tree:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.root = Element("", 0)
        self._open = [self.root]

    def _start(self, name: str, _: object) -> None:
        if len(self._open) > DEEPEST:
            raise Unreadable(f"more than {DEEPEST} elements inside of each other", self.parser.CurrentLineNumber)
        found = Element(name.rpartition(" ")[2], self.parser.CurrentLineNumber)
        self._open[-1].children.append(found)
        self._open.append(found)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse(self, *_: object) -> None:
        raise Unreadable("a document type (<!DOCTYPE>) is refused: no price document has one",
                         self.parser.CurrentLineNumber)  # fmt: skip


def parse(document: bytes) -> Element:
    """The outermost element. Raises Unreadable with the line."""
    tree = _Tree()
    try:
        tree.parser.Parse(document, True)
    except expat.ExpatError as wrong:
        why = expat.errors.messages.get(wrong.code, str(wrong)) if wrong.code else str(wrong)
        raise Unreadable(f"no whole XML, it may be cut off: {why}; fetch it again", wrong.lineno) from None
    except (LookupError, ValueError) as wrong:
        raise Unreadable(f"XML that cannot be read: {wrong}", 1) from None
    return tree.root.children[0]
