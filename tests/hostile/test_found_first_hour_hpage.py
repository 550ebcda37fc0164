"""A plan of the archive that cannot be read, as one of a newer joulebus."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from runtime.database import engine
from runtime.history import History
from schemas.tables import plan
from tests.consumers.test_archive_money import NOON, quarter
from tests.joulebus.test_explain import THEN, explain, fill, planned

__all__ = ["explain"]


async def spoil(url: str) -> None:
    database = engine(url)
    async with database.begin() as connection:
        await connection.execute(update(plan).values(packed=b"?"))
    await database.dispose()


async def paid(url: str) -> list[tuple[float, float | None]]:
    database = engine(url)
    found = await History(database).money("plant", NOON, NOON + timedelta(minutes=15))
    await database.dispose()
    return [(one.imported / 1000, one.planned) for one in found]


def test_a_plan_that_cannot_be_read_leaves_what_was_paid_and_is_named(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    """Nothing was priced any more from it on, and `explain` called it a mistake in joulebus."""
    fill(archive_url, tmp_path, [planned(NOON - timedelta(minutes=15))])
    asyncio.run(spoil(archive_url))
    fill(archive_url, tmp_path, [], quarter(NOON, grid=20e3))
    assert asyncio.run(paid(archive_url)) == [(5.0, None)]
    code, said = explain("--at", THEN)
    assert (code, said.count("cannot be read")) == (1, 1)
    assert "a newer joulebus may have written it" in said
