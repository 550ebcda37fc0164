"""All parts of one site on this machine, as separate processes."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from joulebus.parts import SERVICES
from joulebus.server import answers, may_open
from joulebus.site_broker import FOLDER, VARIABLES, BrokerWish, bring, missing
from joulebus.start import host_and_port
from joulebus.supervisor import Supervisor
from runtime.database import Unmigrated, check_schema, engine
from runtime.log import set_up
from runtime.settings import Broker, Settings, read_settings, without_broker
from runtime.single import holder, lock_folder
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble

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
    broker: BrokerWish | None = None
    """One of its own; None for the one that is there."""


async def run(wish: Wish, env: Mapping[str, str]) -> int:
    """Run the parts until told to stop. Raises Trouble when the site file or the settings are wrong, a port is in use,
    or no broker answers and nobody has named one.

    `env` is what the environment and the file of variables say now.
    """
    set_up("up")
    site = load_site(wish.site)
    settings = read_settings("bridge", env if wish.broker is None else without_broker(env))
    with alone(settings.state, f"up-{site.site}", *([FOLDER] if wish.broker else [])):
        return await _run(wish, site, settings, env)


async def _run(wish: Wish, site: Site, settings: Settings, env: Mapping[str, str]) -> int:
    parts = ("simulate", *parts_of(site)) if wish.simulate else parts_of(site)
    health = {part: wish.health_from + turn for turn, part in enumerate(SERVICES) if part in parts}
    check_ports(
        "joulebus up --page HOST:PORT, or --health-from PORT", {"the status page": host_and_port(wish.page)[1]} | health
    )
    supervisor = Supervisor(settings.state / "log")
    own = await _own_broker(wish.broker, supervisor, settings.state, env) if wish.broker else {}
    if not own:
        read_settings("dispatch", env)  # its keys are judged as well
        await _look_at_the_broker(settings.broker, wish.site, named="JOULEBUS_BROKER" in env)
    if site.archive:
        await _look_at_the_archive(settings.database)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folders = {"what all parts keep": settings.state} | folder_of(settings.database)
    for part in parts:
        given = {"JOULEBUS_HEALTH": f"127.0.0.1:{health[part]}"} | watched(part, folders, env) | own.get(part, {})
        supervisor.start(part, command(part, wish.site, wish.page, wish.env), given)
    log.info("%s run; page http://%s, logs in %s", ", ".join(parts), wish.page, supervisor.folder)
    try:
        await stop.wait()
    finally:
        await supervisor.close()
    return 0


@contextlib.contextmanager
def alone(state: Path, *names: str) -> Iterator[None]:
    """Keep another `up` out of what this one works in. Raises Trouble that names the one that does already.

    Two would share the files of one broker, and other commands would find the one that ended first. Where no file can
    be made the parts say so.
    """
    with contextlib.ExitStack() as held:
        for name in names:
            try:
                state.mkdir(parents=True, exist_ok=True)
                lock = lock_folder(state, name)
            except OSError:
                continue
            if lock is None:
                raise Trouble(
                    f"another `joulebus up` (process {holder(state, name)}) works in {state.resolve()} already: see "
                    "its page, or end it. A second site has a folder of its own: JOULEBUS_STATE"
                )
            held.callback(lock.release)
        yield


def check_ports(other: str, ports: Mapping[str, int]) -> None:
    """Raises Trouble that names the first port that is in use or root's; `other` says how to give another one."""
    for name, port in ports.items():
        if answers(port):
            raise Trouble(f"port {port} for {name} is in use; give another one: {other}")
        if not may_open(port):
            raise Trouble(f"port {port} for {name} may be opened by root alone; give another one: {other}")


async def _own_broker(
    wish: BrokerWish, supervisor: Supervisor, state: Path, env: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Start the broker that the site brings along; gives each part its variables. What a person set stays."""
    broker = await asyncio.to_thread(bring, wish, state, env)
    supervisor.start("broker", broker.command, broker.env)
    log.info(
        "the broker is at 127.0.0.1:%d; other commands find it with --env %s", wish.port, broker.folder / VARIABLES
    )
    return {part: _unset(broker.variables(part), env) for part in SERVICES}


def _unset(variables: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Those that nobody has set, neither by itself nor by its file."""
    return {name: value for name, value in variables.items() if not {name, name.removesuffix("_FILE")} & {*env}}


async def _look_at_the_broker(broker: Broker, site: Path, *, named: bool) -> None:
    """Raises Trouble where nobody has named a broker and none is there; one that is named may come later."""
    words = await asyncio.to_thread(missing, broker, site)
    if words and not named:
        raise Trouble(words)
    if words:
        log.warning("%s. The parts try again until it does", words)


async def _look_at_the_archive(database: str) -> None:
    """Say what a person must do; the archive itself goes on looking."""
    store = engine(database)
    try:
        await check_schema(store)
    except Unmigrated as wrong:
        log.warning("%s. Until then nothing is stored; the bridge keeps all it reads", wrong)
    except Trouble as away:
        log.warning("%s", away)
    finally:
        await store.dispose()
