"""The links of the journal and the seals of its segments: what each is made of, and what is wrong with one. Pure."""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Table

from runtime.segments import Rows, runs, unpack
from runtime.signature import seal_signature
from schemas.tables import command, outcome

Row = Mapping[str, Any]

CHAINED = {table.name: table for table in (command, outcome)}
GENESIS = "0" * 64
_SEALED = (
    *("site", "number", "at", "first_link", "last_link", "first_at", "last_at"),
    *("previous", "head", "digest"),
)
"""What the signature of a segment is about; that of a pruned one says in addition when it was `pruned`."""


@dataclass(frozen=True)
class Head:
    """The end of a chain, or of its part that was followed: the newest segment, the newest link and its hash."""

    segment: int = 0
    link: int = 0
    hash: str = GENESIS
    signed: bool = False
    """Some segment is: then each later one must be."""


def link_hash(previous: str, number: int, kind: str, row: Row) -> str:
    """Over the row as it stands in the table, column by column."""
    told = [previous, number, kind, *_canonical(CHAINED[kind], row)]
    return sha256(to_json(told)).hexdigest()


def hashes(previous: str, first: int, rows: Rows) -> Iterator[str]:
    """Those of the links of some rows, each over the one before; what is no link of its own is passed over."""
    linked = [(kind, row) for kind, row in rows if kind in CHAINED]
    for number, (kind, row) in enumerate(linked, first):
        previous = link_hash(previous, number, kind, row)
        yield previous


def _canonical(table: Table, row: Row) -> Iterator[Any]:
    for column in table.columns:
        value = row[column.name]
        yield value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def link_fault(link: Row, row: Row | None, before: Head) -> str:
    """Why a link is not what was written; empty when it is."""
    where = f"link {link['number']} ({link['kind']} {link['id']} of {link['device']}, {link['at']:%Y-%m-%d %H:%M:%S})"
    if link["number"] != before.link + 1:
        return f"link {before.link + 1} is missing"
    if link["previous"] != before.hash:
        return f"{where}: it does not follow the link before"
    if row is None:
        return f"{where}: its row is missing or has another key"
    if link["hash"] != link_hash(before.hash, link["number"], link["kind"], row):
        return f"{where}: its row was changed"
    return ""


# --- seals -----------------------------------------------------------------------------------------


def signature(segment: Row, key: str | None, *also: str) -> str:
    """Of a segment, and of some of its columns beside those that are always signed; empty without a key."""
    if key is None:
        return ""
    told = {name: _plain(segment[name]) for name in (*_SEALED, *also)}
    return seal_signature(told, key)


def segment_fault(segment: Row, told: list[dict[str, Any]], before: Head, key: str | None) -> str:
    """Why a segment is not what was sealed; empty when it is. `told`: its rows of the table `run`, by number."""
    if segment["number"] != before.segment + 1:
        return f"segment {before.segment + 1} is missing"
    return next((f"{named(segment)}: {wrong}" for wrong in _faults(segment, told, before, key) if wrong), "")


def named(segment: Row) -> str:
    """Which segment it is, for people."""
    span = f"{segment['first_at']:%Y-%m-%d %H:%M:%S} to {segment['last_at']:%Y-%m-%d %H:%M:%S}"
    return f"segment {segment['number']} (links {segment['first_link']} to {segment['last_link']}, {span})"


def _faults(segment: Row, told: list[dict[str, Any]], before: Head, key: str | None) -> Iterator[str]:
    if (segment["first_link"], segment["previous"]) != (before.link + 1, before.hash):
        yield "it does not follow the one before"
    if not segment["signature"] and before.signed:
        yield "its seal is not signed, and those before are"
    if segment["signature"] and key is not None and not _signed_by(segment["signature"], signature(segment, key)):
        yield "its seal was replaced: the signature does not belong to it"
    yield from _pruned_faults(segment, told, key) if segment["packed"] is None else _row_faults(segment, told)


def _pruned_faults(segment: Row, told: list[dict[str, Any]], key: str | None) -> Iterator[str]:
    if segment["pruned"] is None:
        yield "its rows were removed, and nobody pruned it"
    mark = segment["pruned_signature"]
    if segment["signature"] and not mark:
        yield "its rows were removed by somebody who has no journal key"
    if mark and key is not None and not _signed_by(mark, signature(segment, key, "pruned")):
        yield "its rows were removed by somebody who has no journal key"
    if told:
        yield "it was pruned, and v_commands shows rows of it (the table run)"


def _row_faults(segment: Row, told: list[dict[str, Any]]) -> Iterator[str]:
    if segment["pruned"] is not None:
        yield "it was pruned, and has rows again"
    try:
        rows = unpack(segment["site"], segment["packed"])
        links = list(hashes(segment["previous"], segment["first_link"], rows))
    except (ValueError, KeyError) as wrong:
        yield str(wrong)
        return
    sealed = segment["last_link"] - segment["first_link"] + 1
    if len(links) != sealed:
        yield f"{sealed} rows were sealed, it has {len(links)}"
    if not links or links[-1] != segment["head"]:
        yield "a row in it was changed, or its seal"
    if sha256(segment["packed"]).hexdigest() != segment["digest"] or span(rows) != (
        segment["first_at"],
        segment["last_at"],
    ):
        yield "its seal does not belong to its rows"
    if _told(told) != runs(rows):
        yield "what v_commands shows of it (the table run) was changed"


def _told(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `run` without what says where they belong."""
    return [{name: value for name, value in row.items() if name not in ("site", "segment")} for row in told]


def span(rows: Rows) -> tuple[datetime, datetime]:
    """The oldest and the newest time of the rows that are links."""
    times = [row["at"] for kind, row in rows if kind in CHAINED]
    return min(times), max(times)


def _signed_by(given: str, right: str) -> bool:
    return hmac.compare_digest(given, right)


def _plain(value: Any) -> Any:  # noqa: ANN401  # what a column holds
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
