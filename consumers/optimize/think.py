"""From situation and past to a verified plan. The only file of the service that loads the solver."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.forecast import load_ahead, pv_ahead
from optimizer.outlook import Outlook, Vector, step_starts
from optimizer.plan import plan
from optimizer.shortage import AHEAD
from optimizer.storage import together
from optimizer.tariff import Quote, Series, quotes
from optimizer.verify import verify
from schemas.messages import Plan
from schemas.site import Site
from schemas.site_parts import Battery

HORIZON = AHEAD.total_seconds() / 3600
"""Hours."""


def think(
    situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float
) -> tuple[Plan, list[str]]:
    """The plan, and what is wrong with it."""
    outlook = look(situation, past, series, now, mono)
    found = plan(outlook, situation.ages(mono))
    return found, verify(found, outlook)


def look(situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float) -> Outlook:
    """The next hours. Raises Trouble where the market has no price."""
    site, tariff, demand = situation.site, situation.site.prices, situation.site.prices.demand
    heard = situation.batteries(mono) or site.battery
    starts = step_starts(now, HORIZON)
    most = sum(site.named(name).rated_power or 0.0 for name in dict.fromkeys(name for name, _ in site.pv_points))
    pv = pv_ahead(past.pv(), situation.pv(mono), starts, most)
    return Outlook(
        starts=starts,
        load=load_ahead(past.load(), situation.load(mono), starts, site.zone, tariff.days_off),
        pv=pv,
        inside=_inside(site, heard, pv, most),
        buy=_money(quotes(tariff.import_, starts, site.zone, series.get("import"))),
        sell=_money(quotes(tariff.export, starts, site.zone, series.get("export"), way="export")),
        soc=situation.soc(mono),
        battery=together(heard),
        grid=site.grid,
        rated=sum(site.rated(one) for one in heard),
        zone=site.zone,
        currency=tariff.currency,
        demand=demand.price if demand else 0.0,
        minutes=demand.minutes if demand else 15,
        floor=1000 * demand.floor if demand else 0.0,
        billed=max(past.billed(now, demand.minutes), situation.billing.peak) if demand else 0.0,
        imported=situation.billing.imported(starts[0]),
    )


def _inside(site: Site, batteries: Sequence[Battery], pv: Vector, most: float) -> Vector | float:
    """W of the PV that goes through the inverters of the batteries: their part of all by the ratings. `most`: W of all
    that has PV."""
    hybrids = [name for one in batteries for name in one.pcs if site.profiles[name].pv_points]
    rated = sum(site.named(name).rated_power or 0.0 for name in hybrids)
    return np.minimum(rated, pv * rated / most) if rated else 0.0


def _money(quoted: Sequence[Quote]) -> Vector:
    return np.array([one.price for one in quoted])
