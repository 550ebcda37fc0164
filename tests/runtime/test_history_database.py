"""What is said about a database that cannot be used, and how connections are set up."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from joulebus.mariadb import MariaDB
from runtime.database import check_schema, describe, engine, unreachable
from schemas.troubles import Trouble


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://a:hush@b/c", "driver 'postgresql' is not supported; write mariadb+asyncmy://"),
        ("sqlite:///x.db", "driver 'sqlite' is not supported"),
        ("nonsense", "JOULEBUS_DATABASE is not a database URL"),
        ("mariadb+asyncmy://a:hush@b:port/c", "is not a database URL"),
        ("mariadb+asyncmy://a:hush@b:70000/c", "the port is not a number from 1 to 65535"),
        ("mariadb+asyncmy://a:hush@b", "names no database"),
        ("mariadb+asyncmy://a:hush@b/c?host=d", "a further host is not host:port"),
        ("sqlite+aiosqlite:////no/such/folder/x.db", "the folder /no/such/folder of"),
    ],
)
def test_a_url_nobody_can_follow_is_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(Trouble) as trouble:
        engine(url)
    assert says in str(trouble.value)
    assert "hush" not in str(trouble.value)


def test_of_a_url_that_can_be_followed_all_but_the_secrets_is_shown() -> None:
    said = describe("mariadb+asyncmy://joulebus:hush@one:3306/name?host=two:3306&ssl_key=hush")
    assert said == "mariadb+asyncmy://joulebus:***@one:3306/name?host=two%3A3306"


async def test_a_server_that_is_not_there_a_wrong_password_and_an_unknown_name(mariadb: MariaDB) -> None:
    url = mariadb.database()
    for wrong, says in (
        (url.replace(f":{mariadb.port}/", ":1/"), "is it running? JOULEBUS_DATABASE says where"),
        (url.replace(mariadb.password, "guess"), "check the user and the password"),
    ):
        database = engine(wrong)
        with pytest.raises(Trouble) as trouble:
            await check_schema(database)
        await database.dispose()
        assert says in str(trouble.value)
        assert mariadb.password not in str(trouble.value)
        assert "guess" not in str(trouble.value)


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        ("database is locked", "another process has been writing to it for 5 s"),
        ("attempt to write a readonly database", "must be allowed to write to the file, to its folder"),
        ("unable to open database file", "its folder must be there"),
        ("database or disk is full", "its disk has no room left"),
        ("disk I/O error", "the file needs a disk of this machine"),
        ("locking protocol", "it lies on a network share"),
        ("database disk image is malformed", "restore a backup of it"),
        ("file is not a database", "restore a backup of it"),
        ("no such table: telemetry", "run: joulebus migrate"),
    ],
)
def test_what_a_file_says_comes_with_what_helps(said: str, helps: str) -> None:
    """ "is it running?" helps nobody whose database is a file."""
    words = str(
        unreachable("sqlite+aiosqlite:///x.db", OperationalError("SELECT 1", None, sqlite3.OperationalError(said)))
    )
    assert said in words
    assert helps in words
    assert "is it running" not in words


async def test_a_damaged_file_is_named_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    database = engine(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    with pytest.raises(Trouble, match="file is not a database; the file is damaged or another one"):
        await check_schema(database)
    await database.dispose()


async def test_a_session_in_mariadb_is_strict_and_in_utc(mariadb: MariaDB) -> None:
    mariadb.sql("SET GLOBAL sql_mode = '', GLOBAL time_zone = '+09:00'")
    try:
        database = engine(mariadb.database())
        async with database.connect() as connection:
            zone, mode = (await connection.execute(text("SELECT @@time_zone, @@sql_mode"))).one()
        await database.dispose()
    finally:
        mariadb.sql("SET GLOBAL sql_mode = DEFAULT, GLOBAL time_zone = 'SYSTEM'")
    assert zone == "+00:00"
    assert "STRICT_ALL_TABLES" in mode


async def test_a_sqlite_file_survives_a_power_cut_and_is_read_while_it_is_written(tmp_path: Path) -> None:
    database = engine(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    async with database.connect() as writer, database.connect() as reader:
        pragmas = {
            name: (await writer.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
        await writer.execute(text("CREATE TABLE one (x INTEGER)"))
        await writer.commit()
        await writer.execute(text("INSERT INTO one VALUES (1)"))
        assert (await reader.execute(text("SELECT count(*) FROM one"))).scalar_one() == 0
        await writer.commit()
        await reader.rollback()
        assert (await reader.execute(text("SELECT count(*) FROM one"))).scalar_one() == 1
    await database.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
