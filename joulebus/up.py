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
    parts = ("simulate", *needed) if wish.simulate else needed
    for turn, part in enumerate(parts):
        health = {"JOULEBUS_HEALTH": f"127.0.0.1:{wish.health_from + turn}"}
        supervisor.start(part, command(part, wish.site, wish.page, wish.env), health)
    log.info("%s run; page http://%s, logs in %s", ", ".join(parts), wish.page, supervisor.folder)
    try:
        await stop.wait()
    finally:
        await supervisor.close()
    return 0
