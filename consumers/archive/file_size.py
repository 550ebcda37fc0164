"""Keeps the embedded archive's file, and the log beside it, from being larger than they need to be. For SQLite alone.

Pages of deleted rows are used again, so a file whose retention does not change stays as it is. One that is thinned has
more of them than it will use soon: these go back to the disk, a few with each transaction.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import BUSY, LOG_KEPT, alone
from runtime.database_file import size

SPARE, SPARE_SHARE = 4096, 0.1
"""Free pages that are kept, or this share of all, whichever is more: the rows of the next days will take them."""
_INCREMENTAL = 2
PAGES = 256
"""Pages of 4 kB that one transaction gives back."""
PATIENCE_MS = 1000
"""The archive stands still while we wait for those who read from the log: no longer than this."""


async def give_back(engine: AsyncEngine) -> None:
    """Free pages to the disk, and the log into the file when it has grown.

    Those who read all the time keep the log from being begun anew, and it grows: then they are waited for.
    A file that an older joulebus has made keeps its pages for new rows; a backup of it, put in its place, gives them.
    """
    if engine.dialect.name != "sqlite":
        return
    given = False
    while await _too_many(engine):
        given = True
        async with alone(engine) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.executescript(f"PRAGMA incremental_vacuum({PAGES})")  # as a plain statement it frees one page
    if given or size(f"{engine.url.database}-wal") > LOG_KEPT:  # the file itself gets shorter with the log
        async with alone(engine) as connection:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENCE_MS}")
            try:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY}")


async def free_bytes(engine: AsyncEngine) -> int:
    """What new rows can take before a SQLite file grows."""
    async with engine.connect() as connection:
        asked = [await connection.exec_driver_sql(f"PRAGMA {one}") for one in ("freelist_count", "page_size")]
        pages, each = [answer.scalar_one() for answer in asked]
    return int(pages * each)


async def _too_many(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        asked = [
            await connection.exec_driver_sql(f"PRAGMA {one}") for one in ("auto_vacuum", "freelist_count", "page_count")
        ]
        kind, free, pages = [answer.scalar_one() for answer in asked]
    return bool(kind == _INCREMENTAL and free > max(SPARE, SPARE_SHARE * pages) + PAGES)
