"""The real neighbours of the parts: broker, database, browser. One of each serves a whole run of tests."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from joulebus import broker as shipped
from joulebus import neighbours
from joulebus.mariadb import MariaDB
from joulebus.server import Server, free_port
from tests.timed import FULL

pytest.register_assert_rewrite("tests.chaos.oracles")  # what it asserts says what was wrong

# `make test` tries the same cases each time, however slow the machine is; `make search` looks for new ones.
hypothesis.settings.register_profile(
    "joulebus",
    deadline=None,
    derandomize=not FULL,
    max_examples=1000 if FULL else 100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("joulebus")


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A part keeps its files where it is started when nobody says where to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        yield


class Broker(Server):
    """A mosquitto with the shipped configuration and access list, and passwords of its own."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.tls_port = free_port() if tls else None
        self.secrets = shipped.prepare(folder, free_port(), tls_port=self.tls_port)
        super().__init__(self.secrets.command, self.secrets.env, self.secrets.port, folder / "mosquitto.log")

    def url(self, role: str) -> str:
        """`mqtt://role:password@host:port`; two connections of one role push each other out."""
        return self.secrets.url(role)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker all tests share. Who kills it starts it again."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """The database server all tests share; each takes a `.database()` of its own."""
    mariadb = MariaDB(tmp_path_factory.mktemp("mariadb"))
    mariadb.start()
    yield mariadb
    mariadb.stop()


@pytest.fixture
def site_name() -> str:
    """A site nobody else talks about."""
    return f"site-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A browser without a window; start it with `--no-sandbox`, and with `neighbours.chromium().env`."""
    return neighbours.chromium().path
