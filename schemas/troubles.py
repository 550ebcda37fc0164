"""Bad input, said in words: the file, the field, what is wrong and what would be right."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from schemas.units import CURRENCY, EPOCH, ID, NAME, SIGNATURE, plain_letters

NEEDS = {
    "list_type": "needs a list: [...]",
    "tuple_type": "needs a list: [...]",
    "dict_type": "needs a table: { key = value }",
    "model_type": "needs a table: { key = value }",
    "model_attributes_type": "needs a table: { key = value }",
    "timezone_aware": "a time needs its zone, such as 2026-06-21T12:00:00Z",
}
"""What would be right, where pydantic speaks of its own types."""

NUMBERS = {"float_type", "float_parsing", "int_type", "int_parsing"}

WRITTEN = {
    ID: "letters, digits and _ . : - alone, such as plan-17",
    EPOCH: "16 digits of 0-9 and a-f",
    SIGNATURE: "64 digits of 0-9 and a-f",
}
"""How a text looks that has to have a pattern, for people."""


class Trouble(Exception):
    """Something the person at the keyboard can put right. Printed without a traceback."""

    @classmethod
    def unknown(cls, what: str, name: str, known: Iterable[str], where: str = "") -> Trouble:
        """`what` does not exist; says which of the known names was probably meant."""
        known = list(known)
        hint = _meant(name, known) or f"there is: {', '.join(known) or 'none'}"
        return cls(f"{where}: {what} does not exist; {hint}" if where else f"{what} does not exist; {hint}")


class Usage(Trouble):
    """The same of what was typed behind a command."""


def of_the_machine(wrong: OSError, *, named: bool = True) -> str:
    """What the system has refused: the file where it names one and it shall be `named`, and why."""
    why = wrong.strerror or str(wrong) or type(wrong).__name__
    files = " and ".join(str(one) for one in (wrong.filename, wrong.filename2) if one is not None and named)
    return f"{files}: {why[:1].lower()}{why[1:]}" if files else why


def explain(
    path: Path,
    wrong: Exception,
    shape: type[BaseModel] | None = None,
    whose: Callable[[tuple[str | int, ...]], str] = lambda _: "",
) -> Trouble:
    """A Trouble with one line per mistake in a TOML file, each with its line where that can be told.

    With the `shape` the file should have, a key that it does not know is compared with those it knows.
    `whose` says how the sentence about a place begins.
    """
    if isinstance(wrong, tomllib.TOMLDecodeError):
        return _twice(path, shape) or _not_toml(path, str(wrong))
    if isinstance(wrong, UnicodeDecodeError):
        return Trouble(f"{path}: is no text in UTF-8: byte {wrong.start + 1} cannot be read; is it the right file?")
    if not isinstance(wrong, ValidationError):
        return Trouble(f"{path}: {of_the_machine(wrong, named=False) if isinstance(wrong, OSError) else wrong}")
    found = mistakes_of(wrong, shape, whose)
    return point_at(path, found)


def mistakes_of(
    wrong: ValidationError,
    shape: type[BaseModel] | None = None,
    whose: Callable[[tuple[str | int, ...]], str] = lambda _: "",
) -> list[tuple[str, str]]:
    """Each mistake with its place, such as `points.p.scale`, and in words. `shape` and `whose` as in `explain`."""
    known, found = _keys(shape) if shape else [], list[tuple[str, str]]()
    for error in wrong.errors(include_url=False):
        place = ".".join(str(part) for part in error["loc"] if part != "[key]")
        key = next((part for part in reversed(place.split(".")) if not part.isdigit()), place)
        said = _say(error["type"], error["msg"], error.get("input"), _meant(key, known), error.get("ctx", {}))
        ours = error["type"] == "value_error"  # says itself whose it is
        found.append((place, said if ours else _about(whose(error["loc"]), key, said)))
    return found


def _twice(path: Path, shape: type[BaseModel] | None) -> Trouble | None:
    """A table that is opened twice, in words: [battery] beside another [battery] or [[battery]]."""
    known = shape.model_json_schema()["properties"] if shape else {}
    opened: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]", line)
        if header is None:
            continue
        bracket, name = header.groups()
        before = opened.setdefault(name, "")
        if before and "[" in (before, bracket):
            many = '"array"' in json.dumps(known.get(name, {}))
            right = f"write [[{name}]] for each" if many else "write it once"
            return Trouble(f"{path}:{number}: {name}: there is a [{name}] beside another one; {right}")
        opened[name] = bracket
    return None


def _not_toml(path: Path, wrong: str) -> Trouble:
    """What is no TOML, with its line, and what would be right for the usual mistakes."""
    if "Cannot overwrite a value" in wrong:
        wrong = wrong.replace("Cannot overwrite a value", "a key stands here for the second time")
    found = re.search(r"at line (\d+)", wrong)
    text = path.read_text(encoding="utf-8").splitlines() if found else []
    shown = [text[number] for number in _near(int(found[1]) - 1) if number < len(text)] if found else []
    comma = next(
        (one for line in shown if (one := re.search(r"(?<!months )=\s*(-?\d+),(\d+)\s*([,}#]|$)", line))), None
    )
    clock = next((one for line in shown if (one := re.search(r"=\s*(\d{1,2}:\d\d)\s*([,}\]#]|$)", line))), None)
    hint = f"; a number has a point and no comma: {comma[1]}.{comma[2]}" if comma else ""
    hint += f'; a time of the clock stands in quotes: "{clock[1]}"' if clock else ""
    return Trouble(f"{path}: not valid TOML: {wrong}{hint}")


def _near(line: int) -> range:
    """The parser names the line it stumbled at, or the one after."""
    return range(max(0, line - 1), line + 1)


def point_at(path: Path, mistakes: Iterable[tuple[str, str]]) -> Trouble:
    """A Trouble with one line per mistake: where in the file (`points.p.scale`) and what."""
    text = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = []
    for place, words in mistakes:
        line = _line(text, place.split(".")) if place else None
        where = f"{path}:{line}" if line else str(path)
        lines.append(f"{where}: {place or 'the file'}: {words}")
    return Trouble("\n".join(lines))


def in_words(wrong: ValidationError) -> str:
    """The first mistake of a message in words: the field, what is wrong, what would be right."""
    error = wrong.errors(include_url=False)[0]
    field = ".".join(str(part) for part in error["loc"]) or "payload"
    return f"{field}: {_say(error['type'], error['msg'], error.get('input'), '', error.get('ctx', {}))}"


def _say(kind: str, message: str, given: object, meant: str, context: Mapping[str, object]) -> str:
    expected = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    if plain := _plain(kind, given) or _spelled(kind, given, context.get("pattern")):
        return plain
    match kind:
        case "extra_forbidden":
            return f"unknown key; {meant or 'take it out or correct its spelling'}"
        case "value_error" | "json_invalid":
            return message.removeprefix("Value error, ")
        case "string_pattern_mismatch" if isinstance(given, str) and context.get("pattern") == NAME:
            right = re.sub(r"[^a-z0-9_-]+", "_", plain_letters(given.lower()))
            return f"a name holds only a-z, 0-9, _ and -{f'; did you mean {right!r}?' if right.strip('_') else ''}"
        case "literal_error" | "enum" if isinstance(given, str) and expected:
            names = ", ".join(name for name in expected if name)
            return f"{given!r} is not known; {_meant(given, expected) or f'there is: {names}'}"
        case _:
            bare = ", without quotes and unit" if kind in NUMBERS and isinstance(given, str) else ""
            return f"{NEEDS.get(kind, message[0].lower() + message[1:])}{bare} (given: {given!r})"


def _about(whose: str, key: str, said: str) -> str:
    """A sentence that begins with its verb is about the key, not about whose it is."""
    begins = said.startswith(("is ", "needs ")) and whose
    return f"{whose}{key} {said}" if begins else whose + said


def _plain(kind: str, given: object) -> str:
    """What needs no more words; nothing for any other mistake."""
    match kind, given:
        case "missing", _:
            return "is missing"
        case _, "?":
            return "is not filled in yet"
        case "too_short", []:
            return "is empty; give at least one"
        case "list_type", dict():
            return "needs a list: [{ ... }], or its name in double brackets, [[...]], once for each"
        case "list_type", str():
            return f'needs a list: ["{given}"]'
    return ""


def _spelled(kind: str, given: object, pattern: object) -> str:
    """How what is meant is written; nothing for any other mistake."""
    if kind == "string_type" and isinstance(given, int | float) and not isinstance(given, bool):
        return f'needs text in quotes: "{given}"'
    if pattern == CURRENCY:
        return f"needs the three capital letters of a currency, such as EUR (given: {given!r})"
    if kind in ("float_parsing", "float_type") and isinstance(given, str) and re.fullmatch(r"-?\d+,\d+", given):
        return f"needs a number with a point, without quotes: {given.replace(',', '.')} (given: {given!r})"
    if kind == "string_pattern_mismatch" and pattern in WRITTEN:
        return f"needs {WRITTEN[str(pattern)]} (given: {given!r})"
    return ""


def _meant(name: str, known: Iterable[str]) -> str:
    names = [one for one in known if one and one != name]
    close = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(name.lower(), names, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _keys(shape: type[BaseModel]) -> list[str]:
    """Every key that may stand somewhere in a file of this shape."""
    schema = shape.model_json_schema()
    shapes = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for one in shapes for key in one.get("properties", {})})


def _line(text: list[str], place: list[str]) -> int | None:
    """The line of the last part of `place` that is written in the file as a key, below its table.

    `points.p.scale` may be a table [points.p], a line `p.scale = 1`, or `p = { scale = 1 }` below [points].
    """
    start, end, found = 0, len(text), None
    names: list[str] = []
    for part, item in zip(place, [*place[1:], ""], strict=True):
        if part.isdigit():
            tables = _tables(text, names)
            if int(part) < len(tables):
                start = tables[int(part)]
                found, end = start + 1, _end(text, start)
            continue
        names.append(part)
        if item.isdigit() and any(start <= table < end for table in _tables(text, names)):
            continue  # one of several [[tables]]: a key of the same name may stand in any other
        number = next((number for number, line in enumerate(text[start:end], start) if _writes(line, part)), None)
        if number is None:
            break
        start, found = number, number + 1
        if _path(text[number])[-1:] == [part]:
            end = _end(text, number)
        if _is_inline(text[number], part):
            break  # what follows stands in the braces of this line; a line below would be another's
    return found


def _tables(text: list[str], names: list[str]) -> list[int]:
    """The lines of [[tables]] of this name."""
    return [number for number, line in enumerate(text) if line.startswith("[[") and _path(line) == names]


def _end(text: list[str], start: int) -> int:
    """Where the table that is opened at `start` ends: what is missing in it is not looked for in the next one."""
    table = _path(text[start])
    for number in range(start + 1, len(text)):
        later = _path(text[number])
        if later and (len(later) <= len(table) or later[: len(table)] != table):
            return number
    return len(text)


def _path(line: str) -> list[str]:
    """The keys of a table's header; none of another line."""
    header = re.match(r"\s*\[\[?([^\[\],=]+)\]", line)
    return [part.strip().strip("\"'") for part in header[1].split(".")] if header else []


def _writes(line: str, key: str) -> bool:
    bare = line.strip()
    if bare.startswith("["):
        return key in _path(line)
    return re.match(rf'"?{re.escape(key)}"?\s*[=.]', bare) is not None


def _is_inline(line: str, key: str) -> bool:
    return re.match(rf'\s*"?{re.escape(key)}"?\s*=', line) is not None
