"""Segments of the journal: closed, proven, asked in SQL as before, forgotten with their heads kept."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain.journal import prune
from consumers.archive.chain.links import hashes
from consumers.archive.chain.proof import verify
from consumers.archive.chain.sealing import Broken, cut, seal
from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from consumers.archive.upkeep import Upkeep
from runtime.database import engine
from runtime.heard import Heard
from runtime.orders import orders
from runtime.part import Part
from runtime.segments import pack, runs, unpack
from runtime.settings import Settings, parse_broker
from schemas import messages as m
from schemas import tables
from schemas.topics import COMMAND, OUTCOME
from tests.consumers.test_archive_rollups import NOON, SITE

KEY = "k" * 32
PLACE = {"site": "plant", "device": "pcs"}
HALF = timedelta(minutes=30)


def spoken(first: int, count: int) -> list[Heard[Any]]:
    """Commands each 2 s from noon on, with two outcomes each."""
    said: list[m.Command | m.Outcome] = []
    for number in range(first, first + count):
        at = NOON + timedelta(seconds=2 * number, microseconds=17 * number)
        reason = "covers the load" if number % 7 else f"günstig; its share of {number} kW 🔋"
        order = m.Command(
            id=f"dispatch-00ff-{number}", at=at, until=at + timedelta(seconds=10), source="dispatch", epoch="0" * 16,
            number=number, authority=m.Authority.PLAN, values={"p_set": number * 1.5}, reason=reason,
        )  # fmt: skip
        done = m.Outcome(id=order.id, at=at + timedelta(milliseconds=3), state=m.OutcomeState.APPLIED)
        proven = replace_at(done, at + timedelta(seconds=0.4), m.OutcomeState.LIMITED, "the BMS allows 5 kW")
        said += [order, done, proven]
    return [heard(one) for one in said]


def replace_at(done: m.Outcome, at: datetime, state: m.OutcomeState, reason: str) -> m.Outcome:
    return done.model_copy(update={"at": at, "state": state, "reason": reason})


def heard(said: m.Command | m.Outcome) -> Heard[Any]:
    return Heard(COMMAND if isinstance(said, m.Command) else OUTCOME, PLACE, said, "", b"", False, 1)


async def keep(database: AsyncEngine, batch: list[Heard[Any]], size: int = 50) -> None:
    store = Store(database, lambda _: None)
    for start in range(0, len(batch), size):
        await store.keep(sort_out(batch[start : start + size], NOON)[0])


async def rows(database: AsyncEngine, question: str) -> list[tuple[Any, ...]]:
    async with database.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(question))]


async def view(database: AsyncEngine) -> list[tuple[Any, ...]]:
    """All columns of v_commands, moments alike in both halves."""
    found = await rows(database, "SELECT * FROM v_commands")
    return sorted(tuple(str(value) for value in row) for row in found)


async def count(database: AsyncEngine, table: Any) -> int:
    async with database.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_closed_segments_say_the_same_in_sql_and_have_the_same_head(archive: AsyncEngine) -> None:
    await keep(archive, spoken(1, 400))
    before, asked = await verify(archive, "plant"), await view(archive)
    assert (before.links, before.wrong, len(asked)) == (1200, "", 800)
    assert await seal(archive, "plant", NOON + timedelta(minutes=29)) == 0
    assert await seal(archive, "plant", NOON + HALF * 2, KEY) == 1
    assert await verify(archive, "plant", KEY) == before
    assert await view(archive) == asked
    await keep(archive, spoken(401, 2))
    assert await orders(archive, "plant", NOON, NOON + HALF) == [("pcs", one.message) for one in spoken(1, 402)]
    assert [one.id for _, one in await orders(archive, "plant", NOON, NOON + timedelta(seconds=3))] == [
        "dispatch-00ff-1"
    ] * 3
    assert [await count(archive, one) for one in (tables.command, tables.outcome, tables.journal)] == [2, 4, 6]
    assert 0 < await count(archive, tables.run) < 80


async def test_what_comes_twice_is_one_also_when_it_is_sealed(archive: AsyncEngine) -> None:
    batch = spoken(1, 40)
    await keep(archive, batch)
    await seal(archive, "plant", NOON + HALF * 2)
    sealed = await verify(archive, "plant")
    await keep(archive, batch)
    assert await verify(archive, "plant") == sealed
    await keep(archive, [*batch, *spoken(41, 1)])
    assert (await verify(archive, "plant")).links == 123


async def test_an_outcome_that_comes_after_its_command_was_sealed_is_told_with_it(archive: AsyncEngine) -> None:
    *early, late = spoken(1, 40)
    await keep(archive, early)
    await seal(archive, "plant", NOON + HALF * 2)
    await keep(archive, [late])
    await seal(archive, "plant", NOON + HALF * 3)
    assert (await verify(archive, "plant")).wrong == ""
    asked = (
        "SELECT wanted_w, outcome, outcome_reason FROM v_commands WHERE id = 'dispatch-00ff-40' AND outcome='limited'"
    )
    assert await rows(archive, asked) == [(60.0, "limited", "the BMS allows 5 kW")]


@pytest.mark.parametrize("damage", ["'x'", "NULL"])
async def test_a_segment_that_was_damaged_does_not_stop_what_comes(
    sealed_file: Path, tmp_path: Path, damage: str
) -> None:
    database = engine(f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}")
    async with database.begin() as connection:
        await connection.execute(text(f"UPDATE segment SET packed = {damage} WHERE number = 3"))  # noqa: S608  # ours
    *_, late = spoken(120, 1)
    await keep(database, [late, *spoken(130, 2)])
    assert await seal(database, "plant", NOON + HALF * 2) == 1
    assert await count(database, tables.journal) == 0
    assert "segment 3" in (await verify(database, "plant")).wrong
    await database.dispose()


CRIMES = [
    ("UPDATE segment SET packed = (SELECT s.packed FROM segment s WHERE s.number = 1) WHERE number = 2",
     "segment 2 .*a row in it was changed"),
    ("UPDATE segment SET packed = 'x' WHERE number = 2", "segment 2 .*cannot be read"),
    ("UPDATE segment SET packed = NULL WHERE number = 2", "segment 2 .*nobody pruned it"),
    ("UPDATE segment SET packed = NULL, pruned = at WHERE number = 2", "segment 2 .*has no journal key"),
    ("DELETE FROM segment WHERE number = 2", "segment 2 is missing"),
    ("DELETE FROM segment WHERE number = 1", "segment 1 is missing"),
    ("DELETE FROM segment WHERE number = 3", "link 241 is missing"),
    ("UPDATE segment SET head = previous WHERE number = 2", "segment 2 .*seal was replaced"),
    ("UPDATE segment SET at = first_at WHERE number = 2", "segment 2 .*seal was replaced"),
    ("UPDATE segment SET signature = '' WHERE number = 2", "segment 2 .*not signed"),
    ("UPDATE segment SET signature = digest WHERE number = 2", "segment 2 .*seal was replaced"),
    ("UPDATE run SET items = replace(items, 'limited', 'verified') WHERE segment = 2 AND number = 1",
     "segment 2 .*v_commands"),
    ("DELETE FROM run WHERE segment = 3 AND number = 1", "segment 3 .*v_commands"),
    ("UPDATE command SET body = replace(body, '181.5', '999.9') WHERE id LIKE '%-121'", "its row was changed"),
    ("DELETE FROM outcome WHERE id = 'dispatch-00ff-122' AND state = 'applied'", "row is missing"),
    ("DELETE FROM journal WHERE number = 362", "link 362 is missing"),
]  # fmt: skip


async def three(database: AsyncEngine) -> None:
    """Three segments of 40 commands each, and one command that is still open."""
    for part in range(3):
        await keep(database, spoken(1 + 40 * part, 40))
        await seal(database, "plant", NOON + HALF * 2, KEY)
    await keep(database, spoken(121, 2))


@pytest.fixture(scope="module")
def sealed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such an archive, to be copied for each crime."""
    path = tmp_path_factory.mktemp("sealed") / "archive.db"
    url = f"sqlite+aiosqlite:///{path}"
    migrate(url)

    async def fill() -> None:
        database = engine(url)
        await three(database)
        await database.dispose()

    asyncio.run(fill())
    return path


@pytest.mark.parametrize(("crime", "says"), CRIMES, ids=[says for _, says in CRIMES])
async def test_whatever_is_changed_is_named(sealed_file: Path, tmp_path: Path, crime: str, says: str) -> None:
    database = engine(f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}")
    assert (await verify(database, "plant", KEY)).wrong == ""
    async with database.begin() as connection:
        assert (await connection.execute(text(crime))).rowcount == 1
    found = await verify(database, "plant", KEY)
    await database.dispose()
    assert re.search(says, found.wrong), found.wrong


Rewritten = Callable[[list[Any]], list[Any]]
FORGERIES: list[tuple[str, Rewritten, bool, str]] = [
    # what is done to the rows of the second segment, whether the head is made to fit, and what is said
    ("changed", lambda rows: [*rows[:-1], ("outcome", rows[-1][1] | {"state": "refused"})], False, "a row in it was"),
    ("removed", lambda rows: rows[1:], False, "120 rows were sealed, it has 119"),
    ("added", lambda rows: [*rows, ("outcome", rows[-1][1] | {"state": "failed"})], False, "were sealed, it has 121"),
    ("in another order", lambda rows: [rows[1], rows[0], *rows[2:]], False, "a row in it was changed"),
    ("changed with its head", lambda rows: [*rows[:-1], ("outcome", rows[-1][1] | {"state": "failed"})], True,
     "segment 3 .*it does not follow the one before"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rewritten", "fits", "says"), [one[1:] for one in FORGERIES], ids=[one[0] for one in FORGERIES]
)
async def test_who_knows_how_a_segment_is_written_and_has_no_key_is_found(
    sealed_file: Path, tmp_path: Path, rewritten: Rewritten, fits: bool, says: str
) -> None:
    """Without the key, too: all that he can write is made to fit, but the chain goes on behind it."""
    database = engine(f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}")
    c = tables.segment.c
    async with database.begin() as connection:
        one = (await connection.execute(select(tables.segment).where(c.number == 2))).mappings().one()
        rows_now = rewritten(unpack("plant", one["packed"]))
        packed = pack("plant", rows_now)
        new = {"packed": packed, "digest": sha256(packed).hexdigest(), "signature": ""}
        if fits:
            new["head"] = list(hashes(one["previous"], one["first_link"], rows_now))[-1]
        await connection.execute(update(tables.segment).values(signature=""))
        await connection.execute(update(tables.segment).where(c.number == 2).values(**new))
        for told in runs(rows_now):
            place = tables.run.c.segment == 2, tables.run.c.number == told["number"]
            await connection.execute(update(tables.run).where(*place).values(**told))
    found = await verify(database, "plant")
    await database.dispose()
    assert re.search(says, found.wrong), found.wrong


async def test_a_journal_that_is_not_whole_is_not_closed(archive: AsyncEngine) -> None:
    await keep(archive, spoken(1, 5))
    async with archive.begin() as connection:
        await connection.execute(text("DELETE FROM outcome WHERE id = 'dispatch-00ff-3' AND state = 'applied'"))
    with pytest.raises(Broken, match="its row is missing"):
        await seal(archive, "plant", NOON + HALF * 2, KEY)
    assert await count(archive, tables.segment) == 0


async def test_what_is_pruned_is_proven_by_its_head(archive: AsyncEngine) -> None:
    await three(archive)
    whole = await verify(archive, "plant", KEY)
    assert await prune(archive, "plant", NOON + timedelta(seconds=200)) == 0  # signed: only with the key
    assert await prune(archive, "plant", NOON + timedelta(seconds=200), KEY) == 240
    assert await count(archive, tables.run) > 0
    found = await verify(archive, "plant", KEY)
    assert found == replace(whole, pruned=240)
    assert await prune(archive, "plant", NOON + timedelta(seconds=200), KEY) == 0
    assert len(await rows(archive, "SELECT DISTINCT id FROM v_commands")) == 42
    async with archive.begin() as connection:
        await connection.execute(text("UPDATE segment SET pruned = at WHERE number = 2"))
    assert "no journal key" in (await verify(archive, "plant", KEY)).wrong
    async with archive.begin() as connection:
        await connection.execute(text("DELETE FROM segment WHERE number = 2"))
    assert (await verify(archive, "plant", KEY)).wrong == "segment 2 is missing"


async def test_what_is_not_whole_is_evidence_and_not_pruned(archive: AsyncEngine) -> None:
    await three(archive)
    async with archive.begin() as connection:
        await connection.execute(text("UPDATE segment SET packed = 'x' WHERE number = 1"))
    assert await prune(archive, "plant", NOON + HALF * 2, KEY) == 240
    assert "segment 1" in (await verify(archive, "plant", KEY)).wrong


async def test_a_head_that_was_written_down_shows_what_no_chain_can(archive: AsyncEngine) -> None:
    await keep(archive, spoken(1, 40))
    older = await verify(archive, "plant")
    await seal(archive, "plant", NOON + HALF * 2, KEY)
    await keep(archive, spoken(41, 10))
    head = await verify(archive, "plant", KEY)
    for noted in (older, head):
        assert (await verify(archive, "plant", KEY, f"{noted.links}:{noted.head}")).wrong == ""
    assert "link 60 has another hash" in (await verify(archive, "plant", KEY, f"60:{head.head}")).wrong
    async with archive.begin() as connection:
        for one in ("journal", "command", "outcome"):
            await connection.execute(text(f"DELETE FROM {one}"))  # noqa: S608  # names of ours
    found = await verify(archive, "plant", KEY, f"{head.links}:{head.head}")
    assert found.wrong.startswith("it has 120 links, and 150 when its head was written down")
    assert (await verify(archive, "plant", KEY)).wrong == ""
    await keep(archive, spoken(61, 10))
    assert "the chain was made anew" in (await verify(archive, "plant", KEY, f"{head.links}:{head.head}")).wrong


def links(*names: str, at: datetime = NOON) -> list[dict[str, Any]]:
    return [{"device": "pcs", "id": name, "at": at} for name in names]


CUTS: list[tuple[list[dict[str, Any]], timedelta, int]] = [
    ([], HALF, 0),
    (links("a", "a", "b"), HALF - timedelta(seconds=1), 0),
    (links("a", "a", "b"), HALF, 3),
    (links("a", "b", "a") + links("a", "c", at=NOON + HALF), HALF, 3),  # no place is whole
    (links("a", "a", "b") + links("b", "c", at=NOON + HALF), HALF, 2),
    (links("a", at=NOON + timedelta(days=1)), timedelta(), 0),
]


@pytest.mark.parametrize(("found", "after", "closes"), CUTS)
def test_a_segment_ends_where_no_command_is_parted_from_its_outcomes(
    found: list[dict[str, Any]], after: timedelta, closes: int
) -> None:
    assert cut(found, NOON + after) == closes


async def test_the_archive_closes_by_itself_and_says_what_it_does_not_close(sealed_file: Path, tmp_path: Path) -> None:
    """Its upkeep, as it runs; the commands of June are old by now."""
    url = f"sqlite+aiosqlite:///{copy(sealed_file, tmp_path / 'archive.db')}"
    broker = parse_broker("mqtt://127.0.0.1:1", "archive", None, {})
    part, database = Part("archive", SITE, Settings(broker, url, None, tmp_path, journal_key=KEY)), engine(url)
    upkeep = Upkeep(part, database, Store(database, lambda _: None))

    async def looks_after(seconds: float = 20) -> None:
        running = asyncio.create_task(upkeep.run())
        async with asyncio.timeout(seconds):
            while not (part.counts["sealed"] or part.causes.words):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])

    await looks_after()
    assert (part.counts["sealed"], await count(database, tables.journal)) == (1, 0)
    assert (await verify(database, "plant", KEY)).unsigned == 0
    await keep(database, spoken(200, 3))
    async with database.begin() as connection:
        await connection.execute(text("UPDATE command SET source = 'nobody' WHERE id = 'dispatch-00ff-201'"))
    part.counts["sealed"] = 0
    await looks_after()
    assert "is not closed any more: link 368 (command dispatch-00ff-201" in part.causes.words
    assert part.causes.names == [m.Cause.NOT_ARCHIVED]
    await database.dispose()
