"""Commands and their outcomes as a chain: each link holds the hash of the one before and of a row.

Who changes, adds or removes a row, or a link, breaks the chain from there on. Who can write to the database could
make a whole new chain: therefore `verify` returns its head, to be written down somewhere else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.rows import Entry
from schemas.tables import command, journal, outcome

CHAINED = {table.name: table for table in (command, outcome)}
GENESIS = "0" * 64
_PAGE = 1000


@dataclass(frozen=True)
class Verdict:
    """What a check of the chain found. `wrong` is empty when nothing was changed."""

    links: int
    head: str
    """The hash of the newest link; it must appear in every longer chain of this site."""
    wrong: str = ""


async def unknown(connection: AsyncConnection, table: Table, entries: list[Entry]) -> list[Entry]:
    """Those of some chained rows that are not stored yet; none of other tables."""
    if table.name not in CHAINED:
        return []
    keys = list(table.primary_key)
    found = []
    for entry in entries:  # commands are few: one each 2 s
        same = and_(*(column == part for column, part in zip(keys, entry.key, strict=True)))
        if (await connection.execute(select(keys[0]).where(same))).first() is None:
            found.append(entry)
    return found


async def chain(connection: AsyncConnection, entries: list[Entry]) -> None:
    """Append rows that were just written, in this transaction."""
    for entry in entries:
        row = entry.row
        newest = select(journal.c.number, journal.c.hash).where(journal.c.site == row["site"])
        last = (await connection.execute(newest.order_by(journal.c.number.desc()).limit(1))).first()
        number, previous = (last.number + 1, last.hash) if last else (1, GENESIS)
        link = {
            **{name: row[name] for name in ("site", "device", "at", "id")},
            "kind": entry.table.name,
            "state": row.get("state", ""),
            "number": number,
            "previous": previous,
        }
        await connection.execute(journal.insert(), link | {"hash": seal(previous, number, entry.table.name, row)})


async def verify(engine: AsyncEngine, site: str) -> Verdict:
    """Follow the chain of a site from its beginning."""
    head, number = GENESIS, 0
    async with engine.connect() as connection:
        while links := await _page(connection, site, number):
            for link in links:
                row = await _row(connection, link)
                if wrong := _fault(link, row, number + 1, head):
                    return Verdict(number, head, wrong)
                head, number = link["hash"], number + 1
        for table in CHAINED.values():
            rows = select(func.count()).select_from(table).where(table.c.site == site)
            known = select(func.count()).where(journal.c.site == site, journal.c.kind == table.name)
            there, linked = [(await connection.execute(count)).scalar_one() for count in (rows, known)]
            if there != linked:
                return Verdict(number, head, f"{table.name}: {there} rows, but {linked} in the journal")
    return Verdict(number, head)


def seal(previous: str, number: int, kind: str, row: Mapping[str, Any]) -> str:
    """The hash of a link: over the row as it stands in the table, column by column."""
    told = [previous, number, kind, *_canonical(CHAINED[kind], row)]
    return sha256(to_json(told)).hexdigest()


def _canonical(table: Table, row: Mapping[str, Any]) -> Iterator[Any]:
    for column in table.columns:
        value = row[column.name]
        yield value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _fault(link: Mapping[str, Any], row: Mapping[str, Any] | None, number: int, previous: str) -> str:
    """Why a link is not what was written; empty when it is."""
    where = f"link {link['number']} ({link['kind']} {link['id']} of {link['device']}, {link['at']:%Y-%m-%d %H:%M:%S})"
    if link["number"] != number:
        return f"link {number} is missing"
    if link["previous"] != previous:
        return f"{where}: it does not follow the link before"
    if row is None:
        return f"{where}: its row is missing or has another key"
    if link["hash"] != seal(previous, number, link["kind"], row):
        return f"{where}: its row was changed"
    return ""


async def _page(connection: AsyncConnection, site: str, after: int) -> list[Mapping[str, Any]]:
    wanted = select(journal).where(journal.c.site == site, journal.c.number > after)
    return [dict(row) for row in (await connection.execute(wanted.order_by(journal.c.number).limit(_PAGE))).mappings()]


async def _row(connection: AsyncConnection, link: Mapping[str, Any]) -> Mapping[str, Any] | None:
    table = CHAINED.get(link["kind"])
    if table is None:
        return None
    same = and_(*(column == link[column.name] for column in table.primary_key))
    found = (await connection.execute(select(table).where(same))).mappings().first()
    return dict(found) if found else None
