"""Look into a bridge's outbox, also while the bridge writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bridges.telemetry.outbox import UNSERVED
from runtime.kept import ASIDE
from schemas.site_file import load_site
from schemas.spans import about
from schemas.troubles import Trouble

_PER_DEVICE = """
SELECT device, count(*), sum(length(body)), min(at), max(at), sum(sent) FROM outbox GROUP BY device ORDER BY device
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the archive, of one device."""

    device: str
    rows: int = 0
    bytes: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    """Seconds since 1970."""
    sent: int = 0
    """Rows that the broker has and the archive has not confirmed; the others were never sent."""
    dropped: int = 0
    """Given up since the file was made, because the outbox was full or nobody took them."""
    served: bool = True
    """The bridge has a device of this name."""


def look(path: Path) -> list[Waiting]:
    """One row a device. Raises Trouble when the file is not an outbox."""
    if not path.is_file():
        raise Trouble(f"there is no outbox {path}; --site looks for those of a site in JOULEBUS_STATE")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            found = {row[0]: Waiting(*row) for row in db.execute(_PER_DEVICE)}
            dropped = dict(db.execute("SELECT device, samples FROM dropped"))
            served = _served(db)
    except sqlite3.Error as wrong:
        raise Trouble(f"{path} is not an outbox: {wrong}") from wrong
    for device in sorted(dropped.keys() - found.keys()):
        found[device] = Waiting(device)
    return [
        replace(one, dropped=dropped.get(one.device, 0), served=served is None or one.device in served)
        for one in found.values()
    ]


def of_site(site: Path, state: Path) -> list[Path]:
    """The outboxes of a site's bridges. Raises Trouble when there is none."""
    name = load_site(site).site
    found = sorted(state.glob(f"outbox-{name}-*.db"))
    if not found:
        raise Trouble(f"no outbox of site {name!r} in {state.resolve()}; JOULEBUS_STATE says where the bridge keeps it")
    return found


def report(path: Path, now: float) -> Iterator[str]:
    """The lines to print for one outbox."""
    devices = look(path)
    rows, size = sum(one.rows for one in devices), sum(one.bytes for one in devices)
    sent, dropped = sum(one.sent for one in devices), sum(one.dropped for one in devices)
    yield f"{path}: {rows} samples, {_size(size)}"
    yield f"  {rows - sent} wait to be sent, {sent} were sent and wait for the archive, {dropped} were dropped"
    for one in devices:
        what = f"{one.rows:>8} samples {_size(one.bytes):>10}"
        span = f"  {_moment(one.oldest)} .. {_moment(one.newest)}  oldest {about(now - one.oldest)}" if one.rows else ""
        yield f"  {one.device:<16} {what}{span}" + (f"  {one.dropped} dropped" if one.dropped else "")
    for one in devices:
        if one.rows and not one.served:
            yield (
                f"  the bridge has no device {one.device} any more: the archive is offered its {one.rows} samples"
                f" under this name, until they are {about(UNSERVED)} old"
            )
    for aside in sorted(path.parent.glob(f"{path.name}{ASIDE}*Z")):
        yield f"  {aside.name}: {_size(aside.stat().st_size)}, was damaged and set aside; nobody uses it"


def _served(db: sqlite3.Connection) -> set[str] | None:
    """The names the bridge has; None where it has not said so, as an older one does not."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'served'").fetchone() is None:
        return None
    return {name for (name,) in db.execute("SELECT device FROM served")} or None


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
