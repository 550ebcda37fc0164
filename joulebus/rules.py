"""`joulebus rules`: the rules of a site in words; `joulebus rules try`: what they would have done in the past."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from joulebus.archive_read import reading
from joulebus.export import moment
from joulebus.market_prices import MarketPrices
from joulebus.rules_past import Archive, moments, read
from joulebus.rules_words import report
from optimizer.rules.effect import Money, money
from optimizer.rules.replay import Plant, Replay, replay
from optimizer.rules.words import in_words
from optimizer.storage import together
from optimizer.tariff import Series
from runtime.history import History
from runtime.prices_told import PricesTold
from runtime.settings import Settings
from schemas.shape import Shape
from schemas.site import Site
from schemas.site_rules import WrittenRule
from schemas.toml_file import read_toml
from schemas.troubles import Trouble, Usage, point_at
from schemas.units import utc_now


class Wish(NamedTuple):
    """As it was typed."""

    site: Path
    start: str = ""
    end: str = ""
    rule: str = ""
    """The only one that is tried."""
    file: Path | None = None
    """Rules in place of the site file's."""


class RulesFile(Shape):
    """A file of rules to try."""

    rule: list[WrittenRule] = []


def explain(site: Site, wish: Wish) -> int:
    """Say each rule in words; 1 when one is refused. Raises Trouble."""
    found, path = with_file(site, wish)
    for one in found.rules:
        print(in_words(one))
    if not found.rule:
        print(f"{path} has no [[rule]]")
    if found.wrong_rules:
        print(point_at(path, found.wrong_rules))
    return int(bool(found.wrong_rules))


def with_file(site: Site, wish: Wish) -> tuple[Site, Path]:
    """The site with the rules of a file, and where they stand."""
    if wish.file is None:
        return site, wish.site
    return site.with_rules(read_toml(wish.file, RulesFile).rule), wish.file


def try_(site: Site, settings: Settings, wish: Wish) -> int:
    """Print what the rules would have done. Raises Trouble."""
    found, path = with_file(site, wish)
    if found.wrong_rules:
        raise point_at(path, found.wrong_rules)
    if wish.rule:
        mine = [one for one in found.rules if one.name == wish.rule]
        if not mine:
            raise Usage.unknown(f"rule {wish.rule!r}", wish.rule, [one.name for one in found.rules], str(path))
        found = found.with_rules([*mine])
    if not found.rules:
        raise Trouble(f"{path} has no [[rule]] to try")
    span = _span(found, wish)
    archive, market = asyncio.run(_archive(found, settings, span))
    battery = together(found.battery) if found.battery else None
    came = replay(
        found.rules, moments(archive, found.rules, span), archive.seconds, Plant(battery, found.grid, found.rated_power)
    )
    paid, unpaid = _paid(found, came, market)
    print("\n".join(report(found, came, paid, unpaid or archive.unpriced, span)))
    return 0


def _span(site: Site, wish: Wish) -> tuple[datetime, datetime]:
    """The last seven days, where nothing is given."""
    end = moment(wish.end, site.zone, "--to") if wish.end else utc_now()
    start = moment(wish.start, site.zone, "--from") if wish.start else end - timedelta(days=7)
    if start >= end:
        raise Usage(f"--from {wish.start or start} lies not before --to {wish.end or end}")
    return start, end


async def _archive(
    site: Site, settings: Settings, span: tuple[datetime, datetime]
) -> tuple[Archive, Mapping[str, Series] | str]:
    async with reading(settings.database, site.site) as database:
        market = await _market(site, settings, PricesTold(database, site.site))
        return await read(History(database), site, site.rules, span, market), market


async def _market(site: Site, settings: Settings, told: PricesTold) -> Mapping[str, Series] | str:
    """The prices of the market, or why there are none."""
    if site.tariff_fault:
        return site.tariff_fault
    await told.read(utc_now())
    try:
        return MarketPrices(settings).of(site, told.news())
    except Trouble as wrong:
        return str(wrong)


def _paid(site: Site, came: Replay, market: Mapping[str, Series] | str) -> tuple[Money | None, str]:
    """The money, or why it is not told."""
    if isinstance(market, str):
        return None, market
    if not came.changed:
        return None, "the power of the grid or of the batteries is not known in this time"
    try:
        battery = together(site.battery) if site.battery else None
        return money(came, site.prices, battery, site.zone, market), ""
    except Trouble as wrong:
        return None, str(wrong)
