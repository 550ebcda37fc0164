"""A database user for each part, with the least rights: nobody but the archive writes, nobody deletes but its upkeep.

`joulebus database users` makes them on a MariaDB, or gives them what they miss, as the server's owner.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from runtime.database import describe, engine, unreachable
from schemas.troubles import Trouble

EVERYTHING = "*"
READS = "SELECT, SHOW VIEW"
RIGHTS: dict[str, dict[str, str]] = {
    "migrate": {
        EVERYTHING: f"{READS}, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, LOCK TABLES"
    },
    # UPDATE: to write a row that is there already is no error, and changes nothing
    "archive": {EVERYTHING: f"{READS}, INSERT, UPDATE"},
    # its partitions are made and dropped; CREATE, too, so that the right can be given before the table is there
    "upkeep": {EVERYTHING: f"{READS}, INSERT, UPDATE, DELETE", "telemetry": "CREATE, ALTER, DROP"},
    "optimize": {EVERYTHING: READS},
    "status": {EVERYTHING: READS},
}
"""What each user may, by the tables of joulebus' database: nothing on the server, nothing elsewhere."""


def user(part: str) -> str:
    return f"joulebus_{part}"


def statements(database: str, passwords: Mapping[str, str], host: str) -> list[str]:
    """SQL that makes each user, sets its password and leaves it exactly its rights; again and again if need be.

    Raises Trouble for a name that is none, KeyError for a part without a password.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", database):
        raise Trouble(f"the database {database!r}: its name may have letters, digits and _ only")
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", host):
        raise Trouble(f"--host {host!r} is no address; write % for any, or 10.0.0.%")
    found = []
    for part, rights in RIGHTS.items():
        who = f"'{user(part)}'@'{host}'"
        word = passwords[part].replace("\\", "\\\\").replace("'", "''")
        found += [
            f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY '{word}'",
            f"ALTER USER {who} IDENTIFIED BY '{word}'",
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {who}",
        ]
        for table, what in rights.items():
            # in the name of all tables of a database _ stands for any letter
            place = f"`{database.replace('_', chr(92) + '_')}`.*" if table == EVERYTHING else f"`{database}`.`{table}`"
            found.append(f"GRANT {what} ON {place} TO {who}")
    return found


def read_passwords(folder: Path) -> dict[str, str]:
    """The files database-archive, database-status... of a folder. Raises Trouble for one that is not there."""
    found = {}
    for part in RIGHTS:
        file = folder / f"database-{part}"
        try:
            found[part] = file.read_text(encoding="utf-8").strip()
        except OSError as wrong:
            raise Trouble(
                f"{file} cannot be read: {wrong.strerror}; sh mosquitto/secrets.sh --containers makes it"
            ) from None
        if len(found[part]) < 16:
            raise Trouble(f"{file} has {len(found[part])} characters, a password needs 16: openssl rand -hex 32")
    return found


def run(url: str, folder: Path, host: str, *, as_sql: bool) -> str:
    """Make the users, and say so; or what to give the server's own client, passwords and all."""
    there = engine(url).url
    if there.drivername != "mariadb+asyncmy":
        raise Trouble("an SQLite file has no users: whoever may read the file reads it; JOULEBUS_DATABASE names it")
    made = statements(there.database or "", read_passwords(folder), host)
    if as_sql:
        return ";\n".join([*made, ""])
    asyncio.run(_apply(url, made))
    return f"users of {there.database}: {', '.join(map(user, RIGHTS))}"


async def _apply(url: str, made: list[str]) -> None:
    database = engine(url)
    try:
        async with database.connect() as connection:
            for statement in made:
                await connection.exec_driver_sql(statement.replace("%", "%%"))  # from any host, as the driver reads it
    except (OSError, SQLAlchemyError) as wrong:
        # the statement holds a password
        raise unreachable(describe(url), getattr(wrong, "orig", None) or wrong) from None
    finally:
        await database.dispose()
