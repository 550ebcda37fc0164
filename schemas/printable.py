"""The text of strangers, made safe to be said again: in a message, in a line of a log, on a page."""

import json
from collections.abc import Mapping
from typing import NamedTuple

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, most: int = 500) -> str:
    """The text, cut to `most` characters, with \ufffd for each that cannot be said again.

    Half of a surrogate pair is no UTF-8: who tries to say it ends. A line end makes a second line of a log, an escape
    sequence moves the cursor of who reads it, and a mark can turn the reading direction.
    """
    return "".join(letter if letter.isprintable() else UNPRINTABLE for letter in text[:most])


def cell(value: object) -> object:
    """A value for a CSV file: a text that a spreadsheet would take for a formula gets a quote in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


class Asked(NamedTuple):
    """What can be read of a request that is not valid."""

    id: str = "unknown"
    who: str = ""
    wish: str = ""


def asked(payload: bytes) -> Asked:
    """Who asks for what, as far as a payload says so, so that its sender learns of the refusal."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return Asked()
    said = found if isinstance(found, Mapping) else {}
    words = {name: _text(said.get(name)) for name in ("id", "who", "mode", "action")}
    return Asked(words["id"] or "unknown", words["who"], words["mode"] or words["action"])


def _text(given: object) -> str:
    return printable(given, 64) if isinstance(given, str) else ""
