"""The telemetry of MariaDB lies in partitions by time, so that forgetting is not deleting. SQLite has none.

Days where a site keeps less than 60 days, weeks else: what is kept too long is at most one of them. Sites that share
a database share its partitions: a partition goes when all sites that have rows in it let it go. The rows of a
site that keeps less than the others are deleted one by one.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.roller import put
from runtime.database import writing
from schemas.site_retention import Retention
from schemas.tables import horizon

DAY, WEEK = timedelta(days=1), timedelta(days=7)
AHEAD = {DAY: 7, WEEK: 4}
"""Partitions that are there before they begin: as long as an archive may be stopped."""
DAILY_BELOW = 60
"""Raw days; a year by days would be more partitions than a server likes to open."""
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
KEPT_ALL = datetime(1970, 1, 1, tzinfo=UTC)


def width(kept: Retention) -> timedelta:
    """How long a partition is."""
    return DAY if 0 < kept.raw_days < DAILY_BELOW else WEEK


def wanted(ends: list[datetime], now: datetime, size: timedelta) -> list[datetime]:
    """The ends of partitions that are to be made after the last of `ends`, so that the next ones are there."""
    this = MONDAY + (now - MONDAY) // size * size
    last, made = max(ends, default=this), list[datetime]()
    if last < this:  # it was away for longer: one partition for all of that
        last = this
        made.append(last)
    while last < this + AHEAD[size] * size:
        last = MONDAY + ((last - MONDAY) // size + 1) * size
        made.append(last)
    return made


def splits(ends: list[datetime], now: datetime, size: timedelta) -> dict[datetime, list[datetime]]:
    """Partitions that have not begun and are too long, by their ends, and the ends they are cut into."""
    found = {}
    for begin, end in pairwise(ends):
        if begin >= now and end - begin > size:
            found[end] = [begin + size * n for n in range(1, (end - begin) // size)] + [end]
    return found


async def prepare(engine: AsyncEngine, now: datetime, kept: Retention) -> None:
    """A partition for now and the next ones: what comes later stays in `future` until its own is made."""
    if engine.dialect.name == "sqlite":
        return
    size, known = width(kept), await partitions(engine)
    ends = sorted(known)
    for end, parts in splits(ends, now, size).items():
        begin = ends[ends.index(end) - 1]
        await _reorganize(engine, known[end], [f"d{at:%Y%m%d}" for at in [begin, *parts[:-1]]], parts)
    # the first one holds all that is older than it, too
    begin = max(ends, default=MONDAY + (now - MONDAY) // size * size)
    for end in wanted(ends, now, size):
        name = f"{'d' if size == DAY else 'w'}{begin:%Y%m%d}"
        await _reorganize(engine, "future", [name], [end])
        begin = end


async def _reorganize(engine: AsyncEngine, name: str, names: list[str], ends: list[datetime]) -> None:
    parts = [f"PARTITION {one} VALUES LESS THAN ('{end:%Y-%m-%d}')" for one, end in zip(names, ends, strict=True)] + (
        ["PARTITION future VALUES LESS THAN (MAXVALUE)"] if name == "future" else []
    )
    async with writing(engine) as connection:
        await connection.execute(text(f"ALTER TABLE telemetry REORGANIZE PARTITION {name} INTO ({', '.join(parts)})"))


async def partitions(engine: AsyncEngine) -> dict[datetime, str]:
    """Where each ends, and its name; without the one that takes what is later."""
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


async def let_go(engine: AsyncEngine, site: str, oldest: datetime | None) -> datetime | None:
    """Drop the partitions that nobody keeps; before when the rows of this site must be deleted, if any must."""
    async with writing(engine) as connection:
        await put(connection, horizon, [{"site": site, "at": oldest or KEPT_ALL}])
    rest = None
    for end, name in sorted((await partitions(engine)).items()):
        if oldest is None or end > oldest:
            break
        keepers = await _keepers(engine, site, name, end)
        if not keepers:
            async with writing(engine) as connection:
                await connection.execute(text(f"ALTER TABLE telemetry DROP PARTITION {name}"))
        # who is only some hours behind will drop it; but not who is stopped
        elif min(keepers) < end - DAY or end < oldest - DAY:
            rest = end
    return rest


async def _keepers(engine: AsyncEngine, site: str, name: str, end: datetime) -> list[datetime]:
    """From when on each other site that has rows in a partition, and does not let it go, keeps its telemetry."""
    found = []
    async with engine.connect() as connection:
        others = text(f"SELECT DISTINCT site FROM telemetry PARTITION ({name}) WHERE site <> :site")  # noqa: S608
        for other in (await connection.execute(others, {"site": site})).scalars().all():
            at = (await connection.execute(select(horizon.c.at).where(horizon.c.site == other))).scalar() or KEPT_ALL
            found += [at] if at < end else []
    return found
