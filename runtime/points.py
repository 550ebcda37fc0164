"""One point out of the JSON of a sample, in SQL: MariaDB's and SQLite's words for it.

Our own JSON has no spaces, and a quotation mark inside a text is written with a backslash: so `"name":` stands exactly
where the point's value begins. Looking for these bytes is several times faster than the JSON functions.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Double,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import NullType

from schemas.messages import Value
from schemas.tables import telemetry

NUMBER, WHOLE = 32, 250_000
"""Letters of a value that are read: enough for any number, or for whatever it is."""

_NUMBER = r"^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$"
_decode = json.JSONDecoder().raw_decode

Place = tuple[str, str, str]
"""Site, device and point."""


def found(place: Place, start: datetime, end: datetime, *, sqlite: bool, letters: int = NUMBER) -> Select[Any]:
    """Moments as ISO 8601 and the text of the value, which `number` and `value` understand."""
    site, device, point = place
    text_of = behind(telemetry.c.points, point, letters, sqlite=sqlite)
    if letters == NUMBER and not sqlite:  # a number ends at the comma, which MariaDB finds sooner than Python
        text_of = func.substring_index(text_of, ",", 1, type_=NullType())
    return (
        select(iso(telemetry.c.at), text_of)
        .where(telemetry.c.site == site, telemetry.c.device == device, *within(start, end), good(point))
        .order_by(telemetry.c.at)
    )


def iso(at: Column[datetime]) -> ColumnElement[str]:
    """A moment as the text it is, for `datetime.fromisoformat`: a third of the time of the driver's own reading."""
    return type_coerce(at, String) + "+00:00"


def behind(points: Column[Any], point: str, letters: int, *, sqlite: bool) -> ColumnElement[Any]:
    """What stands behind a point's name; what begins with `{`, or is empty, does not have it."""
    key = f'"{point}":'
    if sqlite:
        begins = func.instr(points, key, type_=Integer)
        return case((begins > 0, func.substr(points, begins + len(key), letters)), else_=literal("")).label("found")
    # one search through the bytes; CONVERT takes them as they lie, where CAST would copy them: half the time
    raw: ColumnElement[bytes] = literal_column(f"CONVERT({points.table.name}.{points.name} USING binary)")
    return func.left(func.substring_index(raw, key, -1), letters, type_=NullType())


def number(letters: str | bytes) -> float | None:
    """The number a text begins with, if it is one."""
    try:
        return float(letters)  # nearly always nothing else is there
    except ValueError:
        words = letters.decode(errors="replace") if isinstance(letters, bytes) else letters
    try:
        return float(words.partition(",")[0].rstrip("}"))
    except ValueError:
        return None


def value(letters: str | bytes) -> Value | None:
    """The value a text begins with, whatever it is; None where there is none."""
    words = letters.decode() if isinstance(letters, bytes) else letters
    if not words or words.startswith("{"):
        return None
    read, _ = _decode(words)
    return float(read) if isinstance(read, int | float) else read if isinstance(read, str) else list(map(str, read))


def sums(place: Place, start: datetime, end: datetime, seconds: int, *, sqlite: bool) -> Select[Any, Any, Any]:
    """The number of each interval since 1970, and the sum and count of the good numbers in it."""
    site, device, point = place
    slot, good_number = _slot(seconds, sqlite), _number(point, sqlite)
    return (
        select(slot, func.sum(good_number), func.count(good_number))
        .where(telemetry.c.site == site, telemetry.c.device == device, *within(start, end))
        .group_by(slot)
    )


def within(start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return telemetry.c.at >= start, telemetry.c.at < end


def good(point: str) -> ColumnElement[bool]:
    """Where the point's quality is good."""
    return or_(telemetry.c.quality.is_(None), func.json_extract(telemetry.c.quality, f'$."{point}"').is_(None))


def _slot(seconds: int, sqlite: bool) -> ColumnElement[int]:
    """UNIX_TIMESTAMP would end in 2038, strftime would round up."""
    if sqlite:
        whole = func.substr(telemetry.c.at, 1, 19)
        return cast(func.strftime("%s", whole, type_=Integer), Integer).op("/")(literal(seconds))
    since = func.timestampdiff(text("SECOND"), text("'1970-01-01'"), telemetry.c.at, type_=Integer)
    return since.op("DIV")(literal(seconds))


def _number(point: str, sqlite: bool) -> ColumnElement[float | None]:
    """The value of a point where it is a number and good, else NULL."""
    path = f'$."{point}"'
    value: ColumnElement[float]
    numeric: ColumnElement[bool]
    if sqlite:
        value = func.json_extract(telemetry.c.points, path, type_=Double)
        numeric = func.json_type(telemetry.c.points, path).in_(("real", "integer"))
    else:
        # JSON_TYPE(JSON_EXTRACT()) would cost three times as much; a number is what looks like one.
        found = func.json_value(telemetry.c.points, path, type_=String)
        value, numeric = cast(found, Double), found.regexp_match(_NUMBER)
    return case((and_(numeric, good(point)), value))
