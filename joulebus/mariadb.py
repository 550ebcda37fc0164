"""A private MariaDB in a folder: for tests, benchmarks and a first try of the archive on it."""

import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from joulebus import neighbours
from joulebus.server import Server, free_port

SMALL = ["--innodb-log-file-size=8M", "--innodb-undo-tablespaces=0"]
"""26 MB on disk instead of 114."""
USER = "joulebus"


class MariaDB(Server):
    """A server with durable commits, reached by a user with a password on 127.0.0.1."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.data = folder.resolve() / "data"
        self.password = secrets.token_hex(12)
        # a server that starts removes every temporary table in its tmpdir, whosever it is: each has one of its own
        tmpdir = folder.resolve() / "tmp"
        tmpdir.mkdir(parents=True, exist_ok=True)
        if not self.data.is_dir():
            shutil.copytree(_template(), self.data)
        mariadbd = neighbours.mariadbd()
        port = port or free_port()
        options = [
            *_place(mariadbd.path),
            f"--datadir={self.data}",
            f"--tmpdir={tmpdir}",
            "--socket=mariadb.sock",  # beside the data: a longer path may not fit a socket's 107 characters
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            *SMALL,
            "--performance-schema=OFF",
        ]
        super().__init__([str(mariadbd.path), *options], mariadbd.env, port, folder.resolve() / "mariadbd.log")

    def sql(self, statements: str) -> str:
        """Run statements as the server's owner; what they answer, tab separated, without the heading."""
        client = neighbours.program("mariadb", "mariadb")
        command = [str(client.path), "--no-defaults", "--socket=mariadb.sock", "--user=root", "--batch", "-N"]
        return subprocess.run(  # noqa: S603
            command, cwd=self.data, env=client.env, input=statements, check=True, capture_output=True, text=True
        ).stdout

    def database(self, name: str = "") -> str:
        """The address of a fresh database."""
        name = name or f"joulebus_{secrets.token_hex(6)}"
        user = f"{USER}@127.0.0.1"
        self.sql(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4;"
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{self.password}';"
            f"ALTER USER {user} IDENTIFIED BY '{self.password}';"
            f"GRANT ALL ON {name}.* TO {user};"
        )
        return f"mariadb+asyncmy://{USER}:{self.password}@127.0.0.1:{self.port}/{name}"


def _place(program: Path) -> list[str]:
    """Where the server finds its messages and character sets; MariaDB refuses to run as root unless told to."""
    usr = program.parent.parent
    options = ["--no-defaults", f"--basedir={usr}", f"--lc-messages-dir={usr}/share/mysql"]
    return [*options, "--user=root"] if os.geteuid() == 0 else options


@cache
def _template() -> Path:
    """An empty data folder, made once for each version of the server and copied from then on."""
    install, server = neighbours.mariadb_install_db(), neighbours.mariadbd()
    version = subprocess.run(  # noqa: S603
        [str(server.path), "--version"], env=server.env, check=True, capture_output=True
    ).stdout
    template = neighbours.tools() / f"mariadb-empty-{hashlib.sha256(version).hexdigest()[:8]}"
    if template.is_dir():
        return template
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", *SMALL]
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=template.parent, prefix="mariadb-") as part:
        data = Path(part) / "data"
        subprocess.run(  # noqa: S603
            [str(install.path), *_place(server.path), f"--datadir={data}", *options],
            env={**install.env, "TMPDIR": part},
            check=True,
            capture_output=True,
        )
        with contextlib.suppress(OSError):  # somebody else was quicker
            data.rename(template)
    return template
