"""`joulebus battery`: how much energy each battery still has, and how much of it is lost, out of the archive."""

import json
from datetime import timedelta
from typing import Any

from consumers.optimize.battery_health import Health, health
from joulebus.archive_read import reading
from optimizer.health import SURE_EFFICIENCY, SURE_ENERGY, Estimate, usable
from runtime.history import History
from runtime.rollups import floor
from schemas.site import Site
from schemas.site_battery import Battery
from schemas.troubles import Trouble
from schemas.units import utc_now


async def battery(url: str, site: Site, days: float, *, as_json: bool) -> int:
    """Print it; 1 when nothing could be estimated. Raises Trouble."""
    if not site.battery:
        raise Trouble(f"{site.site} has no battery")
    end = floor(utc_now(), 900)
    async with reading(url, site.site) as database:
        found = await health(History(database), site, end - timedelta(days=days), end)
    if as_json:
        print(json.dumps({one.battery.name: _facts(one) for one in found}))
    else:
        print("\n".join(line for one in found for line in _words(one, days)))
    return int(all(one.found is None for one in found))


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
