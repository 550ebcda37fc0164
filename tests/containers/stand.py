"""A copy of the repository, run as containers: started, asked over its page, broken, and removed."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

from joulebus import neighbours
from joulebus.parts import SERVICES
from joulebus.server import free_port
from tests.containers.engine import Engine, engine, provide_images
from tests.containers.packages import compose

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".tools", ".run", "tests", "secrets", "site", "__pycache__", ".*_cache"
)
LASTING = {*SERVICES, "mosquitto", "mariadb"}
"""The containers that do not end."""
OWN_PROFILE = "own_meter"
MAKE = "A make of our own"

State = dict[str, Any]


@dataclass
class Stand:
    folder: Path
    engine: Engine
    project: str
    page: int
    mqtts: int
    command: list[str]
    """Compose, with its files."""
    seconds: float = 0.0
    """From the start until all were healthy."""

    def compose(self, *words: str) -> str:
        """What compose prints. Raises AssertionError with its complaint."""
        done = subprocess.run(
            [*self.command, *words], env=self.env, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}\n{done.stdout[-2000:]}"
        return done.stdout

    @property
    def env(self) -> dict[str, str]:
        ports = {"JOULEBUS_PAGE": f"127.0.0.1:{self.page}", "JOULEBUS_MQTTS": f"127.0.0.1:{self.mqtts}"}
        return self.engine.env | ports | {"COMPOSE_PROJECT_NAME": self.project}

    def make_secrets(self) -> None:
        words = ["sh", "mosquitto/secrets.sh", "--containers", "mosquitto/secrets", "mosquitto", "localhost"]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)

    def up(self) -> None:
        """Started, and all of it healthy. What is to end has ended, and well."""
        start = time.monotonic()
        self.compose("up", "--detach")  # its --wait gives up at the first answer that was late
        until(lambda: {self.health(name) for name in LASTING} == {"healthy"}, 300, "all are healthy")
        self.seconds = time.monotonic() - start

    def down(self) -> None:
        """Nothing of it is left: no container, network, volume or image of this project."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        self.engine.docker("image", "rm", "--force", f"joulebus:{self.project}")

    def left(self) -> list[str]:
        """What there still is of the project."""
        mine = f"label=com.docker.compose.project={self.project}"
        lists = [[kind, "ls", "--quiet", "--filter", mine] for kind in ("network", "volume")]
        lists += [["ps", "--all", "--quiet", "--filter", mine], ["image", "ls", "--quiet", f"joulebus:{self.project}"]]
        return [line for words in lists for line in self.engine.docker(*words).splitlines()]

    def container(self, service: str) -> State:
        found: State = json.loads(self.engine.docker("inspect", f"{self.project}-{service}-1"))[0]["State"]
        return found

    def health(self, service: str) -> str:
        return str(self.container(service).get("Health", {}).get("Status"))

    def kill(self, service: str) -> None:
        """Its first process ends as by a fault; `docker kill` would be the wish of a person, which is respected."""
        os.kill(self.container(service)["Pid"], signal.SIGKILL)

    def token(self, name: str = "page-token") -> str:
        return (self.folder / "mosquitto" / "secrets" / "passwords" / name).read_text(encoding="utf-8")

    # the page --------------------------------------------------------------------------------------

    def state(self) -> State:
        """What the page shows; nothing of it while the page is away."""
        try:
            with urlopen(f"http://127.0.0.1:{self.page}/api/state", timeout=5) as answer:
                return dict(json.load(answer))
        except OSError:
            return {"devices": [], "alarms": {"list": []}, "answers": {}, "mode": {}, "services": []}

    def shown(self) -> str:
        """The page itself; nothing while it is away."""
        try:
            with urlopen(f"http://127.0.0.1:{self.page}/", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def ask(self, token: str, power: float) -> tuple[int, State]:
        """Ask for manual power in W for ten minutes: the answer's status and body."""
        until = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
        wish = {"mode": "manual", "power": power, "until": until, "who": "anna"}
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        address = f"http://127.0.0.1:{self.page}/api/control"
        try:
            with urlopen(Request(address, json.dumps(wish).encode(), headers), timeout=15) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            return refused.code, json.load(refused)

    def alarms(self) -> set[str]:
        return {one["alarm"] for one in self.state()["alarms"]["list"] if one["active"]}

    def online(self) -> dict[str, bool]:
        return {one["device"]: one["state"] == "online" for one in self.state()["devices"]}


def until(true: Callable[[], object], seconds: float, words: str) -> float:
    """Wait until it holds; how long that took, in s."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() < start + seconds, f"not within {seconds:g} s: {words}"
        time.sleep(0.5)
    return time.monotonic() - start


@contextmanager
def stand() -> Iterator[Stand]:
    """Built and not started yet; afterwards all that it made is gone. Raises Impossible."""
    folder = Path(mkdtemp(prefix="jb-"))
    project = f"joulebus-test-{folder.name.removeprefix('jb-').lower().replace('_', '-')}"
    try:
        (folder / "engine").mkdir()
        with engine(folder / "engine") as docker:
            copy = Path(shutil.copytree(neighbours.REPOSITORY, folder / "joulebus", ignore=LEFT_OUT))
            written = yaml.safe_load((copy / "docker-compose.yml").read_text(encoding="utf-8"))
            provide_images(docker, _images(copy, written))
            (folder / "more.yml").write_text(yaml.safe_dump(_changes(written, project)), encoding="utf-8")
            files = ["--file", "docker-compose.yml", "--file", str(folder / "more.yml")]
            command = [*compose(), "--project-directory", str(copy), *files, "--profile", "demo"]
            made = Stand(copy, docker, project, free_port(), free_port(), command)
            _describe(copy)
            made.make_secrets()
            made.compose("build", "database")
            try:
                yield made
            finally:
                made.down()
    finally:
        shutil.rmtree(folder)


def _images(copy: Path, written: State) -> dict[str, str]:
    base = next(
        line.split()[1] for line in (copy / "Dockerfile").read_text(encoding="utf-8").splitlines() if "FROM" in line
    )
    return {"python": base} | {name: written["services"][name]["image"] for name in ("mosquitto", "mariadb")}


def _changes(written: State, project: str) -> State:
    """An image of our own name: another site's may run beside it. Built where the machine's own network is."""
    parts = [name for name, one in written["services"].items() if "build" in one]
    changed: State = {name: {"image": f"joulebus:{project}"} for name in parts}
    changed["database"]["build"] = {"network": "host"}
    return {"services": changed}


def _describe(copy: Path) -> None:
    """The demo's site with a profile of its own for the meter."""
    subprocess.run(["make", "site"], cwd=copy, check=True, capture_output=True)
    shipped = (copy / "bridges" / "profiles" / "janitza_umg96rme.toml").read_text(encoding="utf-8")
    change = partial(_replaced, shipped)
    (copy / "site" / "profiles").mkdir()
    own = copy / "site" / "profiles" / f"{OWN_PROFILE}.toml"
    own.write_text(change('make = "Janitza"', f'make = "{MAKE}"'), encoding="utf-8")
    site = copy / "site" / "site.toml"
    text = site.read_text(encoding="utf-8")
    site.write_text(_replaced(text, '"janitza_umg96rme"', f'"{OWN_PROFILE}"'), encoding="utf-8")


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)
