"""Forgets what is older than the site file wants: partitions of telemetry at once, all else in small steps."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain import journal
from consumers.archive.oldest import forget_older
from consumers.archive.partitions import let_go
from consumers.archive.roller import HOUR, WEEK, floor
from runtime.database import writing
from schemas import retention, tables
from schemas.retention import KEEPING
from schemas.site import Site
from schemas.site_retention import Retention
from schemas.topics import ROOT

SLICE = timedelta(hours=1)
AT_ONCE = 5000
"""Rows that are looked at, or deleted, in one transaction."""

CHAIN = KEEPING[tables.journal.name].key
"""The class of what is forgotten together, in the order of its chain."""


def limits(kept: Retention, now: datetime) -> Iterator[tuple[Table, datetime]]:
    """From when on each table is kept; tables that are kept for ever are left out."""
    for table in tables.metadata.sorted_tables:
        if oldest := retention.oldest(kept, table.name, now):
            yield table, oldest


async def newest_sample(engine: AsyncEngine, site: Site) -> datetime | None:
    """Of the site's devices; None where there is none."""
    c, found = tables.telemetry.c, list[datetime]()
    async with engine.connect() as connection:
        for device in site.devices:
            newest = select(func.max(c.at)).where(c.site == site.site, c.device == device.name)
            found += filter(None, [(await connection.execute(newest)).scalar()])
    return max(found, default=None)


async def forget(engine: AsyncEngine, site: str, kept: Retention, now: datetime, journal_key: str | None = None) -> int:
    """Forget the rows of a site that are too old; how many rows were deleted one by one. `journal_key` signs what is
    pruned of the journal."""
    gone = 0
    raw = retention.oldest(kept, tables.telemetry.name, now)
    if engine.dialect.name != "sqlite":
        raw = await let_go(engine, site, raw)
    for table, oldest in limits(kept, now):
        if table is tables.telemetry:
            gone += await forget_older(engine, table, site, raw) if raw else 0
        elif table is tables.dirty:  # the weeks of a migration are made of quarters, which are kept for years
            gone += await forget_older(engine, table, site, oldest, table.c.span < WEEK)
        elif KEEPING[table.name].at == "received":
            gone += await _delete_received(engine, table, site, oldest)
        elif KEEPING[table.name].key != CHAIN:
            gone += await forget_older(engine, table, site, oldest)
    if oldest_action := retention.oldest(kept, tables.journal.name, now):
        gone += await journal.prune(engine, site, oldest_action, journal_key)
    if full := retention.thinned(kept, now):
        gone += await _thin(engine, site, full)
    return gone


async def _thin(engine: AsyncEngine, site: str, before: datetime) -> int:
    """Of each hour keep the first plan. Reads keys alone, some thousand at a time."""
    c, seen, gone = tables.plan.c, None, 0
    mine = c.site == site, c.at < floor(before, HOUR)
    while True:
        later = (c.at > seen,) if seen else ()
        async with writing(engine) as connection:
            found = select(c.at).where(*mine, *later).order_by(c.at).limit(AT_ONCE)
            times = list((await connection.execute(found)).scalars())
            for first in _crowded(times):
                hour = c.at > first, c.at < floor(first, HOUR) + SLICE
                gone += (await connection.execute(delete(tables.plan).where(*mine, *hour))).rowcount
        if len(times) < AT_ONCE:
            return gone
        # the last hour may go on in the next ones: its first plan is looked at again
        seen = floor(times[-1], HOUR) - timedelta(microseconds=1)


def _crowded(times: list[datetime]) -> Iterator[datetime]:
    """The first of each hour that has another one."""
    for _, hour in groupby(times, key=lambda at: floor(at, HOUR)):
        some = list(hour)
        if some[-1] != some[0]:
            yield some[0]


async def _delete_received(engine: AsyncEngine, table: Table, site: str, oldest: datetime) -> int:
    """What was put aside, by when it came: its own time is what is doubted."""
    c, gone = table.c, 0
    # a dead letter names its site in its topic alone
    mine = c.site == site if "site" in c else c.topic.startswith(f"{ROOT}/{site}/", autoescape=True)
    key = list(table.primary_key)
    while True:
        async with writing(engine) as connection:
            old = select(*key).where(mine, c.received < oldest).limit(AT_ONCE)
            rows = (await connection.execute(old)).all()
            for row in rows:
                await connection.execute(
                    delete(table).where(*(one == part for one, part in zip(key, row, strict=True)))
                )
        gone += len(rows)
        if len(rows) < AT_ONCE:
            return gone
