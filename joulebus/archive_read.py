"""How a command reads the archive: it opens the database, looks whether it is one of this version, and closes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import check_schema, engine

PATIENCE = 60
"""Seconds that the answer to one question may take: a person waits for it."""


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[AsyncEngine]:
    """Its database, for as long as it is asked. Raises Trouble where it cannot be reached or has other tables."""
    database = engine(url, patience=PATIENCE)
    try:
        await check_schema(database)
        yield database
    finally:
        await database.dispose()
