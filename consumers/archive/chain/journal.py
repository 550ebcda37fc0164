"""Commands and their outcomes as a chain: each link holds the hash of the one before and of a row.

Who changes, adds or removes a row, or a link, breaks the chain from there on. Who can write to the database could
make a whole new chain: therefore `proof.verify` returns its head, to be written down somewhere else.

What came a while ago is in segments: `sealing.seal` closes them, `prune` forgets their rows and keeps their heads.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.chain.links import CHAINED, Head, link_hash, segment_fault, signature
from consumers.archive.rows import Entry
from runtime.database import writing
from runtime.segments import unpack
from schemas.tables import journal, run, segment
from schemas.units import utc_now

Row = Mapping[str, Any]
Key = tuple[Any, ...]

_PAGE = 1000
ASKED = 400
"""Keys one question names: SQLite takes 32 766 values."""


# --- what comes ------------------------------------------------------------------------------------


async def unknown(connection: AsyncConnection, table: Table, entries: list[Entry]) -> list[Entry]:
    """Those of some chained rows that are stored neither beside the journal nor in a segment."""
    here = set(await stored(connection, table, [entry.key for entry in entries]))
    new = [entry for entry in entries if entry.key not in here]
    if not new:
        return []
    sealed = await _sealed(connection, table, new)
    return [entry for entry in new if entry.key not in sealed]


async def stored(connection: AsyncConnection, table: Table, keys: Iterable[Key]) -> dict[Key, dict[str, Any]]:
    """The rows of a table with these keys, by key."""
    found: dict[Key, dict[str, Any]] = {}
    asked = list(keys)
    for some in (asked[start : start + ASKED] for start in range(0, len(asked), ASKED)):
        rows = (await connection.execute(select(table).where(*among(table, some)))).mappings()
        found |= {tuple(row[column.name] for column in table.primary_key): dict(row) for row in rows}
    return found


def among(table: Table, keys: list[Key]) -> tuple[ColumnElement[bool], ...]:
    """A condition for the rows of one site with these keys; the span of their times is what an index serves."""
    c, times = table.c, [key[2] for key in keys]
    devices = sorted({key[1] for key in keys})
    near = c.site == keys[0][0], c.device.in_(devices), c.at.between(min(times), max(times))
    return *near, tuple_(*table.primary_key).in_(keys)


async def _sealed(connection: AsyncConnection, table: Table, entries: list[Entry]) -> set[Key]:
    """The keys of a table in the segments that reach over the times of some rows; mostly there are none."""
    site, times = entries[0].row["site"], [entry.row["at"] for entry in entries]
    found = set[Key]()
    for number in await reaching(connection, site, min(times), max(times)):
        found |= _keys(site, await packed_in(connection, site, number))[table.name]
    return found


async def reaching(connection: AsyncConnection, site: str, start: datetime, end: datetime) -> list[int]:
    """The segments that hold rows of a span, pruned ones left out."""
    c = segment.c
    asked = select(c.number).where(c.site == site, c.last_at >= start, c.first_at <= end, c.pruned.is_(None))
    return list((await connection.execute(asked.order_by(c.number))).scalars())


@lru_cache(maxsize=4)
def _keys(site: str, packed: bytes) -> dict[str, set[Key]]:
    found: dict[str, set[Key]] = {name: set() for name in CHAINED}
    for kind, row in readable(site, packed):
        if kind in CHAINED:
            found[kind].add(tuple(row[column.name] for column in CHAINED[kind].primary_key))
    return found


async def packed_in(connection: AsyncConnection, site: str, number: int) -> bytes:
    """What a segment holds; empty when nothing is left."""
    where = segment.c.site == site, segment.c.number == number
    return (await connection.execute(select(segment.c.packed).where(*where))).scalar() or b""


def readable(site: str, packed: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a segment; none of one that was damaged, which `verify` names: it must not stop what comes."""
    try:
        return unpack(site, packed)
    except ValueError:
        return []


async def chain(connection: AsyncConnection, entries: list[Entry]) -> None:
    """Append rows of one site that were just written, in this transaction."""
    if not entries:
        return
    head = await newest(connection, entries[0].row["site"])
    links = []
    for number, entry in enumerate(entries, head.link + 1):
        row, previous = entry.row, head.hash
        head = replace(head, link=number, hash=link_hash(previous, number, entry.table.name, row))
        links.append({
            **{name: row[name] for name in ("site", "device", "at", "id")},
            "kind": entry.table.name,
            "state": row.get("state", ""),
            "number": number,
            "previous": previous,
            "hash": head.hash,
        })  # fmt: skip
    await connection.execute(journal.insert(), links)


async def newest(connection: AsyncConnection, site: str) -> Head:
    """The end of the chain."""
    head = await sealed(connection, site)
    c = journal.c
    last = select(c.number, c.hash).where(c.site == site).order_by(c.number.desc()).limit(1)
    link = (await connection.execute(last)).first()
    return replace(head, link=link.number, hash=link.hash) if link else head


async def sealed(connection: AsyncConnection, site: str, before: int = 2**62) -> Head:
    """The end of the newest segment, or of the newest before a number."""
    c = segment.c
    asked = select(c.number, c.last_link, c.head, c.signature).where(c.site == site, c.number < before)
    last = (await connection.execute(asked.order_by(c.number.desc()).limit(1))).first()
    return Head(last.number, last.last_link, last.head, bool(last.signature)) if last else Head()


# --- what is there ---------------------------------------------------------------------------------


async def segments(
    connection: AsyncConnection, site: str, *wanted: ColumnElement[bool]
) -> AsyncIterator[tuple[Row, list[dict[str, Any]]]]:
    """Segments in their order, each with its rows of the table `run`; one at a time, for they are large."""
    c, after = segment.c, 0
    asked = select(segment).where(c.site == site, *wanted).order_by(c.number).limit(1)
    while one := (await connection.execute(asked.where(c.number > after))).mappings().first():
        told = select(run).where(run.c.site == site, run.c.segment == one["number"])
        yield dict(one), [dict(row) for row in (await connection.execute(told.order_by(run.c.number))).mappings()]
        after = one["number"]


def key_of(link: Row) -> tuple[str, Key]:
    """Table and key of a link's row; a kind that is no table has no row."""
    table = CHAINED.get(link["kind"])
    return link["kind"], tuple(link[column.name] for column in table.primary_key) if table is not None else ()


async def rows_of(connection: AsyncConnection, links: list[Row]) -> dict[tuple[str, Key], dict[str, Any]]:
    """The rows some links are about, as far as they are there."""
    found: dict[tuple[str, Key], dict[str, Any]] = {}
    for name, table in CHAINED.items():
        keys = [key for kind, key in map(key_of, links) if kind == name]
        found |= {(name, key): row for key, row in (await stored(connection, table, keys)).items()}
    return found


async def page(connection: AsyncConnection, site: str, after: int, most: int = _PAGE) -> list[Row]:
    """The next links after a number, in their order."""
    wanted = select(journal).where(journal.c.site == site, journal.c.number > after).order_by(journal.c.number)
    return [dict(row) for row in (await connection.execute(wanted.limit(most))).mappings()]


# --- what is forgotten -----------------------------------------------------------------------------


async def prune(engine: AsyncEngine, site: str, before: datetime, key: str | None = None) -> int:
    """Forget the rows of the segments that are wholly older; how many rows that were.

    Each is proven once more, and its head stays. One that is not whole is evidence: it stays, too. `key`: the journal
    key; a segment that is signed is forgotten only with it, or nobody could tell who did that.
    """
    gone, c = 0, segment.c
    async with engine.connect() as connection:
        wanted = select(c.number).where(c.site == site, *_due(before)).order_by(c.number)
        numbers = list((await connection.execute(wanted)).scalars())
    for number in numbers:
        async with writing(engine) as connection:
            gone += await _forget(connection, site, number, key)
    return gone


async def overdue(engine: AsyncEngine, site: str, before: datetime) -> int:
    """How many segments are older and were not forgotten: not whole, or signed with a key that is not ours."""
    c = segment.c
    asked = select(func.count()).where(c.site == site, *_due(before))
    async with engine.connect() as connection:
        return int((await connection.execute(asked)).scalar_one())


def _due(before: datetime) -> tuple[ColumnElement[bool], ...]:
    c = segment.c
    return c.pruned.is_(None), (c.last_at < before) | (c.at < before)


async def _forget(connection: AsyncConnection, site: str, number: int, key: str | None) -> int:
    c = segment.c
    before = await sealed(connection, site, number)
    async for one, told in segments(connection, site, c.number == number):
        if segment_fault(one, told, before, key) or (one["signature"] and key is None):
            return 0
        now = utc_now()
        marked = {"pruned": now, "pruned_signature": signature({**one, "pruned": now}, key, "pruned")}
        await connection.execute(delete(run).where(run.c.site == site, run.c.segment == number))
        await connection.execute(
            update(segment).where(c.site == site, c.number == number).values(packed=None, **marked)
        )
        return int(one["last_link"] - one["first_link"] + 1)
    return 0
