"""The real neighbours of the parts: broker, database, browser. One of each serves a whole run of tests."""

import gc
import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from consumers.archive.migrate import migrate
from joulebus import broker as shipped
from joulebus import neighbours
from joulebus.mariadb import MariaDB
from joulebus.server import Server, free_port
from schemas.tables import metadata
from tests.timed import FULL

pytest.register_assert_rewrite("tests.chaos.oracles")  # what it asserts says what was wrong

# `make test` tries the same cases each time, however slow the machine is; `make search` looks for new ones.
hypothesis.settings.register_profile(
    "joulebus",
    deadline=None,
    derandomize=not FULL,
    max_examples=1000 if FULL else 60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("joulebus")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays until the end: looking for garbage among it took seconds in each worker."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


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


@pytest.fixture(scope="module")
def outer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with both listeners and certificates."""
    broker = Broker(tmp_path_factory.mktemp("outer"), tls=True)
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


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of the archive without rows, to be copied: a migration for each test took minutes of CI."""
    path = tmp_path_factory.mktemp("migrated") / "archive.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _migrated_database(mariadb: MariaDB) -> str:
    url = mariadb.database()
    migrate(url)
    return url


@pytest.fixture
def sqlite_archive(migrated_file: Path, tmp_path: Path) -> str:
    """The address of a migrated SQLite file of the test's own, `archive.db` in its folder."""
    shutil.copy(migrated_file, tmp_path / "archive.db")
    return f"sqlite+aiosqlite:///{tmp_path}/archive.db"


@pytest.fixture
def mariadb_archive(mariadb: MariaDB, _migrated_database: str) -> Iterator[str]:
    """A migrated MariaDB database that is emptied afterwards; a test that changes the tables takes a fresh one."""
    yield _migrated_database
    name = _migrated_database.rpartition("/")[2]
    tables = [table.name for table in metadata.sorted_tables]
    mariadb.sql("".join(f"DELETE FROM {name}.{table};" for table in tables))  # noqa: S608  # names of ours


@pytest.fixture(params=["sqlite", "mariadb"])
def archive_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_archive")
    return url


@pytest.fixture
def site_name() -> str:
    """A site nobody else talks about."""
    return f"site-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A browser without a window; start it with `--no-sandbox`, and with `neighbours.chromium().env`."""
    return neighbours.chromium().path
