"""From situation and past to a verified plan. The only file of the service that loads the solver."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.demand import charged, known_peak
from optimizer.forecast import load_ahead, pv_ahead
from optimizer.outlook import Outlook, Vector, step_starts
from optimizer.plan import plan
from optimizer.shortage import AHEAD
from optimizer.storage import together
from optimizer.tariff import Quote, Series, quotes
from optimizer.verify import verify
from schemas.messages import Plan

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
    ahead = Outlook(
        starts=starts,
        load=load_ahead(past.load(), situation.load(mono), starts, site.zone, tariff.days_off),
        pv=pv_ahead(past.pv(), situation.pv(mono), starts, most),
        buy=_money(quotes(tariff.import_, starts, site.zone, series.get("import"))),
        sell=_money(quotes(tariff.export, starts, site.zone, series.get("export"), way="export")),
        soc=situation.soc(mono),
        battery=together(heard),
        grid=site.grid,
        rated=sum(site.rated(one) for one in heard),
        zone=site.zone,
        currency=tariff.currency,
        imported=situation.billing.imported(starts[0]),
    )
    if demand is None:
        return ahead
    minutes, how = demand.minutes, charged(demand)
    return replace(
        ahead,
        demand=demand.price,
        minutes=minutes,
        how=how,
        floor=1000 * demand.floor,
        billed=max(past.billed(now, minutes, how), situation.billing.peak, known_peak(demand, now, site.zone)),
        expected=past.expected(now, minutes, ahead.battery, ahead.rated),
    )


def _money(quoted: Sequence[Quote]) -> Vector:
    return np.array([one.price for one in quoted])
