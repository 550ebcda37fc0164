"""What is missing in the archive, whether its journal was changed, and how large it is: for people to read."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import floor
from typing import Any

from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.chain.proof import verify
from consumers.archive.ledger import ASLEEP, ENOUGH
from joulebus.archive_read import reading
from runtime.history import History
from runtime.stored_counts import Gap
from schemas.site import Site
from schemas.tables import metadata, telemetry
from schemas.troubles import Usage
from schemas.units import utc_now

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Size:
    """A table; `bytes` is 0 where the database does not tell."""

    table: str
    rows: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None


async def gaps(url: str, site: Site, days: float, *, as_json: bool) -> int:
    """Print the ledger of the last days, and completeness; 0 when nothing is missing now, else 1."""
    end = utc_now()
    start = end - timedelta(days=days)
    async with reading(url, site.site) as database:
        history = History(database)
        found = await history.gaps(site.site, start, end)
        complete = await history.completeness(site.site, start, end)
    if as_json:
        told = {"completeness": complete, "gaps": [asdict(one) for one in found]}
        print(json.dumps(told, default=lambda at: at.isoformat()))
    else:
        for one, hours in _stretches([one for one in found if one.cause and one.cause != ASLEEP]):
            over = _end(one) if one.closed is None else f"{_end(one)} {_local(one.closed, site)}"
            missed, more = f"{one.stored:6} of {one.expected:6}", f", {hours} h" if hours > 1 else ""
            print(f"{_local(one.at, site)}  {one.device:16} {missed}  {one.cause:18} {over}{more}")
        for device, share in complete.items():
            print(f"{device:16} {'no whole hour yet' if share is None else f'{percent(share):>8} complete'}")
        if not complete:
            print("nothing is stored yet")
        if any(share is not None for share in complete.values()):
            print(f"of the whole hours since {_local(start, site)}, or since the first that is stored")
    return int(any(one.closed is None for one in found))


def _stretches(gaps: Sequence[Gap]) -> list[tuple[Gap, int]]:
    """Hours of a device that follow each other, of one cause and with one end, as one; and how many they are."""
    found: list[tuple[Gap, int]] = []
    for one in sorted(gaps, key=lambda gap: (gap.device, gap.at)):
        before, hours = found[-1] if found else (one, 0)
        alike = (before.device, before.cause, _end(before)) == (one.device, one.cause, _end(one))
        if hours and alike and one.at == before.at + hours * HOUR:
            stored, expected = before.stored + one.stored, before.expected + one.expected
            closed = one.closed and max(one.closed, before.closed or one.closed)
            found[-1] = replace(before, stored=stored, expected=expected, closed=closed), hours + 1
        else:
            found.append((one, 1))
    return sorted(found, key=lambda stretch: (stretch[0].at, stretch[0].device))


def _end(one: Gap) -> str:
    """A gap that was not filled in all the time it could be is lost."""
    if one.closed is None:
        return "open"
    return "closed" if one.stored >= ENOUGH * one.expected else "lost"


def percent(share: float) -> str:
    """Never more than it is: 100.000 % is said where nothing is missing."""
    return f"{min(floor(round(share * 1e5, 6)), 99_999) / 1e3:.3f}%" if share < 1 else "100.000%"


async def verify_journal(url: str, site: Site, key: str | None, head: str) -> int:
    """Follow the chain over commands and outcomes and print its head; 1 when something was changed.

    `head`: what was written down last time, as it was printed; or empty. Raises Trouble when it is not that.
    """
    if head and not re.fullmatch(r"\d{1,18}:[0-9a-f]{64}", head):
        raise Usage(f"--head: {head!r} is no head; write what `joulebus journal verify` printed, NUMBER:HASH")
    async with reading(url, site.site) as database:
        verdict = await verify(database, site.site, key, head)
    if verdict.wrong:
        print(f"the journal of {site.site} was changed: {verdict.wrong}")
        return 1
    if not verdict.links:
        print(f"the journal of {site.site} is empty: no command is written down yet")
        return 0
    print(f"the journal of {site.site} is whole: {verdict.links} links, head {verdict.links}:{verdict.head}")
    if verdict.pruned:
        print(f"{verdict.pruned} of them were pruned: whole when they were, and none is missing since")
    if verdict.unsigned:
        why = "JOULEBUS_JOURNAL_KEY is not given here" if key is None else "the archive had no journal key"
        print(f"{verdict.unsigned} segments are not proven by a signature: {why}")
    return 0


async def archive_status(url: str, site: Site, *, as_json: bool) -> int:
    """Print the size of every table, bytes per value, and how far behind the archive is."""
    async with reading(url) as database:
        sizes, values, newest = await _sizes(database, site.site)
    raw = next(one for one in sizes if one.table == telemetry.name)
    per_value = raw.bytes / values if values else None
    lag = (utc_now() - newest).total_seconds() if newest else None
    if as_json:
        told = {"tables": [asdict(one) for one in sizes], "values": values, "bytes_per_value": per_value, "lag_s": lag}
        print(json.dumps(told, default=lambda at: at.isoformat()))
        return 0
    for one in sizes:
        span = f"{_local(one.oldest, site)} to {_local(one.newest, site)}" if one.oldest and one.newest else "empty"
        size = f"{one.bytes / 1e6:10.1f} MB" if one.bytes else " " * 13
        print(f"{one.table:16} {one.rows:12} rows {size}  {span}")
    print(f"about {values} values of telemetry" + (f", {per_value:.1f} bytes each" if per_value else ""))
    print(
        f"the newest of {site.site} is {lag:.1f} s old" if lag is not None else f"nothing of {site.site} is stored yet"
    )
    return 0


async def _sizes(database: AsyncEngine, site: str) -> tuple[list[Size], int, datetime | None]:
    """All tables, how many values the telemetry of all sites holds, and when the newest of this one was measured."""
    history, c = History(database), telemetry.c
    async with database.connect() as connection:
        sizes = [await _size(connection, table) for table in metadata.sorted_tables]
        rows = (await connection.execute(select(c.site, c.device, func.count()).group_by(c.site, c.device))).all()
    latest = {name: await history.latest(name) for name in {row.site for row in rows} | {site}}
    values = sum(count * len(latest[name][device][1]) for name, device, count in rows if device in latest[name])
    return sizes, values, max((at for at, _ in latest[site].values()), default=None)


async def _size(connection: AsyncConnection, table: Table) -> Size:
    at: Any = table.c["at"] if "at" in table.c else table.c["received"]
    rows, oldest, newest = (await connection.execute(select(func.count(), func.min(at), func.max(at)))).one()
    return Size(table.name, rows, await table_bytes(connection, table.name), oldest, newest)


async def table_bytes(connection: AsyncConnection, table: str) -> int:
    """On the disk where the database tells (MariaDB: a user with the right PROCESS), else before compression."""
    for question in _BYTES[connection.dialect.name == "sqlite"]:
        try:
            async with connection.begin_nested():
                return int((await connection.execute(text(question), {"name": table})).scalar_one() or 0)
        except DBAPIError:
            continue
    return 0


_ALLOCATED = """SELECT sum(allocated_size) FROM information_schema.innodb_sys_tablespaces
    WHERE name = concat(database(), '/', :name) OR name LIKE concat(database(), '/', :name, '#P#%')"""
_LENGTH = """SELECT data_length + index_length FROM information_schema.tables
    WHERE table_schema = database() AND table_name = :name"""
_DBSTAT = "SELECT sum(pgsize) FROM dbstat WHERE name = :name"
_BYTES = {True: [_DBSTAT], False: [_ALLOCATED, _LENGTH]}
"""Not every build of SQLite has its table of pages."""


def _local(at: datetime | None, site: Site) -> str:
    return f"{at.astimezone(site.zone):%Y-%m-%d %H:%M}" if at else "-"
