"""A password is changed while a part runs: with its next connection the part uses the new one."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumers.archive.migrate import migrate
from joulebus.broker import SHIPPED
from joulebus.mariadb import MariaDB
from joulebus.neighbours import mosquitto_passwd
from joulebus.server import free_port
from schemas import topics
from tests.conftest import Broker
from tests.consumers.test_archive_service import Archive, bus, confirmed, ready, sample, until
from tests.joulebus.test_demo import demo_site
from tests.joulebus.test_demo import until as wait
from tests.joulebus.test_tariff_missing import says


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


def change(broker: Broker, role: str, password: str) -> None:
    """As docs/security.md says: a new password, its hash, and the broker knows it."""
    broker.secrets.password_file(role).write_text(password, encoding="utf-8")
    folder = str(broker.secrets.folder / "secrets")
    command = ["sh", str(SHIPPED / "secrets.sh"), "--passwords", folder]
    subprocess.run(command, env=mosquitto_passwd().env, check=True, stdout=subprocess.DEVNULL)
    broker.restart()


@contextmanager
def running(site: Path, folder: Path, *arguments: str, **env: str) -> Iterator[int]:
    """The alarms as a process; gives the port of their endpoint."""
    port = free_port()
    env = os.environ | env | {"JOULEBUS_HEALTH": f"127.0.0.1:{port}", "JOULEBUS_STATE": str(folder)}
    command = [sys.executable, "-m", "joulebus.cli", "alarms", "--site", str(site), *arguments]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=env, stderr=log) as process:
        try:
            wait(lambda: bool(says(port).get("ready")), 30)
            yield port
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.parametrize("how", ["a file of its own", "a file of variables"])
def test_the_broker_gets_the_new_password(own: Broker, tmp_path: Path, how: str) -> None:
    address, variables, more = own.secrets.address("alarms"), tmp_path / "env", list[str]()
    env = {"JOULEBUS_BROKER": address, "JOULEBUS_BROKER_PASSWORD_FILE": str(own.secrets.password_file("alarms"))}
    if how == "a file of variables":
        env, more = {}, ["--env", str(variables)]
        variables.write_text(f"JOULEBUS_BROKER={own.url('alarms')}\n", encoding="utf-8")
    with running(demo_site(tmp_path), tmp_path, *more, **env) as port:
        change(own, "alarms", secrets.token_hex(8))
        wait(lambda: not says(port).get("ready"), 20)
        variables.write_text(f"JOULEBUS_BROKER={own.url('alarms')}\n", encoding="utf-8")
        wait(lambda: bool(says(port).get("ready")), 20)
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert own.secrets.password("alarms") not in said


async def test_the_database_gets_the_new_password(
    broker: Broker, mariadb: MariaDB, site_name: str, tmp_path: Path
) -> None:
    name, user, file = f"changed_{secrets.token_hex(4)}", f"u{secrets.token_hex(4)}", tmp_path / "password"
    old, new = secrets.token_hex(8), secrets.token_hex(8)
    mariadb.database(name)
    mariadb.sql(f"CREATE USER {user}@127.0.0.1 IDENTIFIED BY '{old}'; GRANT ALL ON {name}.* TO {user}@127.0.0.1;")
    await asyncio.to_thread(migrate, f"mariadb+asyncmy://{user}:{old}@127.0.0.1:{mariadb.port}/{name}")
    file.write_text(old, encoding="utf-8")
    async with bus(broker, "archive"):
        pass
    archive = Archive(broker, f"mariadb+asyncmy://{user}@127.0.0.1:{mariadb.port}/{name}", site_name, tmp_path / "log")
    archive.env["JOULEBUS_DATABASE_PASSWORD_FILE"] = str(file)
    archive.start()
    try:
        await ready(archive)
        async with bus(broker, "bridge") as bridge, confirmed(bridge, site_name) as heard:
            mariadb.sql(f"ALTER USER {user}@127.0.0.1 IDENTIFIED BY '{new}'; KILL USER {user};")
            await bridge.say(topics.TELEMETRY, sample(1), site=site_name, device="pcs")
            await asyncio.sleep(1)
            assert heard == set()
            await asyncio.to_thread(file.write_text, new, encoding="utf-8")

            async def stored() -> bool:
                return heard == {1}

            await until(stored)
    finally:
        assert archive.process is not None
        archive.process.kill()
        archive.process.wait()
