"""Forgets what is older than the site file wants: on MariaDB whole weeks of telemetry at once, else in small steps."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import tables
from schemas.site_parts import Retention

WEEK = timedelta(days=7)
AHEAD = 4
"""Weeks that have a partition before they begin."""
SLICE = timedelta(hours=1)
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

LONG = (
    *(tables.rollup_15m, tables.rollup_1h, tables.flow, tables.load_energy, tables.gap),
    *(tables.money, tables.money_day, tables.unpriced),
    *(tables.plan, tables.alarm, tables.device_status, tables.control),
)
"""Kept for years. The journal of commands and outcomes is a chain: it is kept for ever, and is small."""


def limits(kept: Retention, now: datetime) -> Iterator[tuple[Table, datetime]]:
    """From when on each table is kept; tables that are kept for ever are left out."""
    if kept.raw_days:
        yield tables.telemetry, now - timedelta(days=kept.raw_days)
    if kept.minute_days:
        yield tables.rollup_1m, now - timedelta(days=kept.minute_days)
    for table in LONG if kept.years else ():
        yield table, now - timedelta(days=365.25 * kept.years)


async def forget(engine: AsyncEngine, site: str, kept: Retention, now: datetime) -> int:
    """Forget the rows of a site that are too old; how many rows were deleted one by one.

    A partition goes when all sites that share the database let it go: the others are deleted from.
    """
    gone = 0
    for table, oldest in limits(kept, now):
        if table is tables.telemetry and engine.dialect.name != "sqlite":
            await _drop(engine, site, oldest)
        gone += await _delete(engine, table, site, oldest)
    return gone


async def prepare(engine: AsyncEngine, now: datetime) -> None:
    """A partition for this week and the next: what comes later stays in `future` until its week is made."""
    if engine.dialect.name == "sqlite":
        return
    known = set(await partitions(engine))
    this = _MONDAY + (now - _MONDAY) // WEEK * WEEK
    latest = max((end for end in known), default=this)
    for week in range(AHEAD):
        end = this + WEEK * (week + 1)
        if end > latest or not known:
            async with engine.begin() as connection:
                name, until = f"w{end - WEEK:%Y%m%d}", f"{end:%Y-%m-%d}"
                await connection.execute(
                    text(
                        f"ALTER TABLE telemetry REORGANIZE PARTITION future INTO (PARTITION {name} VALUES LESS THAN "
                        f"('{until}'), PARTITION future VALUES LESS THAN (MAXVALUE))"
                    )
                )


async def partitions(engine: AsyncEngine) -> dict[datetime, str]:
    """The weeks of the telemetry on MariaDB: where each ends, and its name."""
    asked = (
        "SELECT PARTITION_NAME, PARTITION_DESCRIPTION FROM information_schema.PARTITIONS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'telemetry' AND PARTITION_NAME <> 'future'"
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(text(asked))).all()
    found = {}
    for name, until in rows:
        if day := re.search(r"\d{4}-\d\d-\d\d", until or ""):
            found[datetime.fromisoformat(day[0]).replace(tzinfo=UTC)] = str(name)
    return found


async def _drop(engine: AsyncEngine, site: str, oldest: datetime) -> None:
    for end, name in sorted((await partitions(engine)).items()):
        if end > oldest:
            break
        c = tables.telemetry.c
        others = select(c.site).where(c.site != site, c.at < end).limit(1)
        async with engine.begin() as connection:
            if (await connection.execute(others)).first() is None:
                await connection.execute(text(f"ALTER TABLE telemetry DROP PARTITION {name}"))


async def _delete(engine: AsyncEngine, table: Table, site: str, oldest: datetime) -> int:
    """An hour at a time, each in a transaction of its own: the archive writes in between."""
    gone, c = 0, table.c
    while True:
        async with engine.begin() as connection:
            first = (await connection.execute(select(func.min(c.at)).where(c.site == site, c.at < oldest))).scalar()
            if first is None:
                return gone
            until = min(oldest, first + SLICE)
            gone += (await connection.execute(delete(table).where(c.site == site, c.at < until))).rowcount
