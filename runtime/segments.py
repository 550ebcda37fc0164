"""Closed pieces of the journal: the rows of commands and outcomes as bytes, and as runs for `v_commands`. Pure.

Bytes are what is proven: `unpack(site, pack(site, rows)) == rows`, letter by letter, whatever a newer joulebus thinks
of a message. Runs are what people ask in SQL; they can be made of the rows at any time, and are compared with that.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

Row = Mapping[str, Any]
Rows = Sequence[tuple[str, Row]]
"""Of the tables `command` and `outcome` (the first of each), in the order of their links; after them `earlier`:
commands of other segments that have an outcome in this one, and `earlier outcome`: of commands that came so late that
these were closed already. They are told again with it, and are no link."""

_MOMENTS = ("at", "until")
_COMMAND = ("at", "id", "until", "source", "authority")
_OUTCOME = ("at", "id", "state")
_IN_BODY = {"command": _COMMAND, "earlier": _COMMAND, "outcome": _OUTCOME, "earlier outcome": _OUTCOME}
"""Columns that say again what the message says."""
_OUTCOMES = ("outcome", "earlier outcome")
_NUMBER = re.compile(r"(?<!\d)(0|[1-9]\d{0,14})$")
_MICROSECOND = timedelta(microseconds=1)
_FEW = 3
"""Commands with the same reason that are not worth a run of their own."""


def pack(site: str, rows: Rows) -> bytes:
    """All rows of one site; about 100 bytes for a signed command with its two outcomes."""
    return zlib.compress(b"\n".join(to_json(_line(site, kind, row)) for kind, row in rows), 9)


def unpack(site: str, packed: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The rows. Raises ValueError when the bytes are not what `pack` gives."""
    try:
        return [_row(site, *json.loads(line)) for line in zlib.decompress(packed).split(b"\n")]
    except (zlib.error, ValueError, TypeError, KeyError) as wrong:
        raise ValueError(f"its rows cannot be read: {wrong}") from wrong


def _line(site: str, kind: str, row: Row) -> list[Any]:
    short = [kind, row["device"], row["body"]]
    try:
        if row == _row(site, *short)[1]:
            return short
    except (ValueError, TypeError, KeyError):
        pass  # a message somebody changed: then its columns are kept beside it
    return [*short, {name: _plain(value) for name, value in row.items() if name not in ("device", "body")}]


def _row(
    site: str, kind: str, device: str, body: str, columns: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    message = from_json(body) if columns is None else {}
    said = {name: message[name] for name in _IN_BODY[kind]} | {"site": site} if columns is None else columns
    moments = {name: datetime.fromisoformat(said[name]).astimezone(UTC) for name in _MOMENTS if name in said}
    return kind, {**said, **moments, "device": device, "body": body}


def _plain(value: Any) -> Any:  # noqa: ANN401  # what a database holds
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


# --- for SQL ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Order:
    """A command, and what became of it."""

    row: Row
    alike: tuple[Any, ...]
    """What all commands of a run have in common, but for the reason: _COMMON."""
    number: int | str
    """The id without what many have in common."""
    wanted: float | None
    reason: str
    outcomes: list[Row]


_COMMON = ("day", "device", "source", "authority", "seconds", "prefix")


def runs(rows: Rows) -> list[dict[str, Any]]:
    """Rows for the table `run`, but for `site` and `segment`. An outcome whose command nobody knows is in none."""
    outcomes: dict[tuple[str, str], list[Row]] = {}
    for kind, row in rows:
        if kind in _OUTCOMES:
            outcomes.setdefault((row["device"], row["id"]), []).append(row)
    orders = [_order(row, outcomes.get((row["device"], row["id"]), [])) for kind, row in rows if kind not in _OUTCOMES]
    often = Counter((order.alike, order.reason) for order in orders)
    groups: dict[tuple[Any, ...], list[_Order]] = {}
    for order in orders:
        alone = often[order.alike, order.reason] < _FEW
        groups.setdefault((order.alike, None if alone else order.reason), []).append(order)
    return [_run(number, group) for number, group in enumerate(groups.values(), 1)]


def _order(row: Row, outcomes: list[Row]) -> _Order:
    message, (prefix, number) = _message(row), _split(row["id"])
    seconds = (row["until"] - row["at"]) / timedelta(seconds=1)
    alike = f"{row['at']:%Y-%m-%d}", row["device"], row["source"], row["authority"], seconds, prefix
    values = message.get("values")
    wanted = values.get("p_set") if isinstance(values, dict) else None
    return _Order(row, alike, number, wanted, message.get("reason") or "", outcomes)


def _run(number: int, group: list[_Order]) -> dict[str, Any]:
    times = (row["at"] for order in group for row in (order.row, *order.outcomes))
    first, reason = min(times).replace(microsecond=0), group[0].reason
    common = dict(zip(_COMMON, group[0].alike, strict=True))
    items = to_json([_item(order, first, reason) for order in group]).decode()
    return common | {"number": number, "at": first, "reason": reason, "items": items}


def _item(order: _Order, first: datetime, reason: str) -> list[Any]:
    at = order.row["at"]
    ends = [
        [row["state"], (row["at"] - at) // _MICROSECOND, *([why] if (why := _message(row).get("reason")) else [])]
        for row in order.outcomes
    ]
    item = [order.number, (at - first) // _MICROSECOND, order.wanted, ends]
    return item if order.reason == reason else [*item, order.reason]


def _split(name: str) -> tuple[str, int | str]:
    """An id as what many have in common and its number."""
    found = _NUMBER.search(name)
    return (name[: found.start()], int(found[0])) if found else ("", name)


def _message(row: Row) -> dict[str, Any]:
    """What the row says; nothing where that cannot be read."""
    try:
        message = from_json(row["body"])
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
