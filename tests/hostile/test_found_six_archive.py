"""What a hostile reader found in the archive: each test is a fault that lost, kept or falsified what was stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.journal import prune
from consumers.archive.links import link_hash
from consumers.archive.migrate import migrate, upgrade
from consumers.archive.proof import verify
from consumers.archive.retention import forget
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from runtime.database import engine
from schemas import tables
from schemas.site import Site
from schemas.site_parts import Retention
from tests.consumers.test_archive_gaps import SLOW, Archive, minutely
from tests.consumers.test_archive_migrate import OLD, QUARTERS, _past, ask
from tests.consumers.test_archive_migrate import SITE as MIGRATED
from tests.consumers.test_archive_rollups import NOON
from tests.consumers.test_archive_sealing import KEY, sealed_file

__all__ = ["sealed_file"]

DAY, HOUR, YEAR = timedelta(days=1), timedelta(hours=1), timedelta(days=365)


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    yield database
    await database.dispose()


async def count(database: AsyncEngine, table: Any, *where: Any) -> int:
    async with database.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table).where(*where))).scalar_one())


async def run(database: AsyncEngine, *statements: Any) -> None:
    async with database.begin() as connection:
        for one in statements:
            await connection.execute(one)


# --- migrated --------------------------------------------------------------------------------------


def test_retention_leaves_the_marks_of_a_past_that_still_waits_for_its_energies(tmp_path: Path) -> None:
    """The weeks that 0005 marks stood in `dirty`, which is kept as long as samples: the first round of retention, at
    the first start, forgot them, and years of energies, flows and money of the owner were never made."""
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    ask(url, lambda connection: upgrade(connection, "0004"))
    ask(url, _past)
    migrate(url)

    async def lives() -> int:
        database = engine(url)
        now = OLD + 2 * YEAR
        await forget(database, MIGRATED.site, Retention(), now)
        await Roller(database, MIGRATED, Store(database, lambda _: None)).roll(now)
        made = await count(database, tables.energy)
        await database.dispose()
        return made

    assert asyncio.run(lives()) > len(QUARTERS)


def test_what_flowed_before_a_meter_had_its_name_stays(tmp_path: Path) -> None:
    """A site whose meter was renamed: the migrated weeks made the flows of before anew, of a meter that was not there
    then, and so deleted them."""
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    ask(url, lambda connection: upgrade(connection, "0004"))
    ask(url, _past)
    ask(url, lambda connection: connection.execute(text("UPDATE rollup_15m SET device = 'old' WHERE device = 'meter'")))
    migrate(url)

    async def lives() -> int:
        database = engine(url)
        await Roller(database, MIGRATED, Store(database, lambda _: None)).roll(OLD + 30 * DAY)
        kept = await count(database, tables.flow)
        await database.dispose()
        return kept

    assert asyncio.run(lives()) == len(QUARTERS)


# --- clocks ----------------------------------------------------------------------------------------


async def test_a_clock_that_was_a_year_ahead_does_not_silence_the_ledger_of_gaps(fresh: AsyncEngine) -> None:
    """A start with a clock a year ahead, until the network set it, wrote hours of that year: for a year nothing that was
    missing was a gap."""
    one = Archive(fresh, SLOW, NOON)
    await one.keep(*minutely("meter", NOON, NOON + HOUR), now=NOON + HOUR)
    await Archive(fresh, SLOW, NOON).ledger.write(NOON + YEAR)
    restarted = Archive(fresh, SLOW, NOON)
    await restarted.keep(now=NOON + 4 * HOUR)
    hours = await restarted.hours("meter")
    assert hours[NOON + 2 * HOUR].stored == 0


# --- the journal -----------------------------------------------------------------------------------


FORGED = {"site": "plant", "device": "pcs", "at": NOON, "id": "forged"}


async def test_a_row_with_a_link_behind_a_seal_is_named(sealed_file: Path, tmp_path: Path) -> None:
    """Rows and links were only counted: a link with a number that is sealed long ago was never followed, so whoever can
    write added any command to `v_commands`, and the journal said that all was well."""
    database = engine(f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}")
    row = FORGED | {"until": NOON + HOUR, "source": "operator", "authority": "plan", "body": "{}"}
    link = FORGED | {"kind": "command", "state": "", "number": 1, "previous": "0" * 64}
    link["hash"] = link_hash("0" * 64, 1, "command", row)
    await run(database, insert(tables.command).values(**row), insert(tables.journal).values(**link))
    found = await verify(database, "plant", KEY)
    await database.dispose()
    assert "link 1 " in found.wrong


@pytest.mark.parametrize("number", [0, 1, 9])
async def test_what_v_commands_shows_of_no_segment_is_named(sealed_file: Path, tmp_path: Path, number: int) -> None:
    """Rows of `run` were compared with their segment alone: those of a pruned one, or of none, were not looked at."""
    database = engine(f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}")
    assert await prune(database, "plant", NOON + timedelta(seconds=81), KEY) == 120
    forged = {"site": "plant", "segment": number, "number": 1, "day": f"{NOON:%Y-%m-%d}", "at": NOON, "device": "pcs",
              "source": "operator", "authority": "plan", "seconds": 10.0, "prefix": "forged-", "reason": "none",
              "items": '[[1, 0, 5000.0, [["applied", 3]]]]'}  # fmt: skip
    assert (await verify(database, "plant", KEY)).wrong == ""
    await run(database, insert(tables.run).values(**forged))
    found = await verify(database, "plant", KEY)
    await database.dispose()
    assert "v_commands" in found.wrong
