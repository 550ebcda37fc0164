"""The journal that shows every change, the ledger of gaps, samples with a wrong clock, and what is forgotten."""

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain.proof import verify
from consumers.archive.ledger import Witness
from consumers.archive.roller import Roller
from consumers.archive.rows import confirmations, sort_out
from consumers.archive.store import Store
from runtime.database import engine
from runtime.heard import Heard, read
from schemas import messages as m
from schemas import tables
from schemas.topics import COMMAND, OUTCOME, TELEMETRY
from tests.consumers.test_archive_rollups import NOON, SITE, said

LATER = NOON + timedelta(hours=3)


async def keep(database: AsyncEngine, batch: list[Heard[Any]], now: datetime = LATER) -> None:
    await Store(database, lambda _: None).keep(sort_out(batch, now)[0])


async def run(database: AsyncEngine, statement: str) -> None:
    async with database.begin() as connection:
        assert (await connection.execute(text(statement))).rowcount == 1


async def count(database: AsyncEngine, table: Any) -> int:
    async with database.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def orders() -> list[Heard[Any]]:
    place, batch = {"site": "plant", "device": "pcs"}, list[Heard[Any]]()
    for number in range(1, 6):
        at = NOON + timedelta(seconds=number)
        order = m.Command(
            id=f"c{number}", at=at, until=LATER, source="dispatch", authority=m.Authority.PLAN,
            values={"p_set": number * 1.5}, reason="günstig 🔋",
        )  # fmt: skip
        done = m.Outcome(id=f"c{number}", at=at, state=m.OutcomeState.APPLIED)
        batch.append(Heard(COMMAND, place, order, "", b"", False, number))
        batch.append(Heard(OUTCOME, place, done, "", b"", False, number))
    return batch


async def test_the_journal_holds_whatever_comes_once_and_twice(archive: AsyncEngine) -> None:
    batch = orders()
    await keep(archive, batch[:5])
    first = await verify(archive, "plant")
    await keep(archive, batch)
    await keep(archive, batch)
    found = await verify(archive, "plant")
    assert (first.links, found.links, found.wrong) == (5, 10, "")
    assert first.head != found.head
    assert (await verify(archive, "elsewhere")).links == 0


@pytest.mark.parametrize(
    ("crime", "says"),
    [
        ("UPDATE command SET body = replace(body, '4.5', '4.6') WHERE id = 'c3'", "c3 of pcs, .*its row was changed"),
        ("UPDATE outcome SET state = 'verified' WHERE id = 'c2'", "c2 of pcs, .*its row is missing"),
        ("UPDATE command SET authority = 'operator' WHERE id = 'c1'", "c1 of pcs, .*its row was changed"),
        ("DELETE FROM outcome WHERE id = 'c4'", "c4 of pcs, .*its row is missing"),
        ("DELETE FROM journal WHERE number = 7", "link 7 is missing"),
        ("DELETE FROM journal WHERE number = 10", "outcome: 5 rows, but 4 in the journal"),
        ("UPDATE journal SET hash = previous WHERE number = 6", "link 6 .*changed"),
        ("UPDATE journal SET id = 'c9' WHERE number = 2", "link 2 .*missing"),
    ],
)
async def test_any_change_breaks_the_chain(archive: AsyncEngine, crime: str, says: str) -> None:
    await keep(archive, orders())
    await run(archive, crime)
    found = await verify(archive, "plant")
    assert re.search(says, found.wrong), found.wrong


def test_silence_of_all_devices_is_the_bridge() -> None:
    witness = Witness(["a", "b"], NOON)
    witness.look(NOON + timedelta(seconds=29))
    assert not witness.seen
    witness.look(NOON + timedelta(seconds=31))
    assert set(witness.seen.values()) == {"bridge_down"}


async def test_a_wrong_clock_is_kept_aside_and_never_poisons_a_rollup(archive: AsyncEngine) -> None:
    batch = [said(1, 0, {"p": 1.0}), said(2, 3 * 3600 + 301, {"p": 9e9}), said(3, -30 * 86400 * 365, {"p": 9e9})]
    await keep(archive, batch)
    await keep(archive, batch)
    assert [one.ranges for _, _, one in confirmations(batch)] == [[(1, 3)]]
    assert await count(archive, tables.telemetry) == 1
    async with archive.connect() as connection:
        rows = (await connection.execute(select(tables.quarantine).order_by(tables.quarantine.c.seq))).all()
    assert [row.reason for row in rows] == ["clock: from the future", "clock: impossibly old"]
    assert [m.Telemetry.model_validate_json(row.body) for row in rows] == [one.message for one in batch[1:]]
    await Roller(archive, SITE, Store(archive, lambda _: None)).roll(LATER + timedelta(days=1))
    assert await count(archive, tables.rollup_1h) == 1


GOOD = said(1, 0, {"p": 1.5, "state": "run", "alarms": []}).payload


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A telemetry with some bytes flipped, cut out or doubled."""
    payload = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(payload) - 1))
        match draw(st.integers(0, 2)):
            case 0:
                payload[place] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del payload[place : place + draw(st.integers(1, 20))]
            case _:
                payload[place:place] = payload[: draw(st.integers(0, 20))]
        payload = payload or bytearray(b"{")
    return bytes(payload)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=60)
@given(data=st.data())
async def test_any_payload_is_a_row_somewhere_and_nothing_stops(
    data: st.DataObject, migrated_file: Path, tmp_path_factory: Any
) -> None:
    """F39: each is stored, kept aside or a dead letter; a good one beside them is stored."""
    fields = st.fixed_dictionaries(dict.fromkeys(("at", "epoch", "seq", "values"), JUNK))
    junk = fields.map(lambda words: json.dumps(words).encode())
    payloads = data.draw(st.lists(mutated() | junk | st.binary(max_size=30), min_size=1, max_size=40))
    copy = shutil.copy(migrated_file, tmp_path_factory.mktemp("fuzz"))
    database = engine(f"sqlite+aiosqlite:///{copy}")
    batch = [said(99, 60, {"p": 2.0})]
    for number, payload in enumerate(payloads):
        message, fault = read(TELEMETRY, payload)
        batch.append(Heard(TELEMETRY, {"site": "plant", "device": "meter"}, message, fault, payload, False, number))
    Random(1).shuffle(batch)
    entries, twins = sort_out(batch, LATER)
    store = Store(database, lambda _: None)
    kept = await store.keep(entries)
    assert sum(kept.new.values()) + twins.total() == len(batch)
    assert kept.new["dead_letter"] >= sum(one.message is None for one in batch)
    await Roller(database, SITE, store).roll(LATER + timedelta(days=1))
    confirmations(batch)
    await database.dispose()
