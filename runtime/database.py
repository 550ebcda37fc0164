"""The only door to the database: MariaDB through asyncmy, or a SQLite file through aiosqlite, from one URL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from runtime.database_file import identity, size
from schemas.tables import REVISION
from schemas.troubles import Trouble

EXAMPLES = "mariadb+asyncmy://user:password@host:3306/name or sqlite+aiosqlite:///file.db"

_STRICT = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_MARIADB = {
    "connect_timeout": 3,  # of TCP alone: against a server that accepts and is silent only the read_timeout helps
    "init_command": f"SET time_zone = '+00:00', sql_mode = '{_STRICT}'",
    "client_flag": 0,  # without FOUND_ROWS: a row that was there already is not counted as written
}

_CUT_OFF = 1047
"""A Galera node's word while it is not part of the majority: another one must be asked."""

AWAY_SHOWN = 30.0
"""Seconds after which a database that is away is told as a trouble of its own: a restart of it is none."""

BUSY = 5000
"""Milliseconds a writer waits for one of another process."""
LOG_KEPT = 16 * 2**20
"""Bytes that the log beside a SQLite file (`-wal`) keeps on the disk once all of it is in the file."""

_SQLITE = (
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits at a power cut, and the bridges have forgotten them
    f"PRAGMA busy_timeout = {BUSY}",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA journal_size_limit = {LOG_KEPT}",
)


def engine(url: str, *, patience: int = 10, again: Callable[[], str] | None = None) -> AsyncEngine:
    """A pool of connections that are made when they are needed. Raises Trouble for a URL nobody can follow.

    `patience`: seconds MariaDB may take for one answer. `again`: the URL as it stands now; its user and password are
    used for each new connection.
    """
    where = parse(url)
    if where.drivername == "sqlite+aiosqlite":
        return _sqlite(where)
    try:
        return _mariadb(where, patience, again)
    except (ImportError, SQLAlchemyError) as wrong:
        raise Trouble(f"the database {describe(url)} cannot be used: {wrong}") from wrong


def describe(url: str) -> str:
    """The URL for people to read: without its password, and nothing of one that is mistyped."""
    try:
        where = make_url(url)
    except (ArgumentError, ValueError):
        return "of JOULEBUS_DATABASE"
    if _is_astray(where):
        return "of JOULEBUS_DATABASE"
    nodes = {name: value for name, value in where.query.items() if name == "host"}
    return where.set(query=nodes).render_as_string(hide_password=True)


def _is_astray(where: URL) -> bool:
    """A @ or / in a password ends it there: the rest of it would be taken for a host or a name, and printed."""
    names = (where.host, where.database) if where.drivername.endswith("asyncmy") else (where.host,)
    return any("@" in name for name in names if name)


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that will write: committed at the end of the block, rolled back when it raises.

    A SQLite file has one writer. A transaction that reads first and then writes is refused at once when somebody else
    has written in between, however long it would wait: so it begins as the writer. The writers of one process take
    turns in the order they came; those of several wait for `busy_timeout`.
    """
    turn = engine.get_execution_options().get("turn")
    async with turn or nullcontext(), engine.connect() as connection:
        await as_writer(connection)
        async with connection.begin():
            yield connection


@asynccontextmanager
async def alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to a SQLite file in no transaction, while no other of this process writes.

    It is not closed afterwards: SQLite removes the log with the last connection, and a log that is gone is a file that
    was replaced (runtime.database_file).
    """
    turn = engine.get_execution_options().get("turn")
    async with turn or nullcontext(), engine.connect() as connection:
        await connection.execution_options(sqlite_begin="")
        yield connection


async def as_writer(connection: AsyncConnection) -> None:
    """The transactions of this connection begin as the writer of a SQLite file: see `writing`."""
    await connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")


class Unmigrated(Trouble):
    """The database is there, but its tables are not those this program was written for."""


async def check_schema(engine: AsyncEngine) -> None:
    """Raises Unmigrated when the database does not have the newest migration, Trouble when it cannot be reached."""
    where = describe(str(engine.url))
    if not _is_there(engine):
        raise Unmigrated(f"the database {where} is empty; run: joulebus migrate")
    try:
        async with engine.connect() as connection:
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
    except (OSError, SQLAlchemyError) as wrong:
        if missing(wrong):
            raise Unmigrated(f"the database {where} is empty; run: joulebus migrate") from None
        raise unreachable(where, wrong) from wrong
    if not found:
        raise Unmigrated(f"the database {where} is empty; run: joulebus migrate")
    if found != [REVISION]:
        raise Unmigrated(
            f"the database {where} has the migration {found[0]}, {REVISION} is needed; run: joulebus migrate"
        )


def _is_there(engine: AsyncEngine) -> bool:
    """SQLite makes a file for whoever connects: to look must not make one."""
    return engine.dialect.name != "sqlite" or Path(engine.url.database or "").is_file()


def code(wrong: BaseException) -> int:
    """The number MariaDB gave the error; 0 for SQLite and for everything that is not the database's word."""
    cause = wrong.orig if isinstance(wrong, DBAPIError) else wrong
    number = cause.args[0] if cause is not None and cause.args else 0
    return number if isinstance(number, int) else 0


def missing(wrong: BaseException) -> bool:
    """A table or a column is not there: the schema is not the one this program was written for."""
    sqlite_says = ("no such table", "no such column", "has no column named")
    return code(wrong) in (1054, 1146) or any(words in str(wrong) for words in sqlite_says)


_FILE_SAYS = {
    "locked": "another process has been writing to it for 5 s: a migration, or a tool that left a transaction open",
    "readonly": "who runs this must be allowed to write to the file, to its folder and to the -wal and -shm beside it",
    "unable to open": "its folder must be there, and who runs this must be allowed to write to it",
    "full": "its disk has no room left",
    "disk I/O error": "its disk failed, or is a network share: the file needs a disk of this machine",
    "locking protocol": "it lies on a network share: the file needs a disk of this machine",
    "malformed": "the file is damaged: restore a backup of it (docs/backup.md)",
    "not a database": "the file is damaged or another one: restore a backup of it (docs/backup.md)",
}
"""What to do when a SQLite file says so."""


def unreachable(where: str, wrong: BaseException) -> Trouble:
    """What a person should look at when the database does not answer."""
    cause = getattr(wrong, "orig", None) or wrong
    hint = {
        1044: "the user may not use this database",
        1045: "check the user and the password",
        1142: "its user may not do this; run: joulebus database users",
        1227: "its user may not make users; name the server's owner",
        1049: "there is no database of this name; create it",
    }.get(code(wrong), "is it running? JOULEBUS_DATABASE says where")
    said = (hint for words, hint in _FILE_SAYS.items() if isinstance(cause, sqlite3.Error) and words in str(cause))
    hint = next(said, hint)
    if missing(wrong):
        hint = "its tables are not those of this joulebus; run: joulebus migrate"
    words = cause.args[-1] if cause.args else type(cause).__name__
    return Trouble(f"the database {where} cannot be used: {words}; {hint}")


def parse(url: str) -> URL:
    """Raises Trouble for a URL nobody can follow."""
    try:
        where = make_url(url)
    except (ArgumentError, ValueError):
        raise Trouble(f"JOULEBUS_DATABASE is not a database URL; write {EXAMPLES}") from None
    if _is_astray(where):
        raise Trouble(
            "JOULEBUS_DATABASE has more than one @: give the password in JOULEBUS_DATABASE_PASSWORD_FILE, or write its "
            "@ as %40 and its / as %2F"
        )
    if where.drivername not in ("mariadb+asyncmy", "mysql+asyncmy", "sqlite+aiosqlite"):
        raise Trouble(f"JOULEBUS_DATABASE: driver {where.drivername!r} is not supported; write {EXAMPLES}")
    if not 0 <= (where.port or 0) <= 65535:
        raise Trouble(f"JOULEBUS_DATABASE: the port is not a number from 1 to 65535; write {EXAMPLES}")
    if not where.database:
        raise Trouble(f"JOULEBUS_DATABASE: {describe(url)} names no database; write {EXAMPLES}")
    return where.set(drivername="mariadb+asyncmy") if where.drivername.startswith("mysql") else where


def _mariadb(where: URL, patience: int, again: Callable[[], str] | None) -> AsyncEngine:
    """With more than one node, `...@node1:3306/name?host=node2:3306&host=node3:3306`, the first that serves is used."""
    others = where.query.get("host", ())
    nodes = [(where.host, where.port), *map(_node, [others] if isinstance(others, str) else others)]
    options = _MARIADB | {"read_timeout": patience}
    made = create_async_engine(
        where.difference_update_query(["host"]),
        isolation_level="REPEATABLE READ",  # one transaction reads of one moment, whatever the server prefers
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=5,
        connect_args=options,
    )
    if again is not None:
        _renewed(made, again)
    if len(nodes) > 1:
        _several(made, nodes)
    return made


def _renewed(made: AsyncEngine, again: Callable[[], str]) -> None:
    """A password may be changed while we run."""

    @event.listens_for(made.sync_engine, "do_connect")
    def _connect(_dialect: object, _record: object, _args: object, kwargs: dict[str, Any]) -> None:
        with suppress(Trouble):  # it is just being changed: what we know may still do
            now = parse(again())
            kwargs |= {"user": now.username, "password": now.password or ""}


def _node(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Trouble("JOULEBUS_DATABASE: a further host is not host:port")
    return host, int(port)


def _several(made: AsyncEngine, nodes: list[tuple[str | None, int | None]]) -> None:
    """Nodes of one Galera cluster: each new connection goes to the first one that does its work."""

    @event.listens_for(made.sync_engine, "do_connect")
    def _connect(dialect: Any, _record: object, args: Any, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401  # SQLAlchemy's
        for number, (host, port) in enumerate(nodes, 1):
            try:
                found = dialect.connect(*args, **kwargs | {"host": host, "port": port or 3306})
                found.cursor().execute("SELECT 1")  # refused by a node that is cut off from the cluster
            except dialect.loaded_dbapi.Error:
                if number == len(nodes):
                    raise
            else:
                return found
        return None

    @event.listens_for(made.sync_engine, "handle_error")
    def _cut_off(context: Any) -> None:  # noqa: ANN401  # as above
        context.is_disconnect = context.is_disconnect or code(context.sqlalchemy_exception) == _CUT_OFF


def _sqlite(where: URL) -> AsyncEngine:
    folder = Path(where.database or "").parent
    if not folder.is_dir():
        raise Trouble(f"JOULEBUS_DATABASE: the folder {folder} of {where.database} does not exist")
    if Path(where.database or "").is_dir():
        raise Trouble(f"JOULEBUS_DATABASE: {where.database} is a folder; name a file in it, such as joulebus.db")
    made = create_async_engine(where, execution_options={"turn": asyncio.Lock()})

    @event.listens_for(made.sync_engine, "connect")
    def _connected(connection: Any, record: Any) -> None:  # noqa: ANN401  # the driver's own type, and SQLAlchemy's
        record.info["file"] = identity(where.database or "")
        connection.isolation_level = None  # else Python's driver begins transactions by itself, and too late
        cursor = connection.cursor()
        if not size(where.database or ""):  # later it would need the whole file to be written anew
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in _SQLITE:
            cursor.execute(pragma)
        with suppress(sqlite3.OperationalError):  # locked: somebody else is about to change it
            cursor.execute("PRAGMA journal_mode = WAL")  # readers never wait for the archive; stays with the file
        cursor.close()

    @event.listens_for(made.sync_engine, "checkout")
    def _checkout(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401
        if record.info["file"] != identity(where.database or ""):  # it was deleted or replaced: nobody else reads it
            raise DisconnectionError

    @event.listens_for(made.sync_engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401
        if words := connection.get_execution_options().get("sqlite_begin", "BEGIN"):
            connection.exec_driver_sql(words)

    return made
