"""Each part has a user of the database that may do its work and nothing else, on the real server."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.ledger import Ledger, Witness
from consumers.archive.migrate import migrate
from consumers.archive.partitions import partitions, prepare
from consumers.archive.retention import forget
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.cli import main
from joulebus.database_users import RIGHTS, run, statements, user
from joulebus.mariadb import MariaDB
from runtime.database import code, engine
from runtime.history import History
from runtime.settings import read_settings
from schemas.site_retention import Retention
from schemas.troubles import Trouble
from tests.conftest import Broker
from tests.consumers.test_archive_rollups import NOON, SITE, said
from tests.consumers.test_archive_service import Archive, ready, until

DAY = timedelta(days=1)
REFUSED = {1044, 1142, 1227}
"""The server's words for: not this database, not this table, not on this server."""


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("passwords")
    for part in RIGHTS:
        (folder / f"database-{part}").write_text(f"{part}'s \\ word, of 20 %s letters\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def urls(mariadb: MariaDB, passwords: Path) -> Iterator[dict[str, str]]:
    """A database with the users of the parts, made by its owner, from any host and twice from one: the second time
    nothing is lost."""
    owned = make_url(mariadb.database())
    mariadb.sql(
        "CREATE USER owner@127.0.0.1 IDENTIFIED BY 'owner'; GRANT ALL ON *.* TO owner@127.0.0.1 WITH GRANT OPTION"
    )
    owner = owned.set(username="owner", password="owner").render_as_string(hide_password=False)
    for host in ([], ["--host", "127.0.0.1"], ["--host", "127.0.0.1"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JOULEBUS_DATABASE", owner)
            assert main(["database", "users", "--passwords", str(passwords), *host]) == 0
    mariadb.sql(";".join(f"DROP USER {user(part)}@'%'" for part in RIGHTS))
    found = {}
    for part in RIGHTS:
        env = {
            "JOULEBUS_DATABASE": f"mariadb+asyncmy://joulebus_{{role}}@127.0.0.1:{owned.port}/{owned.database}",
            "JOULEBUS_DATABASE_PASSWORD_FILE": str(passwords / f"database-{part}"),
        }
        found[part] = read_settings(part, env).database
    migrate(found["migrate"])
    yield found
    mariadb.sql("DROP USER owner@127.0.0.1;" + ";".join(f"DROP USER {user(part)}@127.0.0.1" for part in RIGHTS))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncEngine]:
    database = engine(url)
    yield database
    await database.dispose()


READ, STORE, DELETE = {"SELECT count(*) FROM telemetry", "SELECT count(*) FROM v_power"}, {
    "INSERT IGNORE INTO horizon VALUES ('x', '2026-01-01')",
    "UPDATE horizon SET at = '2026-01-02' WHERE site = 'x'",
}, {"DELETE FROM horizon WHERE site = 'x'", "DELETE FROM command WHERE site = 'x'"}  # fmt: skip
_LATER = "PARTITION future VALUES LESS THAN (MAXVALUE)"
PARTITION = {
    f"ALTER TABLE telemetry REORGANIZE PARTITION future INTO (PARTITION w1 VALUES LESS THAN ('2020-01-01'), {_LATER})",
    "ALTER TABLE telemetry DROP PARTITION w1",
}
DEFINE = {"CREATE TABLE other (a INTEGER)", "ALTER TABLE other ADD COLUMN b INTEGER", "DROP TABLE other"}
OWNER = {
    "CREATE USER somebody@127.0.0.1 IDENTIFIED BY 'x'", "SELECT * FROM mysql.global_priv", "DROP TABLE command",
    "SET GLOBAL max_connections = 10", "TRUNCATE TABLE alarm", "GRANT SELECT ON telemetry TO joulebus_status@127.0.0.1",
    "CREATE DATABASE another",
}  # fmt: skip
MAY = {
    "migrate": READ | STORE | DELETE | PARTITION | DEFINE,
    "archive": READ | STORE,
    "upkeep": READ | STORE | DELETE | PARTITION,
    "optimize": READ,
    "status": READ,
}
LAST = ("DROP TABLE command", "TRUNCATE TABLE alarm")
"""Those who may define tables may do these, too."""
ORDER = [
    *sorted(READ), *sorted(STORE), *sorted(DELETE), *sorted(PARTITION, key=len, reverse=True),
    "CREATE TABLE other (a INTEGER)", "ALTER TABLE other ADD COLUMN b INTEGER", "DROP TABLE other",
    *sorted(OWNER - {*LAST}),
]  # fmt: skip
"""Each statement leaves what the next one needs."""


@pytest.mark.parametrize("part", RIGHTS)
async def test_each_user_may_what_stands_in_the_table_and_nothing_else(part: str, urls: dict[str, str]) -> None:
    told = dict[str, bool | str]()
    asked = [*ORDER, *(LAST if part != "migrate" else ())]
    async with connected(urls[part]) as database:
        for statement in asked:
            try:
                async with database.begin() as connection:
                    await connection.exec_driver_sql(statement)
            except DBAPIError as wrong:
                told[statement] = False if code(wrong) in REFUSED else str(wrong)
            else:
                told[statement] = True
    assert told == {statement: statement in MAY[part] for statement in asked}


async def test_each_part_does_its_work_with_its_user(urls: dict[str, str]) -> None:
    kept = Retention(raw_days=1)
    async with (
        connected(urls["archive"]) as hot,
        connected(urls["upkeep"]) as upkeep,
        connected(urls["status"]) as page,
    ):
        await prepare(upkeep, NOON, kept)
        store = Store(hot, lambda words: pytest.fail(words) if words else None)
        batch = [said(n + 1, n, {"p": 1000.0}) for n in range(3600)]
        for _ in range(2):
            await store.keep(sort_out(batch, NOON + DAY)[0])
        now = NOON + timedelta(hours=2, minutes=5)
        await Roller(upkeep, SITE, store).roll(now)
        assert await Ledger(upkeep, SITE, Witness([], now), NOON).write(now) == 4
        history = History(page)
        assert await history.completeness("plant", NOON, NOON + timedelta(hours=1)) == {"meter": 1.0}
        assert len(await history.buckets("plant", "meter", "p", NOON, NOON + timedelta(hours=1), "15m")) == 4
        before = len(await partitions(upkeep))
        assert await forget(upkeep, "plant", kept, NOON + 3 * DAY) == 0
        assert len(await partitions(upkeep)) < before
        assert await history.numbers("plant", "meter", "p", NOON, NOON + DAY) == []


async def test_the_archive_stores_and_keeps_up_by_two_users(
    urls: dict[str, str], broker: Broker, mariadb: MariaDB, site_name: str, tmp_path: Path
) -> None:
    archive = Archive(broker, urls["archive"], site_name, tmp_path / "archive.log")
    archive.env["JOULEBUS_UPKEEP_DATABASE"] = urls["upkeep"]
    archive.start()
    try:
        await ready(archive)
        asked = "SELECT DISTINCT user FROM information_schema.processlist"

        async def both() -> bool:
            return {user("archive"), user("upkeep")} <= set(mariadb.sql(asked).split())

        async def forgot() -> bool:
            async with connected(urls["status"]) as database, database.connect() as connection:
                words = f"SELECT count(*) FROM horizon WHERE site = '{site_name}'"  # noqa: S608
                return (await connection.exec_driver_sql(words)).scalar() == 1

        await until(both)
        await until(forgot, 30)  # it makes partitions and writes: without one of its rights it never gets so far
    finally:
        archive.end(signal.SIGTERM)


async def test_who_has_too_few_rights_is_told_what_to_run(urls: dict[str, str]) -> None:
    told: list[str] = []
    async with connected(urls["status"]) as database:
        store = Store(database, told.append)
        batch = sort_out([said(1, 1, {"p": 1.0})], NOON)[0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await store.keep(batch)
    assert "its user may not do this; run: joulebus database users" in told[0]


def test_what_cannot_be_followed_is_said(tmp_path: Path, passwords: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = dict.fromkeys(RIGHTS, "x" * 20)
    with pytest.raises(Trouble, match="letters, digits"):
        statements("joule`bus", words, "%")
    with pytest.raises(Trouble, match="is no address"):
        statements("joulebus", words, "'")
    with pytest.raises(Trouble, match="database-migrate cannot be read"):
        run("mariadb+asyncmy://root@127.0.0.1/joulebus", tmp_path, "%", as_sql=True)
    with pytest.raises(Trouble, match="has no users"):
        run("sqlite+aiosqlite:///x.db", passwords, "%", as_sql=True)
    (tmp_path / "database-migrate").write_text("short", encoding="utf-8")
    with pytest.raises(Trouble, match="5 characters"):
        run("mariadb+asyncmy://root@127.0.0.1/joulebus", tmp_path, "%", as_sql=True)
    secret = "very secret words of an owner"
    with pytest.raises(Trouble) as trouble:
        run(f"mariadb+asyncmy://root:{secret.replace(' ', '%20')}@127.0.0.1:1/joulebus", passwords, "%", as_sql=False)
    assert secret not in str(trouble.value)
    assert "word, of 20 letters" not in str(trouble.value)
    assert capsys.readouterr().out == ""


def test_printed_for_the_servers_own_client_it_does_the_same(mariadb: MariaDB, passwords: Path) -> None:
    url = mariadb.database()
    mariadb.sql(run(url, passwords, "10.0.0.%", as_sql=True))
    found = mariadb.sql("SHOW GRANTS FOR 'joulebus_status'@'10.0.0.%'").splitlines()
    assert len(found) == 2
    assert "GRANT USAGE ON *.*" in found[0]
    assert "GRANT SELECT, SHOW VIEW ON" in found[1]
