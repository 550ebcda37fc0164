"""Closed pieces of the journal: the rows of commands and outcomes as bytes, and as runs for `v_commands`. Pure.

Bytes are what is proven: `unpack(site, pack(site, rows)) == rows`, letter by letter, whatever a newer joulebus thinks
of a message. Runs are what people ask in SQL; they can be made of the rows at any time, and are compared with that.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

Row = Mapping[str, Any]
Rows = Sequence[tuple[str, Row]]
"""Of the tables `command` and `outcome` (the first of each), in the order of their links; after them `earlier`:
commands of other segments that have an outcome in this one. They are told again with it, and are no link."""

_MOMENTS = ("at", "until")
_COMMAND = ("at", "id", "until", "source", "authority")
_IN_BODY = {"command": _COMMAND, "earlier": _COMMAND, "outcome": ("at", "id", "state")}
"""Columns that say again what the message says."""
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
    said = {name: from_json(body)[name] for name in _IN_BODY[kind]} | {"site": site} if columns is None else columns
    moments = {name: datetime.fromisoformat(said[name]).astimezone(UTC) for name in _MOMENTS if name in said}
    return kind, {**said, **moments, "device": device, "body": body}


def _plain(value: Any) -> Any:  # noqa: ANN401  # what a database holds
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


# --- for SQL ---------------------------------------------------------------------------------------


def runs(rows: Rows) -> list[dict[str, Any]]:
    """Rows for the table `run`, but for `site` and `segment`. An outcome whose command nobody knows is in none."""
    outcomes: dict[tuple[str, str], list[Row]] = {}
    for kind, row in rows:
        if kind == "outcome":
            outcomes.setdefault((row["device"], row["id"]), []).append(row)
    told = [row for kind, row in rows if kind != "outcome"]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    reasons = Counter((_alike(row), _said(row, "reason")) for row in told)
    for row in told:
        reason = _said(row, "reason")
        often = reasons[_alike(row), reason] >= _FEW
        groups.setdefault((*_alike(row), reason if often else None), []).append(row)
    return [_run(number, group, outcomes) for number, group in enumerate(groups.values(), 1)]


def _alike(row: Row) -> tuple[Any, ...]:
    """What all commands of a run have in common, but for the reason."""
    seconds = (row["until"] - row["at"]) / timedelta(seconds=1)
    return f"{row['at']:%Y-%m-%d}", row["device"], row["source"], row["authority"], seconds, _split(row["id"])[0]


def _run(number: int, group: list[Row], outcomes: Mapping[tuple[str, str], list[Row]]) -> dict[str, Any]:
    day, device, source, authority, seconds, prefix = _alike(group[0])
    reason = _said(group[0], "reason") or ""
    own = [outcomes.get((row["device"], row["id"]), []) for row in group]
    first = min(row["at"] for row in [*group, *(one for some in own for one in some)]).replace(microsecond=0)
    return {
        "day": day,
        "number": number,
        "at": first,
        "device": device,
        "source": source,
        "authority": authority,
        "seconds": seconds,
        "prefix": prefix,
        "reason": reason,
        "items": to_json([_item(row, some, first, reason) for row, some in zip(group, own, strict=True)]).decode(),
    }


def _item(row: Row, outcomes: list[Row], first: datetime, reason: str) -> list[Any]:
    values, own = _said(row, "values"), _said(row, "reason") or ""
    wanted = values.get("p_set") if isinstance(values, dict) else None
    ends = [
        [one["state"], (one["at"] - row["at"]) // _MICROSECOND, *([why] if (why := _said(one, "reason")) else [])]
        for one in outcomes
    ]
    item = [_split(row["id"])[1], (row["at"] - first) // _MICROSECOND, wanted, ends]
    return item if own == reason else [*item, own]


def _split(name: str) -> tuple[str, int | str]:
    """An id as what many have in common and its number."""
    found = _NUMBER.search(name)
    return (name[: found.start()], int(found[0])) if found else ("", name)


def _said(row: Row, field: str) -> Any:  # noqa: ANN401  # what the message holds
    try:
        message = from_json(row["body"])
    except ValueError:
        return None
    return message.get(field) if isinstance(message, dict) else None
