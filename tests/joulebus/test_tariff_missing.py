"""A site whose tariff is wrong: nobody plans, and everybody who guards, archives and warns goes on."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.migrate import migrate
from joulebus.server import free_port
from tests.conftest import Broker
from tests.joulebus.test_demo import demo_site, until
from tests.timed import FULL

PARTS = ("bridge", "archive", "alarms", "dispatch", "optimize", "status")
PLANNERS = {"dispatch", "optimize"}
SPOILED = {
    "no tariff file": (None, PLANNERS),
    "no TOML": ("[import", PLANNERS),
    "no prices in it": ("[import]", PLANNERS),
    "no price file": ('[import]\nday_ahead = { file = "nowhere.csv" }', set[str]()),  # said with the first plan
}
TOLD = [*SPOILED] if FULL else ["no TOML", "no price file"]
"""The others differ in their words alone, which tests of the reader tell."""
ALL_START = "no TOML"
"""Of the others those alone that could say something."""


@pytest.fixture(params=TOLD)
def story(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def started(story: str) -> tuple[str, ...]:
    return PARTS if story == ALL_START else tuple(sorted(PLANNERS))


@pytest.fixture
def spoiled(story: str, tmp_path: Path) -> set[str]:
    """A tariff file that is wrong; gives who says so at its start."""
    text, who = SPOILED[story]
    if text is not None:
        (tmp_path / "spoiled.toml").write_text(text, encoding="utf-8")
    return set(who)


@pytest.fixture
def site(tmp_path: Path, site_name: str) -> Path:
    path = demo_site(tmp_path)
    text = path.read_text(encoding="utf-8").replace('site = "demo"', f'site = "{site_name}"')
    path.write_text("\n".join('tariff = "spoiled.toml"' if "tariff =" in line else line for line in text.splitlines()))
    return path


@pytest.fixture
def health(broker: Broker, site: Path, tmp_path: Path, started: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """The parts run; the ports of their endpoints."""
    database = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    migrate(database)
    ports = {part: free_port() for part in started}
    with ExitStack() as stack:
        for part, port in ports.items():
            env = os.environ | {
                "JOULEBUS_BROKER": broker.url(part),
                "JOULEBUS_DATABASE": database,
                "JOULEBUS_STATE": str(tmp_path),
                "JOULEBUS_HEALTH": f"127.0.0.1:{port}",
            }
            page = ["--page", f"127.0.0.1:{free_port()}"] if part == "status" else []
            command = [sys.executable, "-m", "joulebus.cli", part, "--site", str(site), *page]
            log = stack.enter_context((tmp_path / f"{part}.log").open("wb"))
            process = stack.enter_context(subprocess.Popen(command, env=env, stderr=log))
            stack.callback(process.kill)
        yield ports


def says(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as answer:
        with answer:
            return dict(json.load(answer))
    except OSError:
        return {}


@pytest.mark.slow
def test_with_a_tariff_that_cannot_be_read_all_goes_on_but_the_plan(spoiled: set[str], health: dict[str, int]) -> None:
    until(lambda: all(says(port).get("ready") for port in health.values()), 60)
    causes = {part: says(port)["causes"] for part, port in health.items()}
    assert causes == {part: ["tariff"] if part in spoiled else [] for part in health}
