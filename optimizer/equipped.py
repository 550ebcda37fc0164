"""What the site file says of batteries and reserves, put into an outlook in one call. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from optimizer.carbon import carbon_prices
from optimizer.derate import with_derate
from optimizer.outlook import Outlook
from optimizer.reserves import Kept, kept
from optimizer.storage import as_they_are, tapered
from optimizer.tariff import Series
from schemas.site import Site
from schemas.site_battery import Battery


def equipped(
    outlook: Outlook,
    site: Site,
    heard: Sequence[tuple[Battery, float]],
    *,
    allowed: tuple[float, float] = (inf, inf),
    intensity: Series | None = None,
) -> tuple[Outlook, list[Kept]]:
    """The outlook with taper, limits, derate, ramp and CO2, and the reserves to be kept in it, still apart:
    `with_reserves` puts them in, `prices` says what they cost, `lacking` what is missing.

    `heard`: the batteries that are planned for, with the SoC of each in %. `allowed`: W at the meter that all BMS
    allow now, charging and discharging. `intensity`: g per kWh of the site's file, where it has one."""
    batteries, socs = [one for one, _ in heard], [soc for _, soc in heard]
    rated = [site.rated(one) for one in batteries]
    storage = replace(outlook.battery, taper=tapered(batteries, rated))
    found = replace(
        outlook,
        battery=as_they_are(storage, batteries, rated, socs),
        allowed_charge=_limited([one.charge_limit for one in batteries], rated),
        allowed_discharge=_limited([one.discharge_limit for one in batteries], rated),
        ramp=sum(one.ramp for one in batteries),
        carbon=carbon_prices(site.carbon, intensity, outlook.starts),
    )
    found = with_derate(found, *allowed)
    return found, kept(found, site.reserves, site.plan.backup_minutes)


def _limited(limits: Sequence[float | None], rated: Sequence[float]) -> float:
    """W of all together, of which each has its owner's limit or its rating."""
    return sum(most if limit is None else min(limit, most) for limit, most in zip(limits, rated, strict=True))
