"""The price files of a site, opened for `joulebus check`: what stands in them, until when, and what looks mistyped."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

from consumers.optimize.price_sources import wanted
from consumers.optimize.prices import files_of, read_published
from optimizer.price_documents.areas import EIC, eic
from optimizer.price_documents.wanted import Wanted
from optimizer.published import Published, Row, Stated, stated
from optimizer.shortage import shortages
from optimizer.tariff import Series
from schemas.magnitudes import DEAREST_KWH, LIKE_EURO, Odd
from schemas.site import Site
from schemas.troubles import Trouble

CHEAPEST = 0.01
"""EUR per kWh: no market stays below for days; a file in EUR/kWh or ct/kWh does, when it is read as EUR/MWh."""
ENOUGH = 24
"""So many prices say something of their unit."""
LOWEST, HIGHEST = -0.6, 6.0
"""EUR per kWh: the coupled day-ahead market stops at -0.5 and, since 2022, at 4 or 5."""
SHOWN = 3
"""Of several of one kind; the others are counted."""


def look(site: Site, now: datetime) -> tuple[list[str], list[Odd]]:
    """What stands in each price file, in lines, and warnings with their place in the tariff. Raises Trouble with a line
    for each that is not there, cannot be read or has no price."""
    lines, warnings, series, wrongs = list[str](), list[Odd](), dict[str, Series](), list[str]()
    read = dict[tuple[Path, Wanted], tuple[Published, str, list[str]]]()  # import and export often share a file
    for place, rule in site.prices.markets.items():
        if rule.file:
            path = site.price_files[place]
            file = path, wanted(site, rule)
            if file not in read:
                try:
                    published = _read(site, place, *file)
                except Trouble as wrong:
                    wrongs += str(wrong).splitlines()
                    continue
                seen = _span(site, published, now), [*_units(site, path, published), *_holes(site, published)]
                read[file] = published, *seen
            published, span, odd = read[file]
            lines.append(f"{place:<10} prices of {path.name}: {span}")
            warnings += [
                (f"{place}.day_ahead.file", f"{path.name}{'' if one[:1] == ':' else ': '}{one}") for one in odd
            ]
            if not (rule.topic or rule.fetch):
                series[place] = published.series
        if rule.topic or rule.fetch:
            lines.append(f"{place:<10} prices of {rule.sources}")
        if rule.fetch and rule.fetch.from_ == "entsoe" and not eic(rule.area):
            known = ", ".join(EIC)
            warnings.append((f"{place}.day_ahead.area", f"{rule.area} is no bidding zone: write its EIC, or {known}"))
    if wrongs:
        raise Trouble("\n".join(dict.fromkeys(wrongs)))  # import and export may share one
    return lines, warnings + (_short(site, series, now) if series else [])


def _read(site: Site, place: str, path: Path, of: Wanted) -> Published:
    where = f"{site.tariff_path}: {place}.day_ahead.file"
    if not files_of(path):
        raise Trouble(f"{where}: {path} does not exist")
    published, form = read_published(path, of)
    if not published.series.starts:
        raise Trouble(f"{where}: {path} has no price; it was read as {form}")
    return published


def _short(site: Site, series: dict[str, Series], now: datetime) -> list[Odd]:
    try:
        found = shortages(site.prices, series, now, site.zone)
        return [(one.words.partition(" ")[0] + ".day_ahead", one.words) for one in found if one.urgent]
    except Trouble as wrong:  # older than any price that could be borrowed
        return [(f"{next(iter(series))}.day_ahead", str(wrong))]


def _span(site: Site, published: Published, now: datetime) -> str:
    starts, prices = published.series.starts, [1000 * price for price in published.series.prices]
    first, last = (at.astimezone(site.zone) for at in (starts[0], starts[-1]))
    below = sum(price < 0 for price in prices)
    more = [
        f"{below} negative" if below else "",
        f"{published.corrected} corrected by a later row" if published.corrected else "",
        f"{published.repeated} repeated" if published.repeated else "",
        _left_out(site, published),
        _ends(published.series, now),
    ]
    range_ = f"{min(prices):.2f} to {max(prices):.2f} {site.prices.currency}/MWh"
    return ", ".join(
        [
            f"{len(starts)} prices from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}",
            range_,
            *(one for one in more if one),
        ]
    )


def _ends(series: Series, now: datetime) -> str:
    left = (series.end or now) - now
    if left > timedelta(days=7):
        return ""
    long = f"{abs(left) / timedelta(hours=1):.0f} h" if abs(left) < timedelta(days=3) else f"{abs(left).days} days"
    return f"they end in {long}" if left > timedelta() else f"they ended {long} ago"


def _left_out(site: Site, published: Published) -> str:
    """What the curve leaves out because it equals the price before."""
    series = published.series
    if isinstance(series, Stated):
        return ""
    holes = [one + series.hold for one, two in pairwise(series.starts) if two - one > series.hold]
    held = sum(series.carried(at, site.zone) is not None for at in holes)
    return f"{held} times the price before holds on in a hole of its day" if held else ""


def _holes(site: Site, published: Published) -> Iterator[str]:
    """Times without a price between others."""
    rows = stated(published.series, site.zone)
    holes = [(one.end, two.start) for one, two in pairwise(rows) if one.end is not None and one.end < two.start]
    for begin, end in holes[:SHOWN]:
        span = f"from {begin.astimezone(site.zone):%Y-%m-%d %H:%M} to {end.astimezone(site.zone):%Y-%m-%d %H:%M}"
        yield f"{(end - begin) / timedelta(hours=1):g} h are missing, {span}: put in the rows, or get the days anew"
    if len(holes) > SHOWN:
        yield f"and {len(holes) - SHOWN} more holes"


def _units(site: Site, path: Path, published: Published) -> Iterator[str]:
    rows = published.rows
    middle = median(abs(row.price) for row in rows)
    if site.prices.currency not in LIKE_EURO:
        return
    if len(rows) >= ENOUGH and (middle < CHEAPEST or middle > DEAREST_KWH):
        read = f"its prices are about {middle:.4g} {site.prices.currency} per kWh"
        yield f"{read}: name the column by its unit, price_eur_per_mwh, price_eur_per_kwh or price_ct_per_kwh"
        return
    yield from _far_off(path, [row for row in rows if not LOWEST <= row.price <= HIGHEST], site.prices.currency)


def _far_off(path: Path, rows: Sequence[Row], currency: str) -> Iterator[str]:
    """Single prices that no market has: of another unit, or with a point that was lost."""
    for row in rows[:SHOWN]:
        where = f":{row.line}: " if row.line and path.is_file() else f"{row.place} " if row.place else ""
        unit = "MWh, outside of what the market allows; the other prices are not: is a decimal point lost?"
        yield f"{where}{row.start:%Y-%m-%d %H:%M}Z has {1000 * row.price:g} {currency} per {unit}"
    if len(rows) > SHOWN:
        yield f"and {len(rows) - SHOWN} more such prices"
