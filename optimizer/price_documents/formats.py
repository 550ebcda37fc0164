"""The formats of prices, in one table: how each is recognised by what stands in it, and who reads it. Pure."""

import codecs
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NoReturn

from optimizer.price_documents import awattar, entsoe, entsoe_table, nordpool, omie, table, tibber, xml_tree
from optimizer.price_documents.packed import unpacked
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted
from optimizer.published import Contradiction, Published, Row, join, publish


@dataclass(frozen=True)
class Format:
    """`knows` and `rows` take what the shape of the document gives: a root element, a JSON value, or a text."""

    name: str
    knows: Callable[[Any], bool]
    rows: Callable[[Any, Wanted], list[Row]]


OWN = Format("CSV", lambda _: True, table.rows)
XML = (Format("ENTSO-E", entsoe.knows, entsoe.rows),)
JSON = (
    Format("Nord Pool", nordpool.knows, nordpool.rows),
    Format("aWATTar", awattar.knows, awattar.rows),
    Format("Tibber", tibber.knows, tibber.rows),
)
TEXT = (
    Format("OMIE", omie.knows, omie.rows),
    Format("Nord Pool", nordpool.knows_table, nordpool.table_rows),
    Format("ENTSO-E", entsoe_table.knows, entsoe_table.rows),
    OWN,
)


@dataclass(frozen=True)
class Document:
    """What one file gave."""

    format: str
    published: Published


def read_document(content: bytes, wanted: Wanted) -> Document:
    """The prices of a file, packed or not. Raises Unreadable with the line or the element."""
    parts = []
    for name, one in unpacked(content):
        try:
            parts.append(_read(one, wanted))
        except Unreadable as wrong:
            if not name:
                raise
            raise type(wrong)(str(wrong), wrong.line, " ".join(filter(None, (name, wrong.place)))) from None
    names = sorted({one.format for one in parts})
    if len(names) > 1:
        raise Unreadable(f"it holds documents of {' and '.join(names)}: one publisher in each")
    return Document(names[0], join([one.published for one in parts]))


def _read(content: bytes, wanted: Wanted) -> Document:
    content = content.removeprefix(codecs.BOM_UTF8)
    begins = content.lstrip()[:400].lower()
    if begins.startswith((b"<!doctype html", b"<html")):
        raise Unreadable("a page of HTML, not prices: the download failed, open it in a browser to see why", 1)
    if begins.startswith(b"<"):
        return _of(XML, xml_tree.parse(content), wanted, "XML")
    if begins.startswith((b"{", b"[")):
        return _of(JSON, _json(content), wanted, "JSON")
    try:
        text = content.decode()
    except UnicodeDecodeError as wrong:
        line = content[: wrong.start].count(b"\n") + 1
        raise Unreadable("it cannot be read: it is not UTF-8; save it as CSV UTF-8", line) from None
    return _of(TEXT, text, wanted, "text")


def _of(formats: Sequence[Format], found: object, wanted: Wanted, shape: str) -> Document:
    one = next((one for one in formats if one.knows(found)), None)
    if one is None:
        known = ", ".join(f"{one.name}" for one in formats)
        raise Unreadable(f"{shape} of an unknown kind; as {shape} prices come from {known}", 1)
    try:
        rows = one.rows(found, wanted)
    except csv.Error as wrong:
        raise Unreadable(f"no table: {wrong}", 1) from None
    if not rows and one is not OWN:
        raise NoPrices("it holds no price")
    try:
        return Document(one.name, _of_resolution(rows, wanted))
    except Contradiction as wrong:
        raise Unreadable(str(wrong), wrong.row.line, wrong.row.place) from wrong


def _of_resolution(rows: Sequence[Row], wanted: Wanted) -> Published:
    """Where two resolutions stand beside each other, the wanted one holds. Raises Contradiction."""
    if wanted.minutes is None or any(row.end is None for row in rows):
        return publish(rows)
    step = timedelta(minutes=wanted.minutes)
    mine = [row for row in rows if row.end is not None and row.end - row.start == step]
    others = [row for row in rows if row.end is None or row.end - row.start != step]
    found = join([publish(others), publish(mine)])
    return replace(found, corrected=0)


def _json(content: bytes) -> object:
    def refuse(word: str) -> NoReturn:
        raise Unreadable(f"{word} is no price")

    try:
        return json.loads(content, parse_constant=refuse)
    except json.JSONDecodeError as wrong:
        raise Unreadable(f"no whole JSON, it may be cut off: {wrong.msg}; fetch it again", wrong.lineno) from None
    except (ValueError, RecursionError) as wrong:
        raise Unreadable(f"no JSON: {wrong!s:.120}", 1) from None
