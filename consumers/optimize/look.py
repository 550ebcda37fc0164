"""From situation and past to an outlook: forecasts, prices, what is billed, what the batteries and the site's rules
allow. Loads numpy: only the planning thread imports it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

import numpy as np

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.charge import highest
from optimizer.equipped import equipped
from optimizer.forecast.prices import with_forecasts
from optimizer.grid_bounds import bounds, holding
from optimizer.outlook import Outlook, Vector, step_starts
from optimizer.record import QUARTER
from optimizer.reserves import Kept, with_reserves
from optimizer.rules.ahead import Foreseen, foreseen
from optimizer.rules.facts import Quarters, quarter_of
from optimizer.storage import together
from optimizer.tariff import Quote, Series, Source, quotes
from optimizer.windows import Charge
from schemas.messages import HeldLimit
from schemas.site import Site
from schemas.site_battery import Battery
from schemas.tariff import Demand

REACH = timedelta(hours=25)
"""Beyond the last step prices are forecast: rules look at the whole day that it lies in."""


@dataclass(frozen=True)
class Sight:
    """What a plan is made from."""

    bare: Outlook
    """Without what is kept for reserves."""
    kept: Sequence[Kept]
    """The reserves."""

    @property
    def outlook(self) -> Outlook:
        """With them."""
        return with_reserves(self.bare, self.kept)


def look(situation: Situation, past: Past, series: Mapping[str, Series], now: datetime, mono: float) -> Sight:
    """The next hours. Raises Trouble where the market has no price."""
    site, tariff = situation.site, situation.site.prices
    heard = situation.as_worn(situation.batteries(mono) or site.battery)
    starts = step_starts(now, site.plan.hours, site.plan.step_minutes)
    past.learning.judge(series)
    series = with_forecasts(tariff, series, starts[-1] + REACH, site.zone)
    buy = quotes(tariff.import_, starts, site.zone, series.get("import"), every=series)
    sell = quotes(tariff.export, starts, site.zone, series.get("export"), way="export", every=series)
    held = [holding(site, situation.held, at) for at in starts]
    most = sum(_rated(site).values())
    record = past.record()
    ahead = past.learning.ahead(record, now, starts, situation.rest(mono), situation.pv(mono))
    sun = np.minimum(ahead.pv, most)
    outlook = Outlook(
        starts=starts,
        load=ahead.load,
        pv=_limited(site, sun, held),
        free=_free(site) * sun,
        inside=_inside(site, heard, sun, most),
        buy=_money(buy),
        sell=_money(sell),
        prices_until=_known_until(starts, buy, sell),
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
        minutes=site.plan.step_minutes,
    )
    socs = [(one, situation.soc_of(one, mono)) for one in heard]
    outlook, kept = equipped(outlook, site, socs, allowed=situation.allowed(mono), intensity=situation.intensity)
    return Sight(_ruled(outlook, situation, series, past, mono), kept)


def _charge(component: Demand, situation: Situation, past: Past, now: datetime) -> Charge:
    """What a plan knows of a demand: peaks that are measured or known, what is expected, and the window that runs."""
    site, billing = situation.site, situation.billing
    peaks = highest(component, billing.made(component.name, now), now, site.zone)
    # of all batteries: one that is silent for some minutes makes no peak of a month or a year
    battery = together(situation.as_worn(site.battery))
    return Charge(
        component,
        peaks,
        expected=past.expected(now, component.minutes, battery, site.rated_power, component),
        imported=billing.imported(now, component.name),
        daily=past.daily_peaks(now, battery, site.rated_power, component),
        alone=past.alone(now, component),
    )


def _ruled(outlook: Outlook, situation: Situation, series: Mapping[str, Series], past: Past, mono: float) -> Outlook:
    """With what the rules of the site will limit, as far as it can be foreseen."""
    site, holding = situation.site, situation.holding(mono)
    if not site.rules:
        return outlook
    quarters = _quarters(outlook, site, series, past)
    found = foreseen(site.rules, outlook.starts, quarters, site.zone, site.prices.days_off, holding=holding)
    energy, battery = outlook.battery.energy / 100, outlook.battery
    least, most = found.soc_min(battery), found.soc_max(battery)
    return replace(
        outlook,
        held=_beside(outlook, found),
        floor=np.maximum(outlook.floor, np.where(least > battery.soc_min, least * energy, 0.0)),
        ceiling=np.minimum(outlook.ceiling, np.where(most < battery.soc_max, most * energy, np.inf)),
        allowed_charge=np.minimum(outlook.allowed_charge, found.charge(outlook.rated)),
        allowed_discharge=np.minimum(outlook.allowed_discharge, found.discharge(outlook.rated)),
    )


def _beside(outlook: Outlook, found: Foreseen) -> list[list[HeldLimit]]:
    before: Sequence[Sequence[HeldLimit]] = outlook.held or [()] * len(outlook.starts)
    return [[*held, *wished] for held, wished in zip(before, found.held(), strict=True)]


def _quarters(outlook: Outlook, site: Site, series: Mapping[str, Series], past: Past) -> Quarters:
    """Prices and PV of the whole local days of the steps: what is over of today, too."""
    first = outlook.now.astimezone(site.zone).date()
    last = outlook.end.astimezone(site.zone).date() + timedelta(days=1)
    begin, end = (datetime.combine(day, time(), site.zone).astimezone(UTC) for day in (first, last))
    every = [begin + number * QUARTER for number in range((end - begin) // QUARTER)]
    tariff = site.prices
    buy = quotes(tariff.import_, every, site.zone, series.get("import"), every=series)
    sell = quotes(tariff.export, every, site.zone, series.get("export"), way="export", every=series)
    sun = {at: power for at, power in past.pv() if begin <= at < end}
    sun |= {quarter_of(at): float(power) for at, power in zip(outlook.starts, outlook.pv, strict=True)}
    return Quarters(
        {at: one.price for at, one in zip(every, buy, strict=True)},
        {at: one.price for at, one in zip(every, sell, strict=True)},
        sun,
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


def _known_until(starts: Sequence[datetime], *quoted: Sequence[Quote]) -> datetime | None:
    """The first step with a price that is forecast."""
    told = (Source.FORECAST in (one.source for one in each) for each in zip(*quoted, strict=True))
    return next((at for at, yes in zip(starts, told, strict=True) if yes), None)


def _money(quoted: Sequence[Quote]) -> Vector:
    return np.array([one.price for one in quoted])
