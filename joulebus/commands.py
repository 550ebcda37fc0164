"""The short commands: they do one thing, say it, and end."""

import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from schemas.troubles import Trouble, Usage, of_the_machine

DEMO_SIMULATOR = "--health says where: the demo's is 127.0.0.1:8081"


def migrate(env: dict[str, str]) -> int:
    """Bring the archive's tables up to date."""
    from consumers.archive.migrate import migrate as upgrade  # noqa: PLC0415  # alembic is loaded for this alone
    from runtime.settings import read_settings, without_broker  # noqa: PLC0415

    say(upgrade(read_settings("migrate", without_broker(env)).database))
    return 0


def database_users(passwords: Path, host: str, *, as_sql: bool, env: dict[str, str]) -> int:
    """Make a user of the database for each part."""
    from joulebus.database_users import run  # noqa: PLC0415
    from runtime.settings import read_settings, without_broker  # noqa: PLC0415

    say(run(read_settings("root", without_broker(env)).database, passwords, host, as_sql=as_sql))
    return 0


def fault(name: str, on: bool, address: str) -> int:
    """Switch a fault of the simulated site."""
    _is_place(address)
    try:
        say(_told(address, "list" if name == "list" else f"{quote(name, safe=':')}/{'on' if on else 'off'}"))
    except urllib.error.HTTPError:
        if name != "list" and _simulates(address):
            raise Trouble(f"fault {name!r} is not known; joulebus fault list --health {address} shows all") from None
        raise Trouble(f"what answers at {address} is no simulator; {DEMO_SIMULATOR}") from None
    except (OSError, HTTPException) as wrong:
        raise Trouble(f"no simulator answers at {address}: {_reason(wrong)}; {DEMO_SIMULATOR}") from None
    return 0


def _told(address: str, fault: str) -> str:
    request = urllib.request.Request(f"http://{address}/fault/{fault}", method="POST")  # http is written here
    with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
        return str(answer.read().decode().strip())


def _simulates(address: str) -> bool:
    """Every part has such an address, and one that simulates nothing knows no fault."""
    try:
        return bool(_told(address, "list"))
    except (OSError, HTTPException):
        return False


def health(address: str) -> int:
    """0 when a part is ready, 1 when it is not or does not answer."""
    if not address:
        raise Usage("give HOST:PORT, or set JOULEBUS_HEALTH")
    _is_place(address)
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=3) as answer:  # as above
            say(answer.read().decode().strip())
    except urllib.error.HTTPError as wrong:
        say(wrong.read().decode().strip())
        return 1
    except (OSError, HTTPException) as wrong:
        raise Trouble(f"nothing answers at {address}: {_reason(wrong)}") from None
    return 0


def _reason(wrong: OSError | HTTPException) -> str:
    """Without the words of the library around it."""
    if isinstance(wrong, HTTPException) and not isinstance(wrong, OSError):
        return "it does not speak HTTP"
    inner = getattr(wrong, "reason", wrong)
    return of_the_machine(inner) if isinstance(inner, OSError) else str(inner)


def _is_place(address: str) -> None:
    """Raises Usage."""
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", address):
        raise Usage(f"{address!r} is not HOST:PORT, such as 127.0.0.1:8081")


def outbox(file: Path | None, site: Path, env: dict[str, str]) -> int:
    """Say what waits in one outbox, or in all of a site."""
    from joulebus.outbox import of_site, report  # noqa: PLC0415  # as above
    from runtime.settings import read_settings, without_broker  # noqa: PLC0415

    for path in [file] if file else of_site(site, read_settings("bridge", without_broker(env)).state):
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
