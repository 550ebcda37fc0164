"""What one day of a site's words costs on the disk: commands each 2 s with their outcomes, and a plan each minute.

`python -m benchmarks.archive_day --json` prints the bytes of the tables and their indexes, on both databases.
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain.sealing import seal
from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.mariadb import USER, MariaDB
from runtime.database import engine
from runtime.heard import Heard
from runtime.signature import signed
from schemas import messages as m
from schemas.topics import COMMAND, OUTCOME, PLAN, Topic

DAY = datetime(2026, 6, 1, tzinfo=UTC)
KEY = "0123456789abcdef" * 4
SITE, PCS = "demo", "pcs"
QUARTERS = 192
REASONS = ("rests", "covers the load; 0.17 EUR/kWh now", "charges; 0.10 EUR/kWh now, 0.21 at 08:00")
OPEN, GROWING = ("command", "outcome", "journal"), ("segment", "run", "plan")


def words(hours: float) -> Iterator[tuple[datetime, list[Heard[Any]]]]:
    """What is said at full rhythm, minute by minute: signed commands that follow a load, each applied and verified."""
    chance, load = random.Random(7), 30_000.0  # not a secret
    for minute in range(round(hours * 60)):
        began = DAY + timedelta(minutes=minute)
        said: list[Heard[Any]] = [_heard(PLAN, plan(began, chance))]
        for tick in range(30):
            load += chance.gauss(0, 300)
            said += _orders(began + timedelta(seconds=2 * tick), 30 * minute + tick + 1, round(load, 1), chance)
        yield began + timedelta(minutes=1), said


def _orders(tick: datetime, number: int, wanted: float, chance: random.Random) -> Iterator[Heard[Any]]:
    at = tick + timedelta(microseconds=220_000 + chance.randrange(3000))
    order = m.Command(
        id=f"dispatch-62d189161a5dda51-{number}", at=at, until=at + timedelta(seconds=10), epoch="62d189161a5dda51",
        number=number, source="dispatch", authority=m.Authority.PLAN, values={"p_set": wanted},
        reason="covers the load; 0.17 EUR/kWh now",
    )  # fmt: skip
    yield _heard(COMMAND, signed(order, COMMAND.at(site=SITE, device=PCS), KEY))
    written = round(wanted, -2)
    done = m.Outcome(
        id=order.id, at=at + timedelta(microseconds=3000 + chance.randrange(4000)), state=m.OutcomeState.APPLIED,
        requested={"p_set": wanted}, applied={"p_set": written}, source="dispatch",
    )  # fmt: skip
    yield _heard(OUTCOME, done)
    shown = {"p": written + chance.randrange(-200, 200, 10), "q": float(chance.randrange(-200, 200, 10))}
    proven = {"at": at + timedelta(microseconds=400_000 + chance.randrange(90_000)), "measured": shown}
    yield _heard(OUTCOME, done.model_copy(update=proven | {"state": m.OutcomeState.VERIFIED}))


def plan(at: datetime, chance: random.Random) -> m.Plan:
    """48 hours of quarters, each number with all its digits, as the solver gives them."""
    first = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    begins = [at, *(first + timedelta(minutes=15 * n) for n in range(1, QUARTERS))]
    ends = [*begins[1:], first + timedelta(minutes=15 * QUARTERS)]
    steps = [_step(begin, end, chance) for begin, end in zip(begins, ends, strict=True)]
    return m.Plan(
        id=f"{at:%Y%m%dT%H%M%SZ}", at=at, until=at + timedelta(hours=1), currency="EUR", steps=steps, cost=123.456789,
        cost_idle=234.56789, inputs={"pcs": 0.5, "meter": 0.25, "prices": 3600.0},
    )  # fmt: skip


def _step(begin: datetime, end: datetime, chance: random.Random) -> m.Step:
    load, pv = 40_000 + chance.gauss(0, 8000), max(0.0, chance.gauss(0, 20_000))
    price = round(0.17 + 0.03 * (begin.hour % 7) / 7, 5)
    power = chance.choice([0.0, load - pv, -pv])
    return m.Step(
        at=begin, seconds=(end - begin).total_seconds(), power=power, soc=50 + chance.gauss(0, 10) % 40,
        grid=load - pv - power, load=load, pv=pv, price_import=price, price_export=price - 0.105,
        marginal_value=0.1455177090909091,
        reason=chance.choice(REASONS),
    )  # fmt: skip


def _heard(topic: Topic[Any], said: m.Command | m.Outcome | m.Plan) -> Heard[Any]:
    place = {"site": SITE} if topic is PLAN else {"site": SITE, "device": PCS}
    return Heard(topic, place, said, "", b"", False, 1)


async def day_bytes_per_site(url: str, hours: float = 24.0) -> dict[str, int]:
    """By how many bytes each table with its indexes grows in a day at full rhythm; their sum is `day_bytes_per_site`.

    With fewer `hours` scaled to a day. `open_bytes` are those of what is not closed yet: always of about half an hour,
    in files that never shrink. The database is migrated here; it must be empty.
    """
    await asyncio.to_thread(migrate, url)
    database = engine(url, patience=60)
    try:
        store = Store(database, lambda _: None)
        for now, said in words(hours):
            await store.keep(sort_out(said, now)[0])
            await seal(database, SITE, now, KEY)
        still = sum([await _bytes(database, table) for table in OPEN])
        found = {table: round(await _bytes(database, table) * 24 / hours) for table in GROWING}
    finally:
        await database.dispose()
    return found | {"day_bytes_per_site": sum(found.values()), "open_bytes": still}


async def _bytes(database: AsyncEngine, table: str) -> int:
    """Of SQLite the pages of a table and its indexes.

    Of MariaDB the smaller of what its pages hold and what its file takes on the disk: some pages are compressed, and
    files grow by 4 MB ahead.
    """
    sqlite, found = database.dialect.name == "sqlite", list[int]()
    async with database.connect() as connection:
        if not sqlite:
            await connection.execute(text(f"ANALYZE TABLE {table}"))
        for asked in _ASKED[sqlite]:
            with suppress(DBAPIError):  # who may not look at files
                found.append(int((await connection.execute(text(asked), {"table": table})).scalar_one() or 0))
    return min(found)


_ASKED = {
    True: ["SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = :table)"],
    False: [
        """SELECT data_length + index_length FROM information_schema.tables
            WHERE table_schema = database() AND table_name = :table""",
        """SELECT allocated_size FROM information_schema.innodb_sys_tablespaces
            WHERE name = concat(database(), '/', :table)""",
    ],
}


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--hours", type=float, default=24.0, help="of the day that are played")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {"sqlite": await day_bytes_per_site(f"sqlite+aiosqlite:///{folder}/archive.db", wish.hours)}
        database = MariaDB(Path(folder) / "mariadb")
        database.start()
        try:
            url = database.database()
            database.sql(f"GRANT PROCESS ON *.* TO {USER}@127.0.0.1")  # to see what its files take on the disk
            found["mariadb"] = await day_bytes_per_site(url, wish.hours)
        finally:
            database.stop()
    print(json.dumps(found) if wish.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
