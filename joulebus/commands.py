"""The short commands: they do one thing, say it, and end."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.troubles import Trouble

if TYPE_CHECKING:
    from schemas.site import Site


def check(path: Path) -> int:
    """Say what stands in a site file, or what is wrong with it."""
    from consumers.alarms.catalog import load_catalog, watched  # noqa: PLC0415  # `health` is asked often: keep it light
    from joulebus.interlocks import all_locks, notes  # noqa: PLC0415  # as above
    from schemas.pace import too_slow  # noqa: PLC0415  # as above
    from schemas.site import load_site  # noqa: PLC0415

    site = load_site(path)
    try:
        rules, locks = watched(site, load_catalog()), all_locks(site)
        _check_prices(site)
    except Trouble as wrong:
        raise Trouble(f"{path}: {wrong}") from wrong
    counted = f"{len(site.device)} devices, {site.mode}, {len(rules)} alarms, {len(locks)} interlocks"
    say(f"{path}: good. {site.title or site.site}: {counted}")
    for device in site.device:
        profile = site.profiles[device.name]
        where = f"{device.address} unit {device.unit}"
        say(f"  {device.name:<10} {profile.kind:<6} {profile.make} {profile.model} at {where}")
    for one in site.battery:
        rests = f"{one.energy / 1000:g} kWh, fallback {one.fallback:.10g} W"
        say(f"  {one.name:<10} battery of {one.pcs} + {one.bms}, {rests}")
    for warning in [*too_slow(site), *_unheard(site), *_loose(site), *_fed_in(site)]:
        say(f"{path}: warning: {warning}")
    for note in notes(site):
        say(f"  {note}")
    return 0


def _unheard(site: "Site") -> list[str]:
    """Whose commands no bridge obeys, although somebody expects it."""
    if site.mode == "read_only" or "dispatch" in site.command_sources:
        return []
    return ["command_sources does not name dispatch: its plan and the requests of the page move no device"]


def _loose(site: "Site") -> list[str]:
    """A BMS that guards nothing, although somebody may believe it."""
    from schemas.units import Kind  # noqa: PLC0415  # as above

    return [
        f"device {device.name}: a bms of no battery is read, and its limits hold for none; name it in its [[battery]], "
        f'bms = "{device.name}"'
        for device in site.of_kind(Kind.BMS)
        if device.name not in site.bms
    ]


def _fed_in(site: "Site") -> list[str]:
    """PV that can feed in more than may be, and that nobody limits."""
    limited = {one.name for one in site.pv_limited}
    free = [one for one in site.pv if one.name not in limited]
    power, most = sum(one.rated_power or 0.0 for one in free), site.grid.export_limit
    if power <= most:
        return []
    names = ", ".join(one.name for one in free)
    why = "its profile has no p_limit_pct" if site.grid.curtail else "grid.curtail is false"
    return [f"{names} can feed in {power / 1000:g} kW, export_limit is {most / 1000:g} kW, and nobody limits it: {why}"]


def _check_prices(site: "Site") -> None:
    """Raises Trouble for a tariff or prices that cannot be read."""
    from consumers.optimize.prices import read_prices  # noqa: PLC0415  # as above

    for name, path in site.price_files.items():
        if not path.is_file():
            raise Trouble(f"{site.tariff_path}: {name}.day_ahead.file: {path} does not exist")
        read_prices(path)


def migrate(env: dict[str, str]) -> int:
    """Bring the archive's tables up to date."""
    from consumers.archive.migrate import migrate as upgrade  # noqa: PLC0415  # alembic is loaded for this alone
    from runtime.settings import read_settings  # noqa: PLC0415

    say(upgrade(read_settings("archive", env).database))
    return 0


def fault(name: str, on: bool, address: str) -> int:
    """Switch a fault of the simulated site."""
    path = "/fault/list" if name == "list" else f"/fault/{name}/{'on' if on else 'off'}"
    request = urllib.request.Request(f"http://{address}{path}", method="POST")  # http is written here
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
            say(answer.read().decode().strip())
    except urllib.error.HTTPError:
        raise Trouble(f"fault {name!r} is not known; joulebus fault list --health {address} shows all") from None
    except OSError as wrong:
        raise Trouble(
            f"no simulator answers at {address}: {wrong}; --health says where: the demo's is 127.0.0.1:8081"
        ) from None
    return 0


def health(address: str) -> int:
    """0 when a part is ready, 1 when it is not or does not answer."""
    if not address:
        raise Trouble("give host:port, or set JOULEBUS_HEALTH")
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=3) as answer:  # as above
            say(answer.read().decode().strip())
    except urllib.error.HTTPError as wrong:
        say(wrong.read().decode().strip())
        return 1
    except OSError as wrong:
        raise Trouble(f"nothing answers at {address}: {wrong}") from None
    return 0


def outbox(file: Path | None, site: Path, env: dict[str, str]) -> int:
    """Say what waits in one outbox, or in all of a site."""
    from joulebus.outbox import of_site, report  # noqa: PLC0415  # as above
    from runtime.settings import read_settings  # noqa: PLC0415

    for path in [file] if file else of_site(site, read_settings("bridge", env).state):
        for line in report(path, time.time()):
            say(line)
    return 0


def docs(folder: Path) -> int:
    """Write the generated documents."""
    from joulebus.documents import generate  # noqa: PLC0415

    for path in generate(folder):
        say(str(path))
    return 0


def say(text: str) -> None:
    """To whoever sits at the terminal."""
    print(text)
