"""`joulebus battery`: how much energy each battery still has, and how much of it is lost, out of the archive."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.health import SURE_EFFICIENCY, SURE_ENERGY, Counted, Estimate, estimate, usable
from runtime.database import check_schema, engine
from runtime.history import History
from runtime.rollups import floor
from schemas.site import Site
from schemas.site_parts import Battery
from schemas.troubles import Trouble
from schemas.units import utc_now

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


async def battery(url: str, site: Site, days: float, *, as_json: bool) -> int:
    """Print it; 1 when nothing could be estimated. Raises Trouble."""
    if not site.battery:
        raise Trouble(f"{site.site} has no battery")
    end = floor(utc_now(), 900)
    database = engine(url, patience=60)
    try:
        await check_schema(database)
        found = await health(History(database), site, end - timedelta(days=days), end)
    finally:
        await database.dispose()
    if as_json:
        print(json.dumps({one.battery.name: _facts(one) for one in found}))
    else:
        print("\n".join(line for one in found for line in _words(one, days)))
    return int(all(one.found is None for one in found))


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


def _words(one: Health, days: float) -> list[str]:
    said = f"{one.battery.name}: {one.battery.energy / 1000:.1f} kWh in the site file"
    said += "" if one.soh is None else f", its BMS says SoH {one.soh:.0f} %"
    seen = f"  known of the last {days:g} days: {one.known:.0%}"
    if one.found is None:
        few = "too few stretches between rests of half an hour, or none both charged and discharged"
        return [said, f"  not estimated: {few}", seen]
    return [said, *_found(one.battery, one.found), *_used(one.battery, one.found), seen]


def _found(battery: Battery, found: Estimate) -> list[str]:
    share, twice = found.energy / battery.energy, 2 * found.efficiency_sigma
    return [
        f"  energy {found.energy / 1000:.1f} ± {2 * found.energy_sigma / 1000:.1f} kWh, {share:.0%} of the site file's",
        f"  efficiency {found.efficiency:.3f} ± {twice:.3f} each way, {battery.efficiency:.3f} in the site file",
        f"  there and back {found.round_trip:.3f}",
        f"  out of {found.stretches} stretches between rests, {found.whole} of them from one end to the other",
    ]


def _used(battery: Battery, found: Estimate) -> list[str]:
    energy, efficiency, _ = usable(battery, found)
    said = [f"  good enough for a plan: {energy / 1000:.1f} kWh and {efficiency:.3f}"]
    if found.energy_sigma > SURE_ENERGY * found.energy:
        said = [f"  the energy is not sure enough for a plan (± {2 * SURE_ENERGY:.0%}): the site file's holds"]
        if not found.whole:
            said.append(
                "  let it rest for half an hour below 12 % and above 95 % once a week: between, a BMS only counts"
            )
    if found.efficiency_sigma > SURE_EFFICIENCY:
        said.append(f"  the efficiency is not sure enough (± {2 * SURE_EFFICIENCY:.2f}): the site file's holds")
    return said


def _facts(one: Health) -> dict[str, Any]:
    """As JSON has it: Wh, from 0 to 1, and % of the SoH."""
    energy, efficiency, _ = usable(one.battery, one.found)
    found = None if one.found is None else vars(one.found) | {"round_trip": one.found.round_trip}
    site = {"energy": one.battery.energy, "efficiency": one.battery.efficiency}
    return {"known": one.known, "soh": one.soh, "found": found, "site": site} | {
        "usable": {"energy": energy, "efficiency": efficiency}
    }
