"""docker-compose.yml and the Dockerfile, as far as they can be judged without an engine."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from jsonschema.protocols import Validator

from joulebus import database_users, neighbours
from joulebus.arguments import build_parser
from joulebus.broker import SHIPPED, roles
from joulebus.parts import SERVICES
from runtime.settings import read_settings
from schemas.address import parse_address
from schemas.site_file import load_site

ROLES = roles()

REPOSITORY = neighbours.REPOSITORY
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
ALL: dict[str, Any] = COMPOSE["services"]
PARTS = {name: service for name, service in ALL.items() if service["image"].startswith("joulebus:")}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")

Service = dict[str, Any]


@pytest.fixture(params=ALL)
def service(request: pytest.FixtureRequest) -> Service:
    return dict(ALL[request.param])


# --- the specification -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def specification() -> Validator:
    """The compose specification's own schema, as the package check-jsonschema carries it."""
    package = importlib.util.find_spec("check_jsonschema")
    if package is None or package.origin is None:
        pytest.skip("check-jsonschema is not installed")
    path = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator: Validator = jsonschema.Draft202012Validator(schema)
    return validator


def test_it_keeps_the_compose_specification(specification: Validator) -> None:
    assert [f"{error.json_path}: {error.message}" for error in specification.iter_errors(COMPOSE)] == []


@pytest.mark.parametrize(
    "change",
    [{"readonly": True}, {"depends_on": {"x": {"condition": "healthy"}}}, {"cap_drop": "ALL"}, {"user": 1000.5}],
)
def test_the_specification_finds_mistakes(specification: Validator, change: Service) -> None:
    broken = deepcopy(COMPOSE)
    broken["services"]["bridge"] |= change
    assert not specification.is_valid(broken)


# --- every name leads somewhere ---------------------------------------------------------------------


def mounts(service: Service) -> Iterator[tuple[str, str]]:
    """Source and target of each mount."""
    for mount in service.get("volumes", []):
        source, target, *_ = (mount["source"], mount["target"]) if isinstance(mount, dict) else mount.split(":")
        yield re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", source), target


def secret_targets(service: Service) -> dict[str, str]:
    """Where a secret shows up in the container -> its name."""
    found = {}
    for one in service.get("secrets", []):
        source, target = (one, one) if isinstance(one, str) else (one["source"], one["target"])
        found[f"/run/secrets/{target}"] = source
    return found


SITE = "./site"
"""The folder that `make site` makes."""


def test_every_mounted_file_and_volume_exists(service: Service) -> None:
    for source, _ in mounts(service):
        if source != SITE:
            assert (REPOSITORY / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]


@pytest.fixture(scope="module")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make site` makes of the repository, as the containers mount it."""
    here = tmp_path_factory.mktemp("here")
    for name in ("Makefile", "site.toml", "tariff.toml", "simulator"):
        (here / name).symlink_to(REPOSITORY / name)
    subprocess.run(["make", "site"], cwd=here, check=True, capture_output=True)
    return here / "site"


def test_the_folder_of_the_site_has_all_that_its_files_name(made_site: Path) -> None:
    site = load_site(made_site / "site.toml")
    assert all(path.is_file() for path in site.price_files.values())
    assert site.price_files
    assert {parse_address(device.address).host for device in site.device} == {"simulate"} & PARTS.keys()


def test_a_site_of_ones_own_is_never_overwritten(made_site: Path) -> None:
    (made_site / "site.toml").write_text('site = "mine"', encoding="utf-8")
    subprocess.run(["make", "site"], cwd=made_site.parent, check=True, capture_output=True)
    assert (made_site / "site.toml").read_text(encoding="utf-8") == 'site = "mine"'


def test_no_volume_and_no_secret_is_left_over() -> None:
    sources = {source for service in ALL.values() for source, _ in mounts(service)}
    assert {source for source in sources if not source.startswith("./")} == COMPOSE["volumes"].keys()
    assert {name for one in ALL.values() for name in secret_targets(one).values()} == COMPOSE["secrets"].keys()


def test_the_script_makes_every_secret(tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto" / "secrets"
    folder.parent.mkdir()
    words = ["sh", str(SHIPPED / "secrets.sh"), "--containers", str(folder), "mosquitto", "localhost"]
    subprocess.run(words, env=neighbours.mosquitto_passwd().env, check=True, capture_output=True)
    for name, secret in COMPOSE["secrets"].items():
        path = tmp_path / secret["file"]
        assert path.is_file(), name
        assert path.stat().st_mode & 0o044 == 0o044, "the container's user could not read it"


def test_every_network_and_every_neighbour_exists(service: Service) -> None:
    assert set(service.get("networks", [])) <= COMPOSE["networks"].keys()
    for other, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "test" in ALL[other]["healthcheck"]
        if how["condition"] == "service_completed_successfully":
            assert ALL[other]["restart"] == "on-failure"


ONCE = {"migrate", "database"}
"""They do one thing and end."""


def test_every_user_of_the_database_gets_its_password_and_no_part_anothers() -> None:
    given = {path.rpartition("/")[2] for path in secret_targets(ALL["database"])}
    assert given == {f"database-{part}" for part in [*database_users.RIGHTS, "root"]}
    for name, service in PARTS.items():
        words = {secret for secret in secret_targets(service).values() if secret.startswith("database-")}
        own = {f"database-{name}"} if name in database_users.RIGHTS else set()
        assert name == "database" or words == own | ({"database-upkeep"} if name == "archive" else set())


def test_every_part_of_joulebus_is_there() -> None:
    assert SERVICES.keys() | ONCE == PARTS.keys()


@pytest.mark.parametrize("name", PARTS)
def test_the_command_line_understands_every_command(name: str) -> None:
    parsed = build_parser().parse_args(PARTS[name]["command"])
    assert parsed.command == name
    if name not in ONCE:
        folder = parsed.site.parent
        # the folder and not the file: an editor puts a new file in the place of the old one
        assert [source for source, target in mounts(PARTS[name]) if target == str(folder)] == [SITE]


@pytest.mark.parametrize("name", PARTS)
def test_every_secret_that_is_named_is_mounted_and_no_other(name: str) -> None:
    """A part has no secret that it does not read."""
    service = PARTS[name]
    named = set(re.findall(r"/run/secrets/[\w-]+", " ".join(service["environment"].values())))
    # who makes the database's users reads a folder of passwords, looked at above
    assert named == secret_targets(service).keys() or name == "database"


def test_only_the_page_knows_its_tokens() -> None:
    knows = {
        name for name, service in ALL.items() if {"page-token", "engineer-token"} & {*secret_targets(service).values()}
    }
    assert knows == {"status"}


WORDS = {"limit-keys": "dso=word of limit-keys", "ack-key": "a long word of ack-key"}
WORDS |= {name: f"the-token-of-{name}" for name in ("page-token", "engineer-token")}
"""What stands in a file that holds more than one secret, a longer one, or one without blanks."""


@pytest.mark.parametrize("name", PARTS)
def test_the_environment_says_where_everything_is(name: str, tmp_path: Path) -> None:
    """The real reader of the settings gets the file's variables; only the secrets' files are elsewhere."""
    service = PARTS[name]
    env: dict[str, str] = dict(service["environment"])
    for variable, value in env.items():
        assert variable in known_variables()
        if variable.endswith("_FILE"):
            secret = tmp_path / secret_targets(service)[value]
            secret.write_text(WORDS.get(secret.name, f"word of {secret.name}"), encoding="utf-8")
            env[variable] = str(secret)
    settings = read_settings(name, env)
    if "JOULEBUS_BROKER" in env:
        assert (settings.broker.host, settings.broker.port) == ("mosquitto", 1883)
        assert settings.broker.user in ROLES
        assert (settings.broker.user, settings.broker.password) == (name, f"word of broker-{name}")
    if "JOULEBUS_DATABASE" in env:
        who, word = ("root", "root") if name == "database" else (database_users.user(name), name)
        assert settings.database == f"mariadb+asyncmy://{who}:word%20of%20database-{word}@mariadb/joulebus"
        assert ALL["mariadb"]["environment"]["MARIADB_DATABASE"] == "joulebus"
    if name == "status":
        assert (settings.page_token, settings.engineer_token) == (WORDS["page-token"], WORDS["engineer-token"])
    if name == "archive":
        assert settings.upkeep == "mariadb+asyncmy://joulebus_upkeep:word%20of%20database-upkeep@mariadb/joulebus"
    if name not in ONCE:
        assert settings.health is not None
        assert settings.health[0] == "127.0.0.1"


def known_variables() -> set[str]:
    """What the settings read; `NAME_FILE` stands for any `NAME` of a secret."""
    source = "".join(
        (REPOSITORY / "runtime" / f"{name}.py").read_text(encoding="utf-8") for name in ("settings", "keys")
    )
    named = set(re.findall(r"JOULEBUS_[A-Z_]*[A-Z]", source))
    return named | {f"{name}_FILE" for name in re.findall(r'(?:secret|named|read_page_token)\(\w+, "(\w+)"\)', source)}


def test_the_brokers_configuration_finds_its_files() -> None:
    broker = ALL["mosquitto"]
    config = (SHIPPED / "mosquitto-2.1.conf").read_text(encoding="utf-8")
    there = {target for _, target in mounts(broker)} | secret_targets(broker).keys()
    paths = set(re.findall(r" (/(?:mosquitto|run)/\S+)", config))
    assert len(paths) == 6
    assert {path.rstrip("/") for path in paths} <= there
    published = {port.rpartition(":")[2] for port in broker["ports"]}
    assert published <= set(re.findall(r"^listener (\d+)", config, re.MULTILINE)) - {"1883"}


# --- how tight it is -------------------------------------------------------------------------------


def test_no_service_can_do_more_than_it_must(service: Service) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "devices", "pid"}
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_every_lasting_service_is_watched_and_comes_back(service: Service) -> None:
    if service["restart"] == "on-failure":
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_images_are_pinned(service: Service) -> None:
    assert re.search(r":\d+\.\d+\.\d+(-\w+)?$", service["image"])


def test_the_image_has_the_projects_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {part["image"] for part in PARTS.values()} == {f"joulebus:{project['version']}"}


def test_nothing_is_published_beyond_this_machine_unless_asked(service: Service) -> None:
    for port in service.get("ports", []):
        assert re.sub(r"\$\{\w+:-(.*?)\}", r"\1", port).startswith("127.0.0.1:")


def test_no_password_stands_in_the_file() -> None:
    for service in ALL.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|KEY", name) or value.startswith("/run/secrets/")


def test_who_keeps_something_has_a_volume_for_it() -> None:
    state = re.search(r"JOULEBUS_STATE=(\S+)", DOCKERFILE)
    assert state is not None
    keep = {name for name, service in PARTS.items() if state[1] in {target for _, target in mounts(service)}}
    assert keep == PARTS.keys() - ONCE
    places = [source for part in PARTS.values() for source, target in mounts(part) if target == state[1]]
    assert len(places) == len(set(places)), "each has its own"


# --- the image -------------------------------------------------------------------------------------


def copied() -> list[tuple[str, str]]:
    """What the last stage copies out of the repository: source and target below /app."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    lines = [shlex.split(line)[1:] for line in last.splitlines() if line.startswith("COPY ")]
    return [(source, target) for *sources, target in lines for source in sources if not source.startswith("--")]


def from_repository() -> list[tuple[str, str]]:
    return [(source, target) for source, target in copied() if not source.startswith("/")]


def test_what_the_image_is_made_of_exists_and_is_not_ignored() -> None:
    every = [word for line in DOCKERFILE.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]]
    sources = [word.rstrip("/") for word in every if not word.startswith(("--", "/"))]
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert all((REPOSITORY / source).exists() for source in sources)
    assert set(sources) == allowed


def test_every_package_is_in_the_image() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= {source.rstrip("/") for source, _ in from_repository()}
    made = re.search(r"RUN mkdir ([a-z ]+)&&", DOCKERFILE)
    assert made is not None
    assert set(made[1].split()) == packages


def test_the_image_is_careful() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.search(r":\d+\.\d+\.\d+-slim", bases[0])
    assert len(re.findall(r"pip install --require-hashes", DOCKERFILE)) == 2
    assert len(re.findall(r"pip install", DOCKERFILE)) == 3  # the third installs this project, without dependencies
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "joulebus"
    uid = re.search(r"--uid (\d+)", DOCKERFILE)
    assert uid is not None
    assert {part["user"] for part in PARTS.values()} == {f"{uid[1]}:{uid[1]}"}
    assert re.findall(r"^ENTRYPOINT (.*)", DOCKERFILE, re.MULTILINE) == ['["joulebus"]']


@pytest.mark.parametrize("words", [["--help"], ["check", "site.toml"], ["bridge", "--help"]])
def test_the_files_in_the_image_are_enough(words: list[str], tmp_path: Path) -> None:
    for source, target in from_repository():
        place = tmp_path / (target if target != "./" else source)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / source, place)
    program = "import joulebus, sys; from joulebus.cli import main; print(joulebus.__file__); sys.exit(main())"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
