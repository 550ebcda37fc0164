"""Bad input, said in words: the file, the field, what is wrong and what would be right."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError


class Trouble(Exception):
    """Something the person at the keyboard can put right. Printed without a traceback."""

    @classmethod
    def unknown(cls, what: str, name: str, known: Iterable[str], where: str = "") -> Trouble:
        """`what` does not exist; says which of the known names was probably meant."""
        known = list(known)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(known) or 'none'}"
        return cls(f"{where}: {what} does not exist; {hint}" if where else f"{what} does not exist; {hint}")


def explain(path: Path, wrong: Exception) -> Trouble:
    """A Trouble with one line per mistake in a TOML file, each with its line where that can be told."""
    if isinstance(wrong, tomllib.TOMLDecodeError):
        return Trouble(f"{path}: not valid TOML: {wrong}")
    if not isinstance(wrong, ValidationError):
        return Trouble(f"{path}: {wrong}")
    text = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = []
    for error in wrong.errors(include_url=False):
        place = [str(part) for part in error["loc"]]
        line = _line(text, place)
        where = f"{path}:{line}" if line else str(path)
        field = ".".join(place) or "the file"
        lines.append(f"{where}: {field}: {_say(error['type'], error['msg'], error.get('input'))}")
    return Trouble("\n".join(lines))


def _say(kind: str, message: str, given: object) -> str:
    match kind:
        case "extra_forbidden":
            return "unknown key; take it out or correct its spelling"
        case "missing":
            return "is missing"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return f"{message[0].lower()}{message[1:]} (given: {given!r})"


def _line(text: list[str], place: list[str]) -> int | None:
    """The line of the last part of `place` that is written in the file as a key, below its table."""
    start, found = 0, None
    for part in place:
        if part.isdigit():
            tables = [n for n, line in enumerate(text) if line.startswith("[[")]
            if int(part) < len(tables):
                start = tables[int(part)]
                found = start + 1
            continue
        for number, line in enumerate(text[start:], start):
            stripped = line.strip()
            if stripped.startswith((f"{part} ", f"{part}=")) or stripped.strip("[]").split(".")[-1] == part:
                start, found = number, number + 1
                break
    return found
