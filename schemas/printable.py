"""The text of strangers, made safe to be said again: in a message, in a line of a log, on a page."""

import json
from collections.abc import Mapping

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, most: int = 500) -> str:
    """The text, cut to `most` characters, with \ufffd for each that cannot be said again.

    Half of a surrogate pair is no UTF-8: who tries to say it ends. A line end makes a second line of a log, an escape
    sequence moves the cursor of who reads it, and a mark can turn the reading direction.
    """
    return "".join(letter if letter.isprintable() else UNPRINTABLE for letter in text[:most])


def asked_id(payload: bytes) -> str:
    """The id in a payload that is not valid, so that its sender learns of the refusal; `unknown` when there is none."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return "unknown"
    given = found.get("id") if isinstance(found, Mapping) else None
    return printable(given, 64) if isinstance(given, str) and given else "unknown"
