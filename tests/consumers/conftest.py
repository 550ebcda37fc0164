"""Archives without rows, as their database: of both kinds, or of SQLite alone."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import engine


@pytest.fixture
async def archive(archive_url: str) -> AsyncIterator[AsyncEngine]:
    """Of each kind: for what is asked and written."""
    database = engine(archive_url)
    yield database
    await database.dispose()


@pytest.fixture
async def lite(sqlite_archive: str) -> AsyncIterator[AsyncEngine]:
    """For what is decided beside the database, of so many samples that the story takes seconds on each kind."""
    database = engine(sqlite_archive)
    yield database
    await database.dispose()
