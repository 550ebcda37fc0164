"""The commands of README.md, run as a person types them: in a clone, in a terminal that knows nothing yet."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from joulebus.neighbours import REPOSITORY

ACTIVATE = ". .venv/bin/activate"
"""What each page says first, so that `joulebus` is found."""
OWN = {".git", ".run", ".pytest_cache", ".hypothesis", "site.toml"}
"""What a clone does not share with the one the tests stand in."""


def lines(heading: str) -> list[str]:
    """The commands below a heading (the first ones for ""), without their comments."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n")[1] if heading else text
    fence = re.search(r"^```sh\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
    assert fence, heading
    return [line.partition("  #")[0].strip() for line in fence[1].splitlines()]


def cloned(folder: Path) -> Path:
    """A clone whose files are those that stand here; what is written in it is written there alone."""
    clone = folder / "joulebus"
    clone.mkdir()
    for one in REPOSITORY.iterdir():
        if one.name not in OWN:
            (clone / one.name).symlink_to(one)
    return clone


def terminal() -> dict[str, str]:
    """The environment of a new terminal: nobody has activated anything, and no part was told where its broker is."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("JOULEBUS_", "VIRTUAL_ENV", "MAKE"))
    }
    here = str(REPOSITORY / ".venv")
    env["PATH"] = ":".join(one for one in env.get("PATH", os.defpath).split(":") if not one.startswith(here))
    return env


def begun(line: str, clone: Path, *, activated: bool = True) -> subprocess.Popen[str]:
    """A command that goes on. Its terminal is a process group of its own, so that Ctrl-C is for it alone."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"{ACTIVATE}\n{line}" if activated else line],
        cwd=clone, env=terminal(), start_new_session=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def said(line: str, clone: Path, *, seconds: float = 60) -> str:
    """What a command says that ends by itself, and ends well."""
    process = begun(line, clone)
    try:
        out, _ = process.communicate(timeout=seconds)
    finally:
        end(process)
    assert process.returncode == 0, (line, out)
    return out


@contextmanager
def running(line: str, clone: Path, log: Path, *, activated: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until Ctrl-C; whatever the test does, none of its children is left."""
    with log.open("w") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"{ACTIVATE}\n{line}" if activated else line],
            cwd=clone, env=terminal(), start_new_session=True, text=True, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """A command and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return []


def end(process: "subprocess.Popen[str]") -> None:
    """At once, with all its children."""
    if process.poll() is None:
        for one in family(process):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
