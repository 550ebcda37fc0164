"""Migrations, on both databases."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import Connection, text

from benchmarks.archive_day import plan
from consumers.archive.chain.links import GENESIS, link_hash
from consumers.archive.chain.proof import Verdict, verify
from consumers.archive.chain.sealing import seal
from consumers.archive.migrate import SCRIPTS, migrate, upgrade
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from joulebus.mariadb import MariaDB
from runtime import kept_plans
from runtime.database import check_schema, engine
from runtime.history import History
from schemas import messages as m
from schemas.site_file import load_site
from schemas.tables import REVISION, metadata
from schemas.troubles import Trouble

Fresh = Callable[[], str]
SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "mariadb"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Makes empty databases."""
    numbers = iter(range(9))
    if request.param == "sqlite":
        return lambda: f"sqlite+aiosqlite:///{tmp_path}/{next(numbers)}.db"
    mariadb: MariaDB = request.getfixturevalue("mariadb")
    return mariadb.database


def ask(url: str, question: Callable[[Connection], object]) -> object:
    async def _ask() -> object:
        database = engine(url)
        try:
            async with database.begin() as connection:
                return await connection.run_sync(question)
        finally:
            await database.dispose()

    return asyncio.run(_ask())


def check(url: str) -> None:
    async def _check() -> None:
        database = engine(url)
        try:
            await check_schema(database)
        finally:
            await database.dispose()

    asyncio.run(_check())


def definitions(connection: Connection) -> dict[str, list[str]]:
    """How the database itself describes each table: what stands between its commas, in no order."""
    names = [table.name for table in metadata.sorted_tables]
    if connection.dialect.name == "sqlite":
        question = text("SELECT sql FROM sqlite_master WHERE name = :name")
        found = {name: connection.execute(question, {"name": name}).scalar_one() for name in names}
    else:
        found = {name: connection.execute(text(f"SHOW CREATE TABLE `{name}`")).one()[1] for name in names}
    return {name: _parts("".join(words.split())) for name, words in found.items()}


def _parts(words: str) -> list[str]:
    """SQLite writes a column that was added behind the constraints."""
    head, _, rest = words.partition("(")
    columns, _, options = rest.rpartition(")")
    return [head, options, *sorted(columns.split(","))]


def test_a_migrated_database_is_exactly_the_definition(fresh: Fresh) -> None:
    migrated, made = fresh(), fresh()
    assert f"from empty to migration {REVISION}" in migrate(migrated)
    ask(made, metadata.create_all)
    assert ask(migrated, definitions) == ask(made, definitions)
    context = {"compare_type": True, "compare_server_default": True}
    differences = ask(
        migrated, lambda connection: compare_metadata(MigrationContext.configure(connection, opts=context), metadata)
    )
    assert differences == []


def test_the_program_and_the_scripts_agree_on_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_two_processes_at_once_migrate_once(fresh: Fresh) -> None:
    url = fresh()
    script = "import sys; from consumers.archive.migrate import migrate; print(migrate(sys.argv[1]))"
    both = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=50) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("already" in out for out, _ in said) == [False, True]


def test_a_migration_that_broke_off_goes_on(fresh: Fresh) -> None:
    url = fresh()
    ask(url, metadata.tables["alarm"].create)  # MariaDB does not take it back
    migrate(url)
    check(url)


def _add(name: str, row: Mapping[str, object], connection: Connection) -> None:
    connection.execute(metadata.tables[name].insert(), row)


def test_a_database_with_a_past_keeps_it_and_its_views(fresh: Fresh) -> None:
    """One of 0002 in the midst of its life: each row is there afterwards, and the loads can be written beside it."""
    url = fresh()
    ask(url, lambda connection: upgrade(connection, "0002"))
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    said = {"site": "old", "device": "meter", "at": at, "epoch": "0" * 16, "seq": 1, "historical": False}
    ways = ("pv_load", "pv_battery", "pv_grid", "grid_load", "grid_battery", "battery_load", "battery_grid")
    rows = {
        "telemetry": said | {"points": '{"p": 1.5}', "quality": None},
        "flow": {"site": "old", "at": at} | dict.fromkeys(ways, 1.0),
        "device_status": {"site": "old", "device": "meter", "at": at, "state": "online", "body": "{}"},
    }
    for name, row in rows.items():
        ask(url, partial(_add, name, row))
    with pytest.raises(Trouble, match="run: joulebus migrate"):
        check(url)
    assert "from 0002 to migration" in migrate(url)
    check(url)
    load = {"site": "old", "at": at, "device": "other load", "behind": "", "used": 2.0}
    ask(url, partial(_add, "load_energy", load))
    for name in (*rows, "v_loads_15min", "v_flows_15min"):
        counted = text(f"SELECT count(*) FROM {name}")  # noqa: S608  # names of ours
        assert ask(url, partial(Connection.scalar, statement=counted)) == 1, name


OLD = datetime(2026, 1, 5, 23, 45, tzinfo=UTC)
QUARTERS = [OLD + n * timedelta(minutes=15) for n in range(-1, 2 * 672, 96)]
"""One of each day of two weeks."""


def _past(connection: Connection) -> None:
    """What the archive of 0004 made of them, when it took integrals for energies."""
    key = {"site": SITE.site, "samples": 3, "low": 0.0, "mean": 0.0, "high": 0.0, "twa": 0.0}
    power = {"last": 0.0, "seconds": 180.0, "plus": 5.0, "minus": 1.0}
    counter = {"seconds": 180.0, "plus": 9.9, "minus": 0.0}
    rows = [key | {"device": name, "point": "p", "at": at} | power for name in ("meter", "pcs") for at in QUARTERS]
    rows += [
        key | {"device": "meter", "point": point, "at": at, "last": gained * float(n)} | counter
        for n, at in enumerate(QUARTERS)
        for point, gained in (("e_import", 960.0), ("e_export", 0.0))
    ]
    connection.execute(metadata.tables["rollup_15m"].insert(), rows)
    ways = ("pv_load", "pv_battery", "pv_grid", "grid_load", "grid_battery", "battery_load", "battery_grid")
    old = [{"site": SITE.site, "at": at} | dict.fromkeys(ways, 1.0) for at in QUARTERS]
    connection.execute(metadata.tables["flow"].insert(), old)
    create = "CREATE VIEW v_energy_15min AS SELECT site, device, at, plus AS out_wh FROM rollup_15m WHERE point = 'p'"
    connection.execute(text(create))


async def _roll(url: str) -> None:
    database = engine(url)
    try:
        store = Store(database, lambda words: pytest.fail(words) if words else None)
        await Roller(database, SITE, store).roll(OLD + timedelta(days=30))
    finally:
        await database.dispose()


def test_the_energies_of_before_are_made_by_the_archive(fresh: Fresh) -> None:
    """By the same rule, week by week: the migration itself only marks them, and history is as whole as before."""
    url = fresh()
    ask(url, lambda connection: upgrade(connection, "0004"))
    ask(url, _past)
    migrate(url)

    def found(question: str) -> list[Any]:
        return cast("list[Any]", ask(url, lambda connection: connection.execute(text(question)).all()))

    assert found("SELECT count(*) FROM v_energy_15min")[0][0] == 0
    marks = "SELECT device, count(*) FROM dirty GROUP BY device ORDER BY device"
    assert [tuple(row) for row in found(marks)] == [("meter", 3), ("pcs", 3)]
    asyncio.run(_roll(url))
    assert found(marks) == []
    energies = found("SELECT device, source, out_wh, in_wh FROM v_energy_15min ORDER BY device, at")
    first, *meter = [row for row in energies if row.device == "meter"]
    assert (first.source, first.out_wh, first.in_wh) == ("power", 25.0, 5.0)  # nothing to count from
    assert sum(row.out_wh for row in meter) == pytest.approx(960.0 * (len(QUARTERS) - 1))
    assert len(meter) == (QUARTERS[-1] - QUARTERS[0]) // timedelta(minutes=15)
    assert [row.out_wh for row in energies if row.device == "pcs"] == pytest.approx([25.0] * len(QUARTERS))
    assert len(found("SELECT at FROM flow")) == len(QUARTERS)
    check(url)


def _old_words(connection: Connection) -> None:
    """Two commands with an outcome each and their links, and a plan, as 0006 kept them."""
    head, number = GENESIS, 0
    for n in (1, 2):
        at = NOON + timedelta(seconds=2 * n)
        order = m.Command(id=f"c{n}", at=at, until=at + timedelta(seconds=10), source="dispatch",
                          authority=m.Authority.PLAN, values={"p_set": 1.5 * n}, reason="grün")  # fmt: skip
        done = m.Outcome(id=order.id, at=at, state=m.OutcomeState.REFUSED, reason="the PCS is in fault")
        key = {"site": "old", "device": "pcs", "at": at, "id": order.id}
        more: dict[str, Any] = {"until": order.until, "source": "dispatch", "authority": "plan"}
        rows = {"command": key | more, "outcome": key | {"state": "refused"}}
        for said, (kind, row) in zip((order, done), rows.items(), strict=True):
            number, row["body"] = number + 1, _as_it_was_said(said)
            link = key | {"kind": kind, "number": number, "previous": head, "state": row.get("state", "")}
            head = link_hash(head, number, kind, row)
            _add(kind, row, connection)
            _add("journal", link | {"hash": head}, connection)
    said = plan(NOON, Random(1))
    values = {"site": "old", "at": NOON, "id": "p1", "until": said.until, "body": _as_it_was_said(said)}
    connection.execute(metadata.tables["plan"].insert().values(**values))


def _as_it_was_said(word: BaseModel) -> str:
    """By an older joulebus: with each digit, and with `null`."""
    return to_json(word.model_dump()).decode()


def test_commands_and_plans_of_an_older_joulebus_stay_what_they_are(fresh: Fresh) -> None:
    """Their chain is proven from its first link, also when it is closed; the views and the history give the same."""
    url = fresh()
    ask(url, lambda connection: upgrade(connection, "0006"))
    ask(url, _old_words)
    questions = [
        "SELECT id, wanted_w, reason, outcome, outcome_reason FROM v_commands ORDER BY id",
        "SELECT at, made_at, plan, covers_s, load_w, pv_w FROM v_forecasts ORDER BY at",
    ]

    def asked(connection: Connection) -> list[list[tuple[Any, ...]]]:
        return [[(str(row[0]), *row[1:]) for row in connection.execute(text(one))] for one in questions]

    for name in ("v_commands", "v_forecasts"):
        ask(url, partial(Connection.execute, statement=text(f"CREATE VIEW {name} AS SELECT 1 AS older")))
    assert "from 0006 to migration" in migrate(url)
    before = ask(url, asked)
    assert isinstance(before, list)
    words = "grün", "refused", "the PCS is in fault"
    assert before[0] == [("c1", 1.5, *words), ("c2", 3.0, *words)]
    assert len(before[1]) == 192

    async def closes() -> tuple[Verdict, Verdict, list[m.Plan]]:
        database = engine(url)
        open_ = await verify(database, "old")
        assert await seal(database, "old", NOON + timedelta(days=1)) == 1
        found = (
            open_,
            await verify(database, "old"),
            await History(database).plans("old", NOON, NOON + timedelta(hours=1)),
        )
        await database.dispose()
        return found

    open_, closed, plans = asyncio.run(closes())
    assert (open_.links, open_.wrong) == (4, "")
    assert (closed.links, closed.head, closed.wrong) == (4, open_.head, "")
    assert plans == [plan(NOON, Random(1))]
    assert ask(url, asked) == before


def test_a_plan_in_columns_forecasts_what_it_did_as_a_whole(fresh: Fresh) -> None:
    url = fresh()
    migrate(url)
    for made in (NOON, NOON + timedelta(minutes=7, seconds=31.519947)):
        said = plan(made, Random(1))
        row = {"site": "x", "at": made, "until": said.until}
        whole = {"id": "a", "body": said.model_dump_json(), "packed": None}
        short = {"id": "b", "body": kept_plans.forecasts(said), "packed": kept_plans.pack(said)}
        ask(url, partial(_add, "plan", row | whole))
        ask(url, partial(_add, "plan", row | short))

    def forecasts(connection: Connection) -> list[list[tuple[Any, ...]]]:
        asked = text(
            "SELECT at, made_at, covers_s, load_w, pv_w FROM v_forecasts WHERE plan = :plan ORDER BY made_at, at"
        )
        found = [connection.execute(asked, {"plan": name}) for name in "ab"]
        return [
            [(str(at), str(made), round(s, 6), round(load), round(pv)) for at, made, s, load, pv in one]
            for one in found
        ]

    whole, short = ask(url, forecasts)  # type: ignore[misc]
    assert len(whole) == 384
    assert whole == short


def test_a_wrong_schema_is_refused_with_what_to_run(fresh: Fresh) -> None:
    url = fresh()
    with pytest.raises(Trouble, match="is empty; run: joulebus migrate"):
        check(url)
    migrate(url)
    check(url)
    ask(url, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(Trouble, match=f"has the migration 9999, {REVISION} is needed; run: joulebus migrate"):
        check(url)
    with pytest.raises(Trouble, match="a migration that this joulebus does not know"):
        migrate(url)


def test_a_database_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(Trouble, match="is it running") as trouble:
        migrate("mariadb+asyncmy://joulebus:hush@127.0.0.1:1/joulebus")
    assert "hush" not in str(trouble.value)
