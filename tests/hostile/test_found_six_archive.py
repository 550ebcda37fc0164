"""What a hostile reader found in the archive: each test is a fault that lost, kept or falsified what was stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain.journal import prune
from consumers.archive.chain.links import link_hash
from consumers.archive.chain.proof import verify
from consumers.archive.chain.sealing import seal
from consumers.archive.energy.energies import Told, energies
from consumers.archive.migrate import migrate, upgrade
from consumers.archive.retention import forget
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from consumers.archive.upkeep import AGAIN, Upkeep
from joulebus.mariadb import MariaDB
from runtime.database import engine
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import tables
from schemas.messages import Action, Authority, Cause, Command, Outcome, OutcomeState, Value
from schemas.site_retention import Retention
from tests.consumers.conftest import archive
from tests.consumers.test_archive_gaps import SLOW, Archive, minutely
from tests.consumers.test_archive_migrate import OLD, QUARTERS, _old_words, _past, ask, check
from tests.consumers.test_archive_migrate import SITE as MIGRATED
from tests.consumers.test_archive_rollups import NOON, said
from tests.consumers.test_archive_sealing import KEY, heard, keep, sealed_file, spoken, view
from tests.joulebus.test_database_users import connected, passwords, urls

__all__ = ["archive", "passwords", "sealed_file", "urls"]

DAY, HOUR, YEAR = timedelta(days=1), timedelta(hours=1), timedelta(days=365)
QUARTER = timedelta(minutes=15)


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
    """A start with a clock a year ahead, until the network set it, wrote hours of that year: for a year nothing
    that was missing was a gap."""
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


async def test_samples_of_a_clock_that_was_ahead_make_no_energy_of_the_time_between(fresh: AsyncEngine) -> None:
    """A counter that stood still told, on both sides of a year that had not come yet, that nothing flowed: 30 000
    quarters of the future were written as measured zeros, with each quarter of the present again."""
    counted: dict[str, Value] = {"p": 0.0, "e_import": 5000.0, "e_export": 10.0}
    ahead, now = NOON + 300 * DAY, NOON + HOUR
    store = Store(fresh, lambda _: None)
    roller = Roller(fresh, SLOW, store)
    for at in (ahead, ahead + QUARTER):
        await store.keep(sort_out([said(1, (at - NOON).total_seconds(), counted)], ahead + HOUR)[0])
    await roller.roll(ahead + HOUR)
    for number in range(30):
        await store.keep(sort_out([said(2 + number, 60 * number, counted)], now)[0])
    await roller.roll(now)
    between = tables.energy.c.at > now, tables.energy.c.at < ahead
    assert await count(fresh, tables.energy, *between) == 0
    assert await count(fresh, tables.energy, tables.energy.c.at < now) == 2


async def test_a_start_with_a_clock_ahead_forgets_nothing(tmp_path: Path) -> None:
    """Retention runs at the start, before the network has set the clock: of an archive whose machine woke up two years
    ahead it deleted all samples, minutes and commands."""
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    broker = parse_broker("mqtt://127.0.0.1:1", "archive", None, {})
    part, database = Part("archive", SLOW, Settings(broker, url, None, tmp_path)), engine(url)
    store = Store(database, lambda _: None)
    await store.keep(sort_out(list(minutely("meter", NOON, NOON + HOUR)), NOON + HOUR)[0])
    upkeep = Upkeep(part, database, store)
    await upkeep._forget(NOON + 2 * YEAR)
    assert await count(database, tables.telemetry) == 61
    await store.keep(sort_out([said(1, (2 * YEAR).total_seconds(), {"p": 1.0})], NOON + 2 * YEAR)[0])
    await upkeep._forget(NOON + 2 * YEAR)
    assert await count(database, tables.telemetry) == 1
    await database.dispose()


async def test_who_hears_nothing_any_more_makes_room_when_retention_is_shortened(fresh: AsyncEngine) -> None:
    """A full disk takes no sample, and only what is forgotten makes room for the next one."""
    await Store(fresh, lambda _: None).keep(sort_out(list(minutely("meter", NOON, NOON + 5 * DAY)), NOON + 5 * DAY)[0])
    url = fresh.url.render_as_string(hide_password=False)
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "archive", None, {}), url, None, Path())
    site = SLOW.model_copy(update={"retention": Retention(raw_days=3)})
    upkeep = Upkeep(Part("archive", site, settings), fresh, Store(fresh, lambda _: None))
    assert await upkeep._forget(NOON + YEAR) == AGAIN
    assert await count(fresh, tables.telemetry) == 2 * 1440 + 1


async def test_a_counter_that_was_away_for_a_year_is_followed_a_week_at_a_time(fresh: AsyncEngine) -> None:
    """All minutes of the gap were read at once: a year of them is a gigabyte, and the archive has 300 MB."""
    store = Store(fresh, lambda _: None)
    roller = Roller(fresh, SLOW, store)
    for at in (NOON, NOON + 300 * DAY):
        await store.keep(
            sort_out([said(1, (at - NOON).total_seconds(), {"p": 0.0, "e_import": 5.0, "e_export": 1.0})], at)[0]
        )
        spans: list[timedelta] = []

        def asked(_a: object, _b: object, statement: str, given: Any, *_rest: object) -> None:
            if "FROM rollup_1m" in statement:
                first, last = (datetime.fromisoformat(one) for one in given[-2:])
                spans.append(last - first)  # noqa: B023  # of this round

        event.listen(fresh.sync_engine, "before_cursor_execute", asked)
        await roller.roll(at + HOUR)
        event.remove(fresh.sync_engine, "before_cursor_execute", asked)
    assert len(spans) > 40
    assert max(spans) <= 7 * DAY


async def test_the_isolation_of_a_transaction_is_not_the_servers_choice(mariadb: MariaDB) -> None:
    """On a server of READ COMMITTED `journal verify`, reading while a segment was closed, said a link was missing."""
    mariadb.sql("SET GLOBAL tx_isolation = 'READ-COMMITTED'")
    database = engine(mariadb.database())
    try:
        async with database.connect() as connection:
            assert (await connection.execute(text("SELECT @@tx_isolation"))).scalar() == "REPEATABLE-READ"
    finally:
        mariadb.sql("SET GLOBAL tx_isolation = 'REPEATABLE-READ'")
        await database.dispose()


async def test_what_cannot_be_forgotten_for_want_of_the_key_is_said(sealed_file: Path, tmp_path: Path) -> None:
    """With another journal key, or none, no segment was forgotten any more, the file grew, and nobody said so."""
    url = f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}"
    broker = parse_broker("mqtt://127.0.0.1:1", "archive", None, {})
    settings = Settings(broker, url, None, tmp_path, journal_key="z" * 32)
    part, database = Part("archive", SLOW, settings), engine(url)
    upkeep = Upkeep(part, database, Store(database, lambda _: None))
    await upkeep._forget(NOON + 2 * YEAR)
    assert "3 segments of the journal" in part.causes.words
    assert part.causes.names == [Cause.UPKEEP]
    await database.dispose()


# --- an order of things that nobody expects ----------------------------------------------------------


async def test_a_command_that_comes_after_its_outcomes_were_closed_is_told_with_them(fresh: AsyncEngine) -> None:
    """The machine of dispatch died and its outbox came an hour later than those of the bridges: `v_commands` showed for
    ever a command that nobody answered."""
    batch, half = spoken(1, 10), timedelta(minutes=30)
    for commands_now, halves in ((False, 2), (True, 3)):
        await keep(fresh, [one for one in batch if isinstance(one.message, Command) is commands_now])
        assert await seal(fresh, "plant", NOON + halves * half, KEY) == 1
    async with fresh.connect() as connection:
        told = (await connection.execute(text("SELECT outcome, count(*) FROM v_commands GROUP BY outcome"))).all()
    assert sorted(tuple(one) for one in told) == [("applied", 10), ("limited", 10)]
    assert (await verify(fresh, "plant", KEY)).wrong == ""
    await keep(fresh, batch)
    assert (await verify(fresh, "plant", KEY)).links == 30


ODD: list[dict[str, Any]] = [
    {"values": {"p_set": 1e49}}, {"values": {"p_set": -5e-324}}, {"values": {"q_set": 3.0}}, {"action": Action.STOP},
    {"values": {"p_set": 0.1 + 0.2}}, {"values": {"p_set": 2.0**53 + 2}},
]  # fmt: skip
IDS = ["a", "007", "x-007", "x-0", "x-123456789012345678901", "12", "x--5", "x-5"]
REASONS = ["", "x" * 500, "𝄞" * 500, 'q"\\\n\t\u2028\x01', "null", "[]"]


async def test_odd_commands_are_the_same_in_sql_before_and_after_they_are_closed(archive: AsyncEngine) -> None:
    said: list[Command | Outcome] = []
    for number, (name, wish) in enumerate((name, wish) for wish in ODD for name in IDS):
        at = NOON + number * timedelta(seconds=1, microseconds=13)
        until, reason = at + timedelta(days=300, microseconds=1), REASONS[number % len(REASONS)]
        order = Command(id=f"{number or ''}{name}", at=at, until=until, source="dispatch", authority=Authority.PLAN,
                        reason=reason, **wish)  # fmt: skip
        early = Outcome(id=order.id, at=at - timedelta(seconds=3), state=OutcomeState.APPLIED, reason=reason)
        said += [order, early] if number % 3 else [order]
    await keep(archive, [heard(one) for one in said])
    before = await view(archive)
    assert await seal(archive, "plant", NOON + HOUR, KEY) == 1
    assert (await verify(archive, "plant", KEY)).wrong == ""
    assert await view(archive) == before


@pytest.mark.parametrize("revision", ["0003", "0004", "0005", "0006", "0007"])
def test_a_step_that_was_done_and_not_noted_is_done_again(mariadb: MariaDB, revision: str) -> None:
    """MariaDB keeps what a migration did until it was killed: no row is lost or there twice, whichever step it was."""
    url = mariadb.database()
    ask(url, lambda connection: upgrade(connection, "0003"))
    ask(url, lambda connection: connection.execute(text("DROP VIEW IF EXISTS v_energy_15min")))
    for fill in (_past, _old_words):
        ask(url, fill)
    ask(url, lambda connection: upgrade(connection, f"{int(revision) + 1:04}"))
    noted = text("UPDATE alembic_version SET version_num = :revision").bindparams(revision=revision)
    ask(url, lambda connection: connection.execute(noted))
    migrate(url)
    check(url)
    expected = {"rollup_15m": 60, "flow": 15, "command": 2, "outcome": 2, "journal": 4, "plan": 1, "dirty": 6}
    for name, rows in (expected | {"unpriced": 15}).items():
        asked = text(f"SELECT count(*) FROM {name}")  # noqa: S608  # names of ours
        assert ask(url, partial(Connection.scalar, statement=asked)) == rows, name


# --- what comes late ---------------------------------------------------------------------------------


async def test_late_samples_of_an_hour_whose_minutes_are_forgotten_do_not_replace_it(fresh: AsyncEngine) -> None:
    """A site that keeps minutes for a week and samples for longer, and a line that was down for ten days: the quarter
    and the hour in which it broke were made anew of the late minutes alone, 660 of 3600 seconds."""
    store = Store(fresh, lambda _: None)
    site = SLOW.model_copy(update={"retention": Retention(minute_days=7)})
    roller, hour = Roller(fresh, site, store), [*minutely("meter", NOON, NOON + HOUR)]
    await store.keep(sort_out(hour[:10] + hour[20:], NOON + HOUR)[0])
    await roller.roll(NOON + 2 * HOUR)
    await forget(fresh, "plant", site.retention, NOON + 10 * DAY)
    await store.keep(sort_out(hour[10:20], NOON + 10 * DAY)[0])
    await roller.roll(NOON + 10 * DAY)
    async with fresh.connect() as connection:
        for table, seconds in ((tables.rollup_15m, 900), (tables.rollup_1h, 3600)):
            asked = select(table.c.seconds).where(table.c.at == NOON)
            assert (await connection.execute(asked)).scalar() == pytest.approx(seconds)


# --- what held ---------------------------------------------------------------------------------------


async def test_each_upkeep_job_does_its_work_with_the_rights_it_has(urls: dict[str, str], tmp_path: Path) -> None:
    """Who stores and who looks after it are the users of the containers: closed, rolled, pruned and forgotten."""
    broker = parse_broker("mqtt://127.0.0.1:1", "archive", None, {})
    part = Part("archive", SLOW, Settings(broker, urls["archive"], None, tmp_path, journal_key=KEY))
    late = NOON + 500 * DAY
    async with connected(urls["archive"]) as storing, connected(urls["upkeep"]) as looking_after:
        store = Store(storing, lambda _: None)
        upkeep = Upkeep(part, looking_after, store)
        samples = [one for name in ("meter", "pcs") for one in minutely(name, NOON, NOON + HOUR)]
        newest = said(1, (late - NOON).total_seconds(), {"p": 1.0})
        for batch, now in ([*samples, *spoken(1, 20)], NOON + 2 * HOUR), ([newest], late):
            await store.keep(sort_out(batch, now)[0])
            for job in (upkeep._roll, upkeep._seal, upkeep._price, upkeep._write, upkeep._forget, upkeep._give_back):
                await job(now)
        assert part.causes.words == ""
        found = await verify(looking_after, "plant", KEY)
        assert (part.counts["sealed"], found.pruned, found.wrong) == (1, 60, "")
        assert await count(looking_after, tables.telemetry, tables.telemetry.c.at < late) == 0
        assert await count(looking_after, tables.energy) > 0


@pytest.mark.xfail(
    strict=True, reason="a counter that tells 0 and one that began again look alike; it takes the quarters before"
)
def test_a_counter_that_tells_nothing_but_zero_at_dusk_has_not_counted_all_its_life_by_dawn() -> None:
    """New inverters that fall asleep with registers of 0: what they ever gave was given again, each night."""
    told = {0: Told(None, 60_000.0), 1: Told(None, 0.0), 2: Told(None, 0.0), 50: Told(None, 60_010.0)}
    assert sum(one.out for one in energies(told, 4000.0, one_way=True).values()) < 1000.0
