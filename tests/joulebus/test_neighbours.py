"""The programs beside joulebus: found, fetched without root, started privately."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from joulebus import neighbours
from joulebus.mariadb import MariaDB
from joulebus.server import NotStarted, Server, free_port
from tests.conftest import Broker


def run(*words: str, tools: Path | None = None, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m joulebus.neighbours` as a person types it, without our virtual environment's packages."""
    env = dict(os.environ)
    if tools:
        env["JOULEBUS_TOOLS"] = str(tools)
    if path:
        env["PATH"] = path
    command = [sys.executable, "-S", "-m", "joulebus.neighbours", *words]
    return subprocess.run(command, cwd=neighbours.REPOSITORY, env=env, capture_output=True, text=True, check=False)


def test_what_is_there_is_found_and_named_on_one_line_each() -> None:
    assert run("mosquitto", "mariadb", "mbpoll").returncode == 0  # fetches them on a fresh machine
    done = run("mosquitto", "mariadb", "mbpoll")
    name, _, path = done.stdout.splitlines()[0].partition(": ")
    assert name == "mosquitto"
    assert Path(path).is_file()
    assert len(done.stdout.splitlines()) == 3


def test_without_apt_get_the_package_to_install_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    if any(shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin") for name in ("mosquitto", "apt-get")):
        pytest.skip("mosquitto is installed where it is always looked for")
    done = run("mosquitto", tools=tmp_path / "tools", path=str(path))
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends mosquitto" in done.stdout
    assert not done.stderr
    assert not (tmp_path / "tools" / "mosquitto").exists()


def test_an_unknown_neighbour_is_refused() -> None:
    done = run("rabbitmq")
    assert done.returncode == 2
    assert "mosquitto" in done.stderr


def test_the_fonts_of_a_browser_that_is_there_already_are_mended(tmp_path: Path) -> None:
    """Without the aliases of a system `system-ui` was a serif."""
    folder = tmp_path / "chromium" / "usr/lib/chromium"
    folder.mkdir(parents=True)
    (folder / "chromium-headless-shell").touch()
    conf = tmp_path / "chromium" / "fonts.conf"
    for before in (None, "<fontconfig></fontconfig>"):
        if before:
            conf.write_text(before, encoding="utf-8")
        found = neighbours.unpacked("chromium", "chromium-headless-shell", tmp_path)
        assert found.env["FONTCONFIG_FILE"] == str(conf)
        assert conf.read_text(encoding="utf-8") == neighbours.FONTS


def test_a_broken_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mosquitto").mkdir()
    with pytest.raises(neighbours.Missing, match="delete that folder"):
        neighbours.unpacked("mosquitto", "mosquitto", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("neighbour", "name", "arguments", "says"),
    [
        ("mosquitto", "mosquitto", ["-h"], "mosquitto version 2"),
        ("mosquitto-clients", "mosquitto_pub", ["--help"], "mosquitto_pub version 2"),
        ("mariadb", "mariadbd", ["--no-defaults", "--version"], "MariaDB"),
        ("mbpoll", "mbpoll", ["-h"], "usage : mbpoll"),
    ],
)
def test_fetched_programs_run_whatever_the_system_has(
    neighbour: str, name: str, arguments: list[str], says: str, fetched: Path
) -> None:
    program = neighbours.unpacked(neighbour, name, fetched)
    assert program.path.is_relative_to(fetched)
    done = subprocess.run([program.path, *arguments], env=program.env, capture_output=True, text=True, check=False)
    assert says in done.stdout + done.stderr


@pytest.mark.slow
def test_a_fetched_browser_draws_letters(fetched: Path, tmp_path: Path) -> None:
    browser = neighbours.unpacked("chromium", "chromium-headless-shell", fetched)
    page = "data:text/html,<body><span id=a style='font:40px sans-serif'>iiii WWWW</span><script>{}</script>"
    script = "document.body.dataset.width=document.getElementById('a').offsetWidth"
    command = [str(browser.path), "--no-sandbox", f"--user-data-dir={tmp_path}", "--dump-dom", page.format(script)]
    done = subprocess.run(command, env=browser.env, capture_output=True, text=True, timeout=60, check=True)
    width = int(done.stdout.partition('data-width="')[2].partition('"')[0])
    assert width > 150  # without a font the text would be nothing or squares of one size


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="there is no python3 of Debian")
def test_a_virtual_environment_has_pip_also_on_a_bare_debian(fetched: Path, tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    env = {**os.environ, "JOULEBUS_TOOLS": str(fetched)}
    command = ["/usr/bin/python3", "-m", "joulebus.neighbours", "--venv", str(folder)]
    subprocess.run(command, cwd=neighbours.REPOSITORY, env=env, check=True, capture_output=True)
    asked = [str(folder / "bin" / "python"), "-m", "pip", "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert str(folder) in said


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is fetched. The large ones that `make setup` has fetched by the same way stand in it already:
    to unpack them once more would cost 15 s of a processor."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("chromium", "mariadb"):
        if (tree := neighbours.tools() / name).is_dir():
            (folder / name).symlink_to(tree)
    return folder


def test_a_private_database_server_comes_back_with_what_was_committed(mariadb: MariaDB) -> None:
    use = f"USE {mariadb.database().rpartition('/')[2]};"
    mariadb.sql(use + "CREATE TABLE t (i INT); INSERT INTO t VALUES (7)")  # noqa: S608  # a name we drew
    mariadb.kill()
    mariadb.start()
    assert mariadb.sql(use + "SELECT i FROM t") == "7\n"  # noqa: S608


def test_a_private_broker_comes_back_after_a_kill(broker: Broker) -> None:
    broker.kill()
    broker.start()
    assert broker.process is not None
    assert broker.process.poll() is None


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Server(["sh", "-c", "echo no port for you; exit 3"], dict(os.environ), free_port(), tmp_path / "log")
    with pytest.raises(NotStarted, match="no port for you"):
        server.start()
