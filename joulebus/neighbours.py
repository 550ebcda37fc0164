"""The programs joulebus works beside: found on this machine, else fetched from Debian and unpacked without root.

Standard library only, because it runs before anything is installed: `python3 -m joulebus.neighbours mosquitto`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
"""Debian keeps servers in folders that are not on a user's PATH."""
LISTS_LAST = 24 * 3600.0
"""Seconds after which the package lists are fetched again: security updates replace the old files."""
KEPT = {"libc6", "libc-bin"}
"""Never unpacked: a program started by the system's loader must use the system's C library."""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <match><test name="family"><string>system-ui</string></test>
    <edit name="family" mode="assign" binding="same"><string>DejaVu Sans</string></edit></match>
  <match><test name="family"><string>sans-serif</string></test>
    <edit name="family" mode="assign" binding="same"><string>DejaVu Sans</string></edit></match>
  <match><test name="family"><string>monospace</string></test>
    <edit name="family" mode="assign" binding="same"><string>DejaVu Sans Mono</string></edit></match>
  <match><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
"""
"""Where the unpacked browser finds its fonts. The aliases of a system live in its own configuration: without these ones
`system-ui` is any font, such as a serif."""


class Missing(RuntimeError):
    """A program is neither here nor to be had; says which package to install."""


@dataclass(frozen=True)
class Program:
    """A program and the whole environment it must be started with."""

    path: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Neighbour:
    """Debian packages and the programs in them that we need, the main one first."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    folders: tuple[str, ...] = ("usr/sbin", "usr/bin")
    """Where the programs stand once unpacked; a star for the machine's kind."""


NEIGHBOURS = {
    "mosquitto": Neighbour(("mosquitto",), ("mosquitto", "mosquitto_passwd")),
    "mosquitto-clients": Neighbour(("mosquitto-clients",), ("mosquitto_pub", "mosquitto_sub")),
    "mariadb": Neighbour(
        ("mariadb-server-core", "mariadb-client-core"), ("mariadbd", "mariadb-install-db", "my_print_defaults")
    ),
    "mariadb-client": Neighbour(("mariadb-client",), ("mariadb-dump", "mariadb-binlog")),
    "galera": Neighbour(("galera-4",), ("libgalera_smm.so",), ("usr/lib/galera",)),
    "chromium": Neighbour(
        # the program looks for chromium-common's files beside itself, so both must be in one tree
        ("chromium-headless-shell", "chromium-common", "fonts-dejavu-core"),
        ("chromium-headless-shell",),
        # the one in /usr/bin is a script that names this one by its absolute path
        ("usr/lib/chromium",),
    ),
    "mbpoll": Neighbour(("mbpoll",), ("mbpoll",)),
    "libfaketime": Neighbour(("libfaketime",), ("libfaketimeMT.so.1",), ("usr/lib/*/faketime",)),
    "pip": Neighbour(("python3-pip-whl",), ()),
}


def mosquitto() -> Program:
    return program("mosquitto", "mosquitto")


def mosquitto_passwd() -> Program:
    return program("mosquitto", "mosquitto_passwd")


def mosquitto_pub() -> Program:
    return program("mosquitto-clients", "mosquitto_pub")


def mosquitto_sub() -> Program:
    return program("mosquitto-clients", "mosquitto_sub")


def mariadbd() -> Program:
    return program("mariadb", "mariadbd")


def mariadb_install_db() -> Program:
    return program("mariadb", "mariadb-install-db")


def chromium() -> Program:
    return program("chromium", "chromium-headless-shell")


def mbpoll() -> Program:
    return program("mbpoll", "mbpoll")


def faketime() -> Program:
    return program("libfaketime", "libfaketimeMT.so.1")


def tools() -> Path:
    """Where fetched programs live: `.tools` in the repository, or JOULEBUS_TOOLS."""
    return Path(os.environ.get("JOULEBUS_TOOLS") or REPOSITORY / ".tools").resolve()


def program(neighbour: str, name: str) -> Program:
    """A program of this machine if its neighbour is installed whole, else the unpacked one. Raises Missing."""
    if all(shutil.which(each, path=SEARCHED) for each in NEIGHBOURS[neighbour].programs):
        path = Path(str(shutil.which(name, path=SEARCHED)))
        return Program(path, {**os.environ, "PATH": f"{path.parent}:{SEARCHED}"})
    return unpacked(neighbour, name, tools())


def unpacked(neighbour: str, name: str, folder: Path) -> Program:
    """A program out of `folder`, fetched there first if need be. Raises Missing."""
    tree = _tree(neighbour, folder)
    places = [found for place in NEIGHBOURS[neighbour].folders for found in tree.glob(place)]
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        raise Missing(f"{tree} is incomplete, {name} is not in it: delete that folder and try again")
    # libpulse keeps half of itself in a folder of its own
    places_of_libraries = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
    libraries = [library for place in places_of_libraries for library in tree.glob(place)]
    env = dict(os.environ)
    env["PATH"] = ":".join([*map(str, places), SEARCHED])
    if libraries:
        env["LD_LIBRARY_PATH"] = ":".join([*map(str, libraries), *filter(None, [env.get("LD_LIBRARY_PATH")])])
    if neighbour == "chromium":
        env["FONTCONFIG_FILE"] = str(_fonts(tree))
    return Program(path, env)


def _fonts(tree: Path) -> Path:
    """The fonts' file of a tree; one that an older joulebus wrote is made anew. A tree nobody may write in stays as it
    is: its fonts are worse, and all else works."""
    conf = tree / "fonts.conf"
    if not conf.is_file() or conf.read_text(encoding="utf-8") != FONTS:
        with contextlib.suppress(OSError):
            new = tree / f"fonts.conf.{os.getpid()}"
            new.write_text(FONTS, encoding="utf-8")
            new.replace(conf)
    return conf


def make_venv(folder: Path) -> None:
    """A virtual environment with pip where Debian's python3 comes without `ensurepip`. Raises Missing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)  # noqa: S603
    wheel = next((_tree("pip", tools()) / "usr/share/python-wheels").glob("pip-*.whl"))
    pip = [str(folder / "bin" / "python"), f"{wheel}/pip"]  # a wheel can be run where it lies
    _run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)])


def _tree(neighbour: str, folder: Path) -> Path:
    """Where a neighbour's packages are unpacked; fetched if need be."""
    if not (folder / neighbour).is_dir():
        _fetch(neighbour, folder)
    return folder / neighbour


def _fetch(neighbour: str, folder: Path) -> None:
    """Download and unpack a neighbour and what it depends on; the folder appears only once it is whole."""
    names = NEIGHBOURS[neighbour].packages
    with _alone(folder):
        if (folder / neighbour).is_dir():  # somebody else was quicker
            return
        part = folder / f"{neighbour}.part"
        shutil.rmtree(part, ignore_errors=True)
        archives = part / "archives"
        archives.mkdir(parents=True)
        try:
            _refresh(folder)
            plan = _run([*_apt(folder), "--simulate", "--no-install-recommends", "install", *names])
            needed = {line.split()[1].partition(":")[0] for line in plan.splitlines() if line.startswith("Inst ")}
            _run([*_apt(folder), "download", *sorted(({*names} | needed) - KEPT)], archives)
            for archive in archives.iterdir():
                _run(["dpkg", "--extract", str(archive), str(part)])
        except (OSError, subprocess.CalledProcessError) as wrong:
            said = (getattr(wrong, "stderr", "") or str(wrong)).strip().splitlines()
            raise Missing(
                f"{neighbour} is not installed and could not be fetched ({said[-1] if said else 'no reason given'}); "
                f"install it with: apt-get install --no-install-recommends {' '.join(names)}"
            ) from wrong
        shutil.rmtree(archives)
        part.rename(folder / neighbour)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time, also among processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt(folder: Path) -> list[str]:
    """apt-get with lists and archives of our own, so that it needs no root."""
    settings = {
        "Dir::State": folder / "apt",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": folder / "apt",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
    }
    return ["apt-get", "-qq", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]


def _refresh(folder: Path) -> None:
    """Fetch the package lists when there are none or they are old."""
    fresh = folder / "apt" / "fresh"
    if fresh.is_file() and time.time() - fresh.stat().st_mtime < LISTS_LAST:
        return
    (folder / "apt" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "apt" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    _run([*_apt(folder), "update"])
    if not list((folder / "apt" / "lists").glob("*Packages*")):  # apt-get forgives a mirror that does not answer
        raise OSError("no package list could be fetched: is there a network?")
    fresh.touch()


def _run(command: list[str], folder: Path | None = None) -> str:
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout  # noqa: S603


def main(arguments: list[str] | None = None) -> int:
    """Make sure that the named neighbours are here."""
    parser = argparse.ArgumentParser("joulebus.neighbours", description=__doc__)
    known = sorted(name for name, neighbour in NEIGHBOURS.items() if neighbour.programs)
    parser.add_argument("neighbour", nargs="*", metavar="NEIGHBOUR", help=", ".join(known))
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="make a virtual environment with pip there")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.neighbour) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: not a neighbour; there is: {', '.join(known)}")
    try:
        if parsed.venv:
            make_venv(parsed.venv)
        for neighbour in parsed.neighbour:
            print(f"{neighbour}: ", end="", flush=True)
            print(program(neighbour, NEIGHBOURS[neighbour].programs[0]).path)
    except Missing as wrong:
        print(wrong)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
