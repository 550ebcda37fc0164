"""What the written pages show can be done as it is shown."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from joulebus.arguments import build_parser
from schemas.profile import Profile
from schemas.site import Site
from schemas.tariff import Tariff
from tests.joulebus.readme import ACTIVATE

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md"), *ROOT.glob("*.md")])


class Block(NamedTuple):
    """A fenced piece of a page."""

    where: str
    kind: str
    text: str


def blocks(kind: str) -> list[Any]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for fence in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            where = f"{page.relative_to(ROOT)}:{text[: fence.start()].count(chr(10)) + 1}"
            if fence[1] == kind:
                found.append(pytest.param(Block(where, fence[1], fence[2]), id=where))
    return found


def added(site: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The shipped site file with the lines of a page."""
    together = dict(site)
    for key, value in more.items():
        old = site.get(key)
        if isinstance(value, list) and isinstance(old, list):
            together[key] = [*old, *value]
        elif isinstance(value, dict) and isinstance(old, dict):
            together[key] = old | value
        else:
            together[key] = value
    return together


@pytest.mark.parametrize("block", blocks("toml"))
def test_every_piece_of_toml_is_what_it_says(block: Block) -> None:
    content = tomllib.loads(block.text)
    match block.text.splitlines()[0]:
        case "# site.toml":
            Site.model_validate(added(tomllib.loads((ROOT / "site.toml").read_text(encoding="utf-8")), content))
        case "# tariff.toml":
            Tariff.model_validate(content)
        case "# profile":
            Profile.model_validate(content)
        case other:
            pytest.fail(f"{block.where}: begin with `# site.toml`, `# tariff.toml` or `# profile`, not {other!r}")


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_command_is_understood(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        match words:
            case [".", ".venv/bin/activate"]:
                pass
            case [] | ["git" | "docker" | "cd" | "sudo" | "curl", *_]:
                pass
            case ["joulebus" | ".venv/bin/joulebus", *arguments]:
                build_parser().parse_args(arguments)
            case ["make", target, *_]:
                assert target in targets, f"{block.where}: make has no {target}"
            case ["sh", script, *_]:
                assert (ROOT / script).is_file(), f"{block.where}: {script} does not exist"
            case _:
                pytest.fail(f"{block.where}: nobody has checked {line!r}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_joulebus_is_found_by_who_types_what_a_page_shows(page: Path) -> None:
    """The first block that needs it says how, once for the whole page."""
    shown = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    first = next((text for text in shown if re.search(r"^(\w+=\S+ )*joulebus ", text, re.MULTILINE)), ACTIVATE)
    assert first.startswith(ACTIVATE), f"{page.name}: begin its first commands with `{ACTIVATE}`"


@pytest.mark.parametrize("block", blocks("json"))
def test_every_piece_of_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("python"))
def test_every_piece_of_python_runs(block: Block) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(block.text, block.where, "exec"), names)  # noqa: S102  # our own page
    assert callable(names["run"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_every_named_test_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target} does not exist"
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        tests = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", tests, re.MULTILINE), f"{page.name}: {file} has no {name}"


def test_every_variable_a_page_names_is_read_somewhere() -> None:
    rooms = ("runtime", "joulebus", "consumers", "bridges", "simulator")
    code = "".join(path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / room).rglob("*.py"))
    code += (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for page in PAGES:
        for name in set(re.findall(r"\bJOULEBUS_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))):
            known = name in code or (name.endswith("_FILE") and name.removesuffix("_FILE") in code)
            known |= name.startswith("JOULEBUS_NOTIFY_")  # the address of a channel that is called so
            known |= re.sub(r"_(CA|CERT|KEY)$", "_", name) in code
            assert known, f"{page.name}: nothing reads {name}"


def test_the_pages_are_found() -> None:
    assert len(PAGES) > 15
    assert len(blocks("toml")) >= 3
    assert len(blocks("sh")) >= 5
