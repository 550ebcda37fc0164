"""A site's own archive as the data.csv of a backtest: what was measured, and what the battery did."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

from optimizer.storage import together
from runtime.database import check_schema, engine
from runtime.history import History
from runtime.money_rows import MoneyQuarter
from schemas.site import Site
from schemas.troubles import Trouble

HISTORY = timedelta(days=186)
"""So far back the planner learns."""
COLUMNS = (
    "timestamp_utc", "load_kw", "pv_kw", "battery_kw", "discharged_kw", "import_kw", "export_kw", "drawn_kw",
    "soc_percent",
)  # fmt: skip
PER_HOUR = 4
"""Quarters."""


async def write(url: str, site: Site, start: datetime, end: datetime, path: Path) -> int:
    """The quarters before `end` with the history before `start`, as the ledger of the archive counts them; how many.

    Raises Trouble where there are none.
    """
    database = engine(url, patience=60)
    try:
        await check_schema(database)
        history = History(database)
        quarters = await history.money(site.site, start - HISTORY, end)
        socs = await _socs(history, site, start - HISTORY, end)
        given = await _given(history, site, start - HISTORY, end)
    finally:
        await database.dispose()
    if not any(start <= one.at for one in quarters):
        raise Trouble(
            f"the archive of {site.site} has no priced quarter of an hour from {start.astimezone(site.zone):%Y-%m-%d} "
            f"on: the archive prices one some minutes after it is over; `joulebus money` says which days it has"
        )
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(_row(one, given.get(one.at), socs.get(one.at)) for one in quarters)
    return len(quarters)


def _row(one: MoneyQuarter, given: float | None, soc: float | None) -> list[str]:
    known = one.pv is not None and one.battery is not None
    load = max(0.0, one.imported - one.exported + (one.pv or 0.0) + (one.battery or 0.0)) if known else None
    energies = load, one.pv, one.battery, given, one.imported, one.exported, one.drawn
    kilowatts = [None if energy is None else energy * PER_HOUR / 1000 for energy in energies]
    cells = [*("" if power is None else f"{power:.6f}" for power in kilowatts), "" if soc is None else f"{soc:.4f}"]
    return [f"{one.at:%Y-%m-%dT%H:%M:%SZ}", *cells]


async def _given(history: History, site: Site, start: datetime, end: datetime) -> dict[datetime, float]:
    """Wh that all batteries gave in each quarter in which that is known, without what they took meanwhile; each weighed
    by its wear, where that differs: it is what wears them."""
    found, mean = defaultdict[datetime, list[float]](list), together(site.battery).wear if site.battery else 0.0
    for one in site.battery:
        weight = one.wear / mean if mean else 1.0
        for pcs in one.pcs:
            for quarter in await history.energies(site.site, pcs, start, end):
                found[quarter.at].append(quarter.out * weight)
    return {at: sum(each) for at, each in found.items() if len(each) == len(site.pcs)}


async def _socs(history: History, site: Site, start: datetime, end: datetime) -> dict[datetime, float]:
    """% of all batteries together at the end of each quarter; of those quarters in which every rack has told."""
    found = defaultdict[datetime, list[tuple[float, float]]](list)
    racks: Sequence[tuple[str, float]] = [
        (rack, one.energy / len(one.racks)) for one in site.battery for rack in one.racks
    ]
    for rack, energy in racks:
        for bucket in await history.buckets(site.site, rack, "soc", start, end, "15m"):
            found[bucket.at].append((bucket.last, energy))
    whole = sum(energy for _, energy in racks)
    return {
        at: fmean(soc for soc, _ in each) if not whole else sum(soc * energy for soc, energy in each) / whole
        for at, each in found.items()
        if len(each) == len(racks)
    }
