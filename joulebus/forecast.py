"""`joulebus archive status --forecast`: how large the archive becomes, and whether the disk holds it, for people."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive import growth
from consumers.archive.growth import Line, Measured
from joulebus.ledger import table_bytes
from runtime.database import check_schema, engine
from schemas.retention import KEEPING
from schemas.site import Site
from schemas.tables import metadata
from schemas.troubles import Trouble
from schemas.units import utc_now

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Disk:
    """Bytes free where the archive lies, None where nobody tells; the day on which it is full, if it will be."""

    free: int | None
    full: datetime | None
    now: datetime


async def tell(url: str, site: Site, *, as_json: bool) -> int:
    """Print the bound of each table, their sum and the day on which the disk is full; 1 when it fills up.

    Without an archive the site file alone is asked: what it would become.
    """
    now = utc_now()
    database = engine(url, patience=60)
    server = database.dialect.name != "sqlite"
    try:
        measured = await _measured(database, site.site, now)
        missing = ""
    except Trouble as trouble:
        measured, missing = {}, str(trouble)
    finally:
        await database.dispose()
    steps = round(site.plan.hours * 60 / site.plan.step_minutes)
    told = growth.rates(growth.sources(site), commanded(site), len(site.loads), server=server, steps=steps)
    told = {name: rate for name, rate in told.items() if name in metadata.tables}
    lines = growth.forecast(told, site.retention, measured)
    free = None if server else _free(database.url.database or "")
    disk = Disk(free, None if free is None else growth.full_on(lines, free, now), now)
    if as_json:
        print(_json(lines, disk))
    else:
        if missing:
            print(f"from {site.site}'s site file alone: {missing}")
        print("\n".join(_words(lines, site, disk)))
    return int(disk.full is not None)


def _free(file: str) -> int:
    return shutil.disk_usage(Path(file).absolute().parent).free


def commanded(site: Site) -> int:
    """How many devices get commands."""
    return 0 if site.mode == "read_only" else len(site.pcs) + len(site.pv_limited)


async def _measured(database: AsyncEngine, site: str, now: datetime) -> dict[str, Measured]:
    """Rows and bytes of each table, and the rows of this site on the last whole day. Raises Trouble without any."""
    await check_schema(database)
    async with database.connect() as connection:
        return {table.name: await _table(connection, table, site, now) for table in metadata.sorted_tables}


async def _table(connection: AsyncConnection, table: Any, site: str, now: datetime) -> Measured:  # noqa: ANN401
    at = table.c[KEEPING[table.name].at]
    rows, oldest = (await connection.execute(select(func.count(), func.min(at)))).one()
    mine = [table.c.site == site] if "site" in table.c else []
    recent = select(func.count()).select_from(table).where(*mine, at >= now - DAY, at < now)
    # what comes now and then is assumed as long as no whole day was seen
    last = (await connection.execute(recent)).scalar_one() if oldest is not None and oldest < now - DAY else None
    return Measured(rows, await table_bytes(connection, table.name), last or None)


def _words(lines: list[Line], site: Site, disk: Disk) -> Iterable[str]:
    yield f"{'table':16} {'rows a day':>12} {'bytes a row':>12} {'kept':>10} {'at most':>12} {'now':>12}"
    for one in lines:
        kept = "for ever" if not one.days else f"{one.days:.0f} days" if one.days >= 1 else f"{24 * one.days:.0f} h"
        most = _size(one.bound) if isfinite(one.bound) else f"{_size(one.per_day * 365)} a year"
        yield (
            f"{one.table:16} {one.rows_per_day:12.0f} {one.bytes_per_row:12.0f} {kept:>10} {most:>12} "
            f"{_size(one.filled):>12}"
        )
    bound, filled = growth.total(lines), sum(one.filled for one in lines)
    most = f"never more than {_size(bound)}" if isfinite(bound) else "grow for ever"
    yield f"all together {most}, now {_size(filled)}"
    if disk.free is None:
        yield "how much its disk has left only the database's server knows"
    elif disk.full is None:
        yield f"the disk has {_size(disk.free)} left: that is enough"
    else:
        day, ahead = f"{disk.full.astimezone(site.zone):%Y-%m-%d}", (disk.full - disk.now).days
        yield f"the disk has {_size(disk.free)} left: it is full on {day}, in {ahead} days; keep less, see [retention]"


def _size(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.1f} MB"


def _json(lines: list[Line], disk: Disk) -> str:
    def _finite(value: float) -> float | None:
        return value if isfinite(value) else None

    told = {
        "tables": [asdict(one) | {"bound": _finite(one.bound)} for one in lines],
        "bound": _finite(growth.total(lines)),
        "free": disk.free,
        "full_on": disk.full.isoformat() if disk.full else None,
    }
    return json.dumps(told)
