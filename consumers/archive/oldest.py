"""Deletes the oldest rows of a site in small steps and without reading the others: the archive writes in between.

`at` stands behind other columns in most keys, so what is oldest is not at one end of a table. An index for it repeats
the whole key on SQLite: 67 B a row, where a row of 10 points has 200, and a second place to write to. Instead the key
is skipped through: one look-up for each device (and point) finds the next, and one the oldest of each.
"""

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from runtime.database import writing

ROWS = 500
"""That are deleted by one statement."""
HELD = 0.02
"""Seconds after which a transaction begins no further statement: so long the hot path waits, and the statement."""

Series = tuple[ColumnElement[bool], ...]
"""What the key holds before `at`: of one device, or of one point of it."""


async def forget_older(
    engine: AsyncEngine, table: Table, site: str, oldest: datetime, *which: ColumnElement[bool]
) -> int:
    """Delete what a site has from before `oldest`; how many rows that were. `at` must stand in the table's key.

    `which`: of some series alone.
    """
    async with engine.connect() as connection:
        due = [
            one
            async for one in _series(connection, table, site, *which)
            if await _first(connection, table, one) < oldest
        ]
    gone = 0
    while due:
        async with writing(engine) as connection:
            end = time.monotonic() + HELD
            while due and time.monotonic() < end:
                rows = await _some(connection, table, due[-1], oldest)
                gone += rows
                if rows < ROWS:
                    due.pop()
    return gone


async def _series(
    connection: AsyncConnection, table: Table, site: str, *which: ColumnElement[bool]
) -> AsyncIterator[Series]:
    keys = list(table.primary_key)
    before = keys[1 : keys.index(table.c.at)]
    async for one in _skip(connection, (table.c.site == site, *which), before):
        yield one


async def _skip(connection: AsyncConnection, mine: Series, columns: Sequence[Column[Any]]) -> AsyncIterator[Series]:
    """From one value of the first column to the next, and in each through the other columns."""
    if not columns:
        yield mine
        return
    column, after = columns[0], mine
    while (value := (await connection.execute(select(func.min(column)).where(*after))).scalar()) is not None:
        async for one in _skip(connection, (*mine, column == value), columns[1:]):
            yield one
        after = (*mine, column > value)


async def _first(connection: AsyncConnection, table: Table, mine: Series) -> datetime:
    found: datetime | None = (await connection.execute(select(func.min(table.c.at)).where(*mine))).scalar()
    return found or datetime.max.replace(tzinfo=UTC)


async def _some(connection: AsyncConnection, table: Table, mine: Series, oldest: datetime) -> int:
    """The oldest rows of a series: so many, and those of the same moment as the last."""
    old = (*mine, table.c.at < oldest)
    last = select(table.c.at).where(*old).order_by(table.c.at).offset(ROWS - 1).limit(1)
    until = (await connection.execute(last)).scalar()
    end = () if until is None else (table.c.at <= until,)
    return (await connection.execute(delete(table).where(*old, *end))).rowcount
