"""What pip makes of the project where there is no network: an installation in place, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from datetime import date
from pathlib import Path

import pytest

from joulebus import neighbours

REPOSITORY = neighbours.REPOSITORY
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = [name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Both outputs as one text, of a program without a network."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    env |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLUMNS": "500"}
    return subprocess.run(
        [*map(str, words)], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as far as it is installed, but for the load and sun of the demo."""
    place = tmp_path_factory.mktemp("project")
    for name in ROOMS:
        shutil.copytree(REPOSITORY / name, place / name, ignore=shutil.ignore_patterns("commercial*"))
    shutil.copytree(REPOSITORY / "mosquitto", place / "mosquitto", ignore=shutil.ignore_patterns("secrets"))
    for name in ("pyproject.toml", "in_place.py", "LICENSE", "README.md", "site.toml", "tariff.toml"):
        shutil.copy(REPOSITORY / name, place)
    return place


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with all that joulebus needs, and without joulebus."""
    place = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    for one in Path(sysconfig.get_path("purelib")).iterdir():
        if "joulebus" not in one.name and not (packages / one.name).exists():
            (packages / one.name).symlink_to(one)
    return place / "bin" / "python"


def files(place: Path) -> set[str]:
    return {one.name for one in place.iterdir()} - {"__pycache__"}


REFUSED = {
    "a wheel": ("-m", "pip", "wheel", "--no-deps", "."),
    "an installation that is a copy": ("-m", "pip", "install", "--no-deps", "--no-build-isolation", "."),
    "a source distribution": ("-c", "import in_place; in_place.get_requires_for_build_sdist()"),
    "one by a frontend that asks for nothing before": ("-c", "import in_place; in_place.build_sdist('.')"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_could_be_passed_on_is_refused_in_one_sentence(words: tuple[str, ...], copy: Path, python: Path) -> None:
    before = files(copy)
    done = run(python, *words, cwd=copy)
    assert done.returncode == 1
    [said] = [line for line in done.stdout.splitlines() if "joulebus builds no wheel" in line]
    assert re.findall("`([^`]+)`", said) == ["make setup", "pip install --editable .", "make up", "git archive"]
    assert "Traceback" not in done.stdout
    assert files(copy) == before


def test_an_installation_in_place_answers_from_any_folder(copy: Path, python: Path, tmp_path: Path) -> None:
    done = run(python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", ".", cwd=copy)
    assert done.returncode == 0, done.stdout
    joulebus = python.with_name("joulebus")
    where = run(python, "-c", "import schemas, simulator; print(schemas.__file__)", cwd=tmp_path)
    assert where.stdout.strip() == str(copy / "schemas" / "__init__.py")

    demo = run(joulebus, "demo", "--site", copy / "site.toml", cwd=tmp_path)
    assert demo.returncode == 1
    assert "commercial_site_2016.csv.gz is not there" in demo.stdout
    assert "Traceback" not in demo.stdout


HEAVY = {
    "consumers.archive.service": set(),
    "consumers.alarms.service": set(),
    "consumers.optimize.service": set(),  # the solver comes with the first plan
    "consumers.status.service": set(),
    "consumers.notify.service": set(),
    "joulebus.export": set(),
    "bridges.service": {"numpy"},
    "consumers.dispatch.service": {"numpy"},  # they measure how late a meter is, at each reading
    "joulebus.planned_past": {"numpy", "numba", "scipy"},  # the past of the demo, with all that makes a plan
}
"""What is imported one after the other, and what of the heavy packages is loaded by then."""


def test_what_runs_for_years_loads_no_pandas_and_the_solver_late() -> None:
    """What parts import late themselves is held by a contract of pyproject.toml."""
    heavy = {"numpy", "scipy", "numba", "pandas", "pyarrow"}
    each = [f"import {module}; print({module!r}, *{heavy} & sys.modules.keys())" for module in HEAVY]
    done = run(sys.executable, "-W", "ignore", "-c", "\n".join(["import sys", *each]), cwd=REPOSITORY)
    said = [line.split() for line in done.stdout.splitlines()]
    assert {module: set(loaded) for module, *loaded in said} == HEAVY


def test_the_changelog_has_the_version_of_the_project_on_top() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", head) for head in heads[1:]]
    assert all(released), heads
    versions = [tuple(map(int, one.groups()[:3])) for one in released if one]
    dates = [date.fromisoformat(one[4]) for one in released if one]
    assert ".".join(map(str, versions[0])) == PROJECT["project"]["version"]
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)
