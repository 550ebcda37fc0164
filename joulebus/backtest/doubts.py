"""What was played as it is written, and can hardly be meant: W in load_kw, cents for a price. Pure.

A doubt refuses nothing: a small battery at a large site is played, and so is money of large numbers. Every bound lies
where a factor of a hundred or a thousand explains it (`schemas/magnitudes.py`).
"""

from collections.abc import Iterator

import numpy as np

from joulebus.backtest.score import Played
from joulebus.backtest.site import WIDE, Terms
from optimizer.record import QUARTER
from schemas.magnitudes import DEAREST_KWH, FASTEST, LIKE_EURO, OVER, SLOWEST, odd_rates

TIMES = 100.0
"""Of the battery's power: a larger mean load was given in W, and a battery so much larger than all there is, too."""
LEAP = 20.0
"""Times what 98 % of the quarters stay below: a register's 65535, where it is as rare as FEW."""
FEW = 2
"""Quarters."""


def doubts(terms: Terms, played: Played) -> list[str]:
    """Each with what would be right."""
    return [*_sizes(terms, played), *_spikes(played), *_battery(terms, played), *_money(terms, played)]


def _sizes(terms: Terms, played: Played) -> Iterator[str]:
    """Load and PV against battery, connection and each other."""
    load, highest, pv = (float(one) / 1000 for one in (played.load.mean(), played.load.max(), played.pv.max()))
    right = "are load_kw and pv_kw in W? Then divide them by 1000"
    limit = terms.grid.import_limit / 1000
    if terms.battery and load > TIMES * terms.rated / 1000:
        of = f"{load / (terms.rated / 1000):.0f} times the {terms.rated / 1000:g} kW of the battery"
        yield f"load_kw is {load:,.0f} in the mean, {of}: {right}"
    elif terms.grid.import_limit < WIDE and load > OVER * limit:
        yield f"load_kw is {load:,.0f} in the mean, {load / limit:.0f} times the import limit of {limit:g} kW: {right}"
    if load > 0 and pv > TIMES * highest:
        of = f"{pv / highest:.0f} times the highest load"
        yield f"pv_kw is {pv:,.0f} at most, {of}: is it in W, and the load in kW? Then divide it by 1000"


def _spikes(played: Played) -> Iterator[str]:
    """One value that makes the bill of a month by itself."""
    for name, values in (("load_kw", played.load), ("pv_kw", played.pv)):
        usual, place = float(np.quantile(values, 0.98)), int(np.argmax(values))
        if usual > 0 and 0 < np.count_nonzero(values > LEAP * usual) <= FEW:
            at = played.start + place * QUARTER
            of = f"{values[place] / usual:.0f} times what is usual at most"
            words = "if it was not measured, leave its cell empty"
            yield f"{name} is {values[place] / 1000:,.1f} at {at:%Y-%m-%dT%H:%MZ}, {of}: {words}"


def _battery(terms: Terms, played: Played) -> Iterator[str]:
    battery, power = terms.battery, terms.rated / 1000
    if battery is None:
        return
    most, energy = float(max(played.load.max(), played.pv.max())) / 1000, battery.energy / 1000
    if 0 < TIMES * most < power:
        yield (
            f"the battery's {power:,.0f} kW are {power / most:.0f} times the highest load or PV: "
            f"--battery-kw is in kW, and load_kw too"
        )
    elif not SLOWEST <= power / energy <= FASTEST:
        hours = f"{energy / power:.3g} hours at {power:,g} kW"
        yield f"the battery's {energy:,g} kWh are {hours}: --battery-kw is in kW and --battery-kwh in kWh"
    if 0 < battery.soc_min < 1:
        yield f"the least SoC is {battery.soc_min:g} %: of a part of 1 write {100 * battery.soc_min:g}"


def _money(terms: Terms, played: Played) -> Iterator[str]:
    """In a currency of which no kWh costs more than a few."""
    currency = terms.tariff.currency
    if currency not in LIKE_EURO:
        return
    other = 'Money of larger numbers has a site file: currency = "HUF" in its tariff'
    for way, prices in (("import", played.buy), ("export", played.sell)):
        price = float(np.median(np.abs(prices)))
        if price > DEAREST_KWH:
            right = f"of {price:g} cents write {price / 100:g}, of {price:g} per MWh {price / 1000:g}"
            yield f"the {way} price is {price:g} {currency} per kWh in the median: {right}. {other}"
    for demand in terms.tariff.components:
        for _, words in odd_rates(demand):
            yield f"the demand price {words}"
    if terms.battery and terms.battery.wear >= 1:
        wear = terms.battery.wear
        yield f"the wear is {wear:g} {currency} per kWh: of {wear:g} cents write {wear / 100:g}"
