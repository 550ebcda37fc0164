"""A database that is away for a while: who needs it says so, and takes it back. Beside a real server that is killed."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from consumers.archive import service
from consumers.archive.store import Store
from consumers.optimize import billed, filling
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from joulebus.mariadb import MariaDB
from runtime.database import engine
from runtime.history import History
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause
from tests.consumers.test_archive_store import samples
from tests.consumers.test_dispatch_desk import plant_site

AWAY = 0.5


async def test_a_database_that_is_away_for_a_while_is_a_trouble_of_its_own(
    mariadb: MariaDB, mariadb_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((service, "AWAY_SHOWN"), (filling, "AWAY_SHOWN"), (billed, "AWAY_SHOWN")):
        monkeypatch.setattr(module, name, AWAY)
    monkeypatch.setattr(billed, "LATELY", 0.2)
    site, database = plant_site(tmp_path), engine(mariadb_archive)
    settings = Settings(parse_broker("mqtt://127.0.0.1", "x", None, {}), mariadb_archive, None, tmp_path)
    archive, optimize = Part("archive", site, settings), Part("optimize", site, settings)
    store = Store(database, lambda words: service._tell(archive, words, away=store.away))
    situation, history = Situation.of(site), History(database)
    fills = filling.Filling(optimize, Past(site), history)
    telling = asyncio.create_task(billed.Billed(optimize, situation, history).keep())
    await store.keep(samples(1))
    assert "archive" not in await fills.fill(10)
    mariadb.kill()
    keeping = asyncio.create_task(store.keep(samples(2)))
    try:
        both = {"the archive cannot be read", "the archive does not tell what is billed"}  # whichever asks first
        async with asyncio.timeout(20):
            while Cause.DATABASE not in archive.causes.names or {*optimize.causes.words.split("; ")} != both:
                assert await fills.fill(1) == "; without the archive"
                await asyncio.sleep(0.05)
        assert archive.causes.names == [Cause.NOT_ARCHIVED, Cause.DATABASE]
        assert not archive.causes.ready
        assert optimize.causes.names == [Cause.DATABASE]
        assert optimize.causes.ready
    finally:
        mariadb.start()
    await asyncio.wait_for(keeping, 20)
    async with asyncio.timeout(10):
        while archive.causes.names or optimize.causes.names:
            await fills.fill(1)
            await asyncio.sleep(0.05)
    telling.cancel()
    fills.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await telling
    await database.dispose()
