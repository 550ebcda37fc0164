"""All parts of one site on this machine, as separate processes."""

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joulebus.supervisor import Supervisor
from runtime.log import set_up
from runtime.settings import read_settings
from schemas.site import Site
from schemas.site_file import load_site

WATCH = "JOULEBUS_WATCH_DISKS"
PARTS = ("bridge", "archive", "alarms", "optimize", "dispatch", "status")
"""Of every site."""

log = logging.getLogger("up")


def parts_of(site: Site) -> tuple[str, ...]:
    """Those that a site needs: where nobody is to be told, nothing runs for it."""
    return PARTS if site.notify is None else (*PARTS, "notify")


def command(part: str, site: Path, page: str = "", env: Path | None = None) -> list[str]:
    """The command line of a part. It reads the file of variables itself: a password may be changed there."""
    extra = {"status": ["--page", page], "simulate": ["--past", "7"]}.get(part, [])
    variables = ["--env", str(env)] if env else []
    return [sys.executable, "-m", "joulebus.cli", part, "--site", str(site), *variables, *extra]


def watched(part: str, folders: Mapping[str, Path], env: Mapping[str, str]) -> dict[str, str]:
    """Which disks a part watches where all keep on one machine: alarms those of all, the others none, so that one that
    is full is one alarm. What a person names is watched beside them; an empty variable is a wish for none."""
    given = env.get(WATCH)
    if part != "alarms" or given == "":
        return {WATCH: ""}
    own = [f"{name}={folder.absolute()}" for name, folder in folders.items() if "," not in str(folder.absolute())]
    return {WATCH: ",".join([*own, *filter(None, [given])])}


def folder_of(database: str) -> dict[str, Path]:
    """Where a file of the archive lies; nothing for a server, whose disk is its own machine's."""
    driver, _, file = database.partition(":///")
    return {"the archive": Path(file).parent} if driver.startswith("sqlite") and file else {}


@dataclass(frozen=True)
class Wish:
    """What the person at the terminal wants."""

    site: Path
    simulate: bool
    page: str
    health_from: int
    env: Path | None = None
    """A file of variables."""


async def run(wish: Wish, env: Mapping[str, str]) -> int:
    """Run the parts until told to stop. Raises Trouble when the site file or the settings are wrong.

    `env` is what the environment and the file of variables say now.
    """
    set_up("up")
    needed = parts_of(load_site(wish.site))
    settings, _ = read_settings("bridge", env), read_settings("dispatch", env)  # its keys are judged as well
    supervisor = Supervisor(settings.state / "log")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folders = {"what all parts keep": settings.state} | folder_of(settings.database)
    parts = ("simulate", *needed) if wish.simulate else needed
    for turn, part in enumerate(parts):
        health = {"JOULEBUS_HEALTH": f"127.0.0.1:{wish.health_from + turn}"}
        supervisor.start(part, command(part, wish.site, wish.page, wish.env), health | watched(part, folders, env))
    log.info("%s run; page http://%s, logs in %s", ", ".join(parts), wish.page, supervisor.folder)
    try:
        await stop.wait()
    finally:
        await supervisor.close()
    return 0
