"""Brings a database to the newest migration. Not part of the running archive: Alembic is only loaded here."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from runtime.database import as_writer, describe, engine, unreachable
from schemas.tables import REVISION
from schemas.troubles import Trouble

SCRIPTS = Path(__file__).parent / "migrations"

PATIENCE = 600
"""Seconds one step, or the wait for another process that migrates, may take."""


def migrate(url: str) -> str:
    """Upgrade, and say in a sentence what was done. Raises Trouble when the database does not let us."""
    return asyncio.run(_migrate(url))


async def _migrate(url: str) -> str:
    database = engine(url, patience=PATIENCE + 10)
    try:
        async with database.connect() as connection:
            await as_writer(connection)
            before = await connection.run_sync(_alone)
            await connection.commit()
    except (OSError, SQLAlchemyError) as wrong:
        raise unreachable(describe(url), wrong) from wrong
    except CommandError as wrong:
        raise Trouble(
            f"the database {describe(url)} has a migration that this joulebus does not know; update it ({wrong})"
        ) from wrong
    finally:
        await database.dispose()
    if before == REVISION:
        return f"the database {describe(url)} has the newest migration {REVISION} already"
    return f"the database {describe(url)} went from {before or 'empty'} to migration {REVISION}"


def _alone(connection: Connection) -> str | None:
    """Upgrade while nobody else does: SQLite locks the file with BEGIN IMMEDIATE, MariaDB needs a named lock."""
    if connection.dialect.name == "sqlite":
        return upgrade(connection)
    name = {"name": f"joulebus migrate {connection.engine.url.database}"[:64], "seconds": PATIENCE}
    if connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), name).scalar() != 1:
        raise Trouble(f"another process has been migrating this database for {PATIENCE} s; look there first")
    try:
        return upgrade(connection)
    finally:
        connection.commit()
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)


def upgrade(connection: Connection, revision: str = "head") -> str | None:
    """To this migration, also to one before the newest; says which one it had."""
    before = MigrationContext.configure(connection).get_current_revision()
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)
    return before
