"""`joulebus up`: all parts on one machine, here on the real MariaDB, with one set of variables for all of them."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from joulebus.mariadb import MariaDB
from joulebus.server import free_port
from joulebus.up import folder_of, watched
from runtime.settings import read_settings
from tests.conftest import Broker
from tests.joulebus.test_demo import EIGHT, PARTS, REPOSITORY, all_online, demo_site, until


@pytest.mark.slow
def test_all_parts_run_on_mariadb(broker: Broker, mariadb: MariaDB, tmp_path: Path) -> None:
    page, health = free_port(), free_port(EIGHT)
    site = demo_site(tmp_path)
    site.write_text(site.read_text().replace('site = "demo"', 'site = "up"'))
    env = os.environ | {
        "JOULEBUS_BROKER": f"mqtt://{{role}}@127.0.0.1:{broker.port}",
        "JOULEBUS_BROKER_PASSWORD_FILE": str(broker.secrets.password_file("{role}")),
        "JOULEBUS_DATABASE": mariadb.database(),
        "JOULEBUS_STATE": str(tmp_path),
    }
    joulebus = [sys.executable, "-m", "joulebus.cli"]
    subprocess.run([*joulebus, "migrate"], env=env, cwd=REPOSITORY, check=True, capture_output=True)
    where = ["--site", str(site), "--page", f"127.0.0.1:{page}", "--health-from", str(health)]
    with subprocess.Popen(
        [*joulebus, "up", "--simulate", *where], env=env, cwd=REPOSITORY, stderr=subprocess.PIPE
    ) as up:
        try:
            until(partial(all_online, page), 60)
            until(lambda: _counts(health + 2).get("archived", 0) > 20, 30)
        finally:
            up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=10) == 0
    assert (tmp_path / "log" / "archive.log").read_text() == "", PARTS


def _counts(port: int) -> dict[str, int]:
    """What the archive says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
        counts: dict[str, int] = json.load(answer)["counts"]
    return counts


def test_of_all_parts_on_one_machine_alarms_watches_the_disks(tmp_path: Path) -> None:
    """A disk that is full is one alarm, and what a person names is watched, too."""
    folders = {"what all parts keep": tmp_path} | folder_of(f"sqlite+aiosqlite:///{tmp_path}/db/archive.db")
    told = {part: read_settings(part, watched(part, folders, {})).watch_disks for part in PARTS}
    assert told == {part: {} for part in PARTS} | {"alarms": folders}
    assert folders["the archive"] == tmp_path / "db"
    assert folder_of("mariadb+asyncmy://u@h/name") == {}
    for part, given, more in (
        ("bridge", "b=/b", {}),
        ("alarms", "", {}),
        ("alarms", "b=/b", folders | {"b": Path("/b")}),
    ):
        env = watched(part, folders | {"odd": Path("/a,b")}, {"JOULEBUS_WATCH_DISKS": given})
        assert read_settings(part, env).watch_disks == more
