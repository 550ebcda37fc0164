"""A copy of the embedded archive while it is being written. MariaDB has its own tools: see docs/backup.md."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from runtime.database import describe, parse
from schemas.troubles import Trouble


def backup(url: str, file: Path) -> str:
    """Copy the whole archive as it stands at this moment, and say so. Raises Trouble; then there is no such file.

    VACUUM INTO and not SQLite's backup interface: that one begins anew whenever the archive commits.
    """
    where = parse(url)
    if where.get_backend_name() != "sqlite":
        raise Trouble(
            f"the database {describe(url)} is backed up by its own tools: mariadb-dump --single-transaction "
            f"--master-data=2 {where.database} > {file}; docs/backup.md says how to restore it to any moment"
        )
    source, part = Path(where.database or ""), file.with_name(f"{file.name}.part")
    if source.is_dir():
        raise Trouble(f"the database {source} is a folder; JOULEBUS_DATABASE names a file in it")
    if not source.is_file():
        raise Trouble(f"the database {source} does not exist; JOULEBUS_DATABASE says where it is")
    if file.exists():
        raise Trouble(f"{file} exists already; a backup never overwrites another")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            if database.execute("PRAGMA auto_vacuum").fetchone() == (0,):  # made by an older joulebus
                database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of the copy
            database.execute("VACUUM INTO ?", (str(part),))
        _check(part)
        _to_disk(part)
        part.rename(file)
    except (OSError, sqlite3.Error) as wrong:
        part.unlink(missing_ok=True)
        raise Trouble(f"{source} could not be copied to {file}: {wrong}") from wrong
    return f"{file} holds {source} as it stood now: {file.stat().st_size / 1e6:.1f} MB"


def _check(part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"the copy is not whole: {found}")


def _to_disk(part: Path) -> None:
    with part.open("rb") as copy:
        os.fsync(copy.fileno())
