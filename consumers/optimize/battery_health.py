"""How well each battery still is, out of the archive: counted energy between rests. Loads numpy."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.health import Counted, Estimate, estimate
from runtime.history import History
from schemas.site import Site
from schemas.site_battery import Battery

QUARTER = timedelta(minutes=15)
Vector = NDArray[np.float64]


class Health(NamedTuple):
    """Of one battery."""

    battery: Battery
    known: float
    """The share of the quarters of an hour whose SoC and energies are known."""
    found: Estimate | None
    soh: float | None
    """% as its BMS says; the least of several."""


async def health(history: History, site: Site, start: datetime, end: datetime) -> list[Health]:
    """Of each battery, in the order of the site file. `start` and `end` on a quarter of an hour."""
    latest = await history.latest(site.site)
    found = list[Health]()
    for one in site.battery:
        counted = await count(history, site, one, start, end)
        told = [latest[rack][1].get("soh") for rack in one.racks if rack in latest]
        soh = min((value for value in told if isinstance(value, float)), default=None)
        found.append(Health(one, counted.known, estimate(counted, one.energy), soh))
    return found


async def count(history: History, site: Site, one: Battery, start: datetime, end: datetime) -> Counted:
    """What it gave and took, and its SoC; of several PCS the sum, of several racks the mean."""
    number = (end - start) // QUARTER
    out, into = np.zeros(number), np.zeros(number)
    for pcs in one.pcs:
        energies = await history.energies(site.site, pcs, start, end)
        out += _row(((each.at, each.out) for each in energies), start, number)
        into += _row(((each.at, each.into) for each in energies), start, number)
    socs = np.zeros(number)
    for rack in one.racks:
        buckets = await history.buckets(site.site, rack, "soc", start, end, "15m")
        socs += _row(((each.at, each.last) for each in buckets), start, number) / len(one.racks)
    return Counted(socs, into, out)


def _row(values: Iterable[tuple[datetime, float]], start: datetime, number: int) -> Vector:
    found = np.full(number, np.nan)
    for at, value in values:
        found[(at - start) // QUARTER] = value
    return found
