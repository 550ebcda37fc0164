"""From situation and past to a verified plan. The only file of the service that loads the solver."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.charge import highest
from optimizer.grid_bounds import bounds, end, holding, in_words
from optimizer.limit_shortage import beyond
from optimizer.outlook import Outlook, Vector, step_starts
from optimizer.plan import plan
from optimizer.shortage import AHEAD
from optimizer.storage import together
from optimizer.tariff import Quote, Series, quotes
from optimizer.verify import verify
from optimizer.windows import Charge
from schemas.messages import HeldLimit, Plan
from schemas.site import Site
from schemas.site_parts import Battery
from schemas.tariff import Demand

HORIZON = AHEAD.total_seconds() / 3600
"""Hours."""


def think(
    situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float
) -> tuple[Plan, list[str]]:
    """The plan, and what is wrong with it."""
    outlook = look(situation, past, series, now, mono)
    found = plan(outlook, situation.ages(mono))
    narrow = [one for one in situation.held if bounds(outlook.grid, [one]) != bounds(outlook.grid, [])]
    limits = [f"{in_words(one)}{_until(situation.site, one)}" for one in narrow]
    short = beyond(outlook, [step.grid for step in found.steps])
    found = found.model_copy(update={"limits": limits, "shortage": short})
    return found, verify(found, outlook)


def _until(site: Site, one: HeldLimit) -> str:
    over = end(site, one)
    return "" if over is None else f", until {over.astimezone(site.zone):%d %b %H:%M}"


def look(situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float) -> Outlook:
    """The next hours. Raises Trouble where the market has no price."""
    site, tariff = situation.site, situation.site.prices
    heard = situation.batteries(mono) or site.battery
    starts = step_starts(now, HORIZON)
    held = [holding(site, situation.held, at) for at in starts]
    most = sum(_rated(site).values())
    record = past.record()
    model = past.learning.current(record, now)
    ahead = model.ahead(record, starts, situation.load(mono), situation.pv(mono))
    sun = np.minimum(ahead.pv, most)
    return Outlook(
        starts=starts,
        load=ahead.load,
        pv=_limited(site, sun, held),
        free=_free(site) * sun,
        inside=_inside(site, heard, sun, most),
        buy=_money(quotes(tariff.import_, starts, site.zone, series.get("import"), every=series)),
        sell=_money(quotes(tariff.export, starts, site.zone, series.get("export"), way="export", every=series)),
        soc=situation.soc(mono),
        battery=together(heard),
        grid=site.grid,
        rated=sum(site.rated(one) for one in heard),
        zone=site.zone,
        currency=tariff.currency,
        charges=[_charge(one, situation, past, starts[0]) for one in tariff.components if one.rate or one.contract],
        held=held if situation.held else (),
        curtails=bool(site.pv_limited),
        spread=ahead.spread,
    )


def _charge(component: Demand, situation: Situation, past: Past, now: datetime) -> Charge:
    """What a plan knows of a demand: peaks that are measured or known, what is expected, and the window that runs."""
    site, billing = situation.site, situation.billing
    peaks = highest(component, billing.made(component.name, now), now, site.zone)
    return Charge(
        component,
        peaks,
        # of all batteries: one that is silent for some minutes makes no peak of a month or a year
        expected=past.expected(now, component.minutes, together(site.battery), site.rated_power, component),
        imported=billing.imported(now, component.name),
    )


def _rated(site: Site) -> dict[str, float]:
    """W of each device that has PV."""
    return {name: site.named(name).rated_power or 0.0 for name, _ in site.pv_points}


def _limited(site: Site, pv: Vector, held: Sequence[Sequence[HeldLimit]]) -> Vector:
    """The PV forecast under the limits of the PV itself: they are kept by those inverters that can be limited."""
    if not site.pv_limited:
        return pv
    most = np.array([bounds(site.grid, each).pv for each in held])
    return np.asarray(np.minimum(pv, np.maximum(most, _free(site) * pv)))


def _free(site: Site) -> float:
    """The part of the PV that nobody can limit, by the ratings."""
    rated, mine = _rated(site), {one.name for one in site.pv_limited}
    return sum(power for name, power in rated.items() if name not in mine) / (sum(rated.values()) or 1.0)


def _inside(site: Site, batteries: Sequence[Battery], pv: Vector, most: float) -> Vector | float:
    """W of the PV that goes through the inverters of the batteries: their part of all by the ratings. `most`: W of all
    that has PV."""
    hybrids = [name for one in batteries for name in one.pcs if site.profiles[name].pv_points]
    rated = sum(site.named(name).rated_power or 0.0 for name in hybrids)
    return np.minimum(rated, pv * rated / most) if rated else 0.0


def _money(quoted: Sequence[Quote]) -> Vector:
    return np.array([one.price for one in quoted])
