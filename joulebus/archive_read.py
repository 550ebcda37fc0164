"""How a command reads the archive: it opens the database, looks whether it is one of this version, and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import check_schema, engine
from schemas.tables import control, device_status, plan, telemetry
from schemas.troubles import Trouble

PATIENCE = 60
"""Seconds that the answer to one question may take: a person waits for it."""


@asynccontextmanager
async def reading(url: str, site: str = "") -> AsyncIterator[AsyncEngine]:
    """Its database, for as long as it is asked. Raises Trouble where it cannot be reached, has other tables, or has
    other sites and nothing of the one that is asked for."""
    database = engine(url, patience=PATIENCE)
    try:
        await check_schema(database)
        if site:
            await _has(database, site)
        yield database
    finally:
        await database.dispose()


async def _has(database: AsyncEngine, site: str) -> None:
    """Raises Trouble where the question is of another site: who leaves out --site asks for that of site.toml."""
    asked = [one.c.site for one in (telemetry, device_status, plan, control)]
    async with database.connect() as connection:
        for name in asked:
            if (await connection.execute(select(literal(1)).where(name == site).limit(1))).first():
                return
        found = [(await connection.execute(select(func.min(name)))).scalar_one() for name in asked]
    if others := sorted({one for one in found if one is not None}):
        raise Trouble(f"the archive has nothing of {site}, but of {', '.join(others)}: --site FILE says which is meant")
