"""The price files of a site, opened for `joulebus check`: what stands in them, until when, and what looks mistyped."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from statistics import median

from consumers.optimize.prices import read_published
from optimizer.published import Published
from optimizer.shortage import shortages
from optimizer.tariff import Series
from schemas.magnitudes import DEAREST_KWH, LIKE_EURO
from schemas.site import Site
from schemas.troubles import Trouble

CHEAPEST = 0.01
"""EUR per kWh: no market stays below for days; a file in EUR/kWh or ct/kWh does, when it is read as EUR/MWh."""
ENOUGH = 24
"""So many prices say something of their unit."""


def look(site: Site, now: datetime) -> tuple[list[str], list[str]]:
    """What stands in each price file, in lines, and warnings. Raises Trouble for one that is not there, cannot be read
    or has no price."""
    lines, warnings, series = list[str](), list[str](), dict[str, Series]()
    for side, path in site.price_files.items():
        if not path.is_file():
            raise Trouble(f"{site.tariff_path}: {side}.day_ahead.file: {path} does not exist")
        published, _ = read_published(path)
        if not published.series.starts:
            raise Trouble(f"{site.tariff_path}: {side}.day_ahead.file: {path} has no price")
        series[side] = published.series
        lines.append(f"{side:<10} prices of {path.name}: {_span(site, published)}")
        warnings += [f"{side}.day_ahead.file: {path.name}: {words}" for words in _units(site, published)]
    return lines, warnings + (_short(site, series, now) if series else [])


def _short(site: Site, series: dict[str, Series], now: datetime) -> list[str]:
    try:
        return [one.words for one in shortages(site.prices, series, now, site.zone) if one.urgent]
    except Trouble as wrong:  # older than any price that could be borrowed
        return [str(wrong)]


def _span(site: Site, published: Published) -> str:
    starts, prices = published.series.starts, [1000 * price for price in published.series.prices]
    first, last = (at.astimezone(site.zone) for at in (starts[0], starts[-1]))
    below = sum(price < 0 for price in prices)
    more = [
        f"{below} negative" if below else "",
        f"{published.corrected} corrected by a later row" if published.corrected else "",
        f"{published.repeated} repeated" if published.repeated else "",
        _left_out(site, published),
    ]
    range_ = f"{min(prices):.2f} to {max(prices):.2f} {site.prices.currency}/MWh"
    return ", ".join(
        [
            f"{len(starts)} prices from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}",
            range_,
            *(one for one in more if one),
        ]
    )


def _left_out(site: Site, published: Published) -> str:
    """What the curve leaves out because it equals the price before."""
    series = published.series
    holes = [one + series.hold for one, two in pairwise(series.starts) if two - one > series.hold]
    held = sum(series.carried(at, site.zone) is not None for at in holes)
    return f"{held} times the price before holds on in a hole of its day" if held else ""


def _units(site: Site, published: Published) -> Iterator[str]:
    middle = median(abs(price) for price in published.series.prices)
    if site.prices.currency not in LIKE_EURO or len(published.series.prices) < ENOUGH:
        return
    if middle < CHEAPEST or middle > DEAREST_KWH:
        read = f"its prices are about {middle:.4g} {site.prices.currency} per kWh"
        yield f"{read}: name the column by its unit, price_eur_per_mwh, price_eur_per_kwh or price_ct_per_kwh"
