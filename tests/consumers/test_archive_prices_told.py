"""Quarters of a tariff that follows `market/prices` are priced by what was said there, after a restart, too."""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from consumers.archive.upkeep import Upkeep
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.prices_recalled import recall_prices
from joulebus.market_prices import MarketPrices
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import read_settings
from runtime.signature import signed
from schemas import messages as m
from schemas.tables import unpriced
from schemas.topics import MARKET_PRICES
from schemas.units import utc_now
from tests.consumers.test_archive_money import QUARTER, count, measure, quarter, rows, site_of

TOPIC = """
import.day_ahead = { topic = true }
export.period = [{ price = 0.05 }]
"""
KEY = "k" * 64


def this_hour() -> datetime:
    return utc_now().replace(minute=0, second=0, microsecond=0)


BEGIN = this_hour() - timedelta(hours=4)


@pytest.fixture(autouse=True)
def _of_this_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run imports this file in one hour and comes to it in the next."""
    monkeypatch.setattr(sys.modules[__name__], "BEGIN", this_hour() - timedelta(hours=4))


def told(number: int, *per_mwh: float, **more: Any) -> m.MarketPrices:
    """Said in the hour before, of the hours from then on."""
    block = m.PriceBlock(start=BEGIN, minutes=60, per_mwh=[*per_mwh])
    at = BEGIN - timedelta(minutes=60 - number)
    return m.MarketPrices(id=f"p{number}", at=at, currency="EUR", prices=[block], **more)


async def archived(database: AsyncEngine, said: m.MarketPrices) -> None:
    heard = Heard(MARKET_PRICES, {"site": "plant"}, said, "", said.model_dump_json().encode(), True, 1)
    await Store(database, lambda _: None).keep(sort_out([heard], utc_now())[0])


def upkeep(database: AsyncEngine, tmp_path: Path, **env: str) -> Upkeep:
    """As it starts."""
    settings = read_settings("archive", {"JOULEBUS_STATE": str(tmp_path), **env})
    part = Part("archive", site_of(tmp_path, TOPIC), settings)
    return Upkeep(part, database, Store(database, lambda _: None), MarketPrices(settings).of)


@pytest.fixture
async def measured(lite: AsyncEngine) -> AsyncEngine:
    """4 kW drawn in each quarter of two hours."""
    await measure(lite, *(quarter(BEGIN + n * QUARTER, grid=4e3) for n in range(8)))
    return lite


async def test_quarters_wait_for_the_word_and_are_priced_by_it(measured: AsyncEngine, tmp_path: Path) -> None:
    first = upkeep(measured, tmp_path)
    await first._price(utc_now())
    assert (len(await rows(measured)), await count(measured, unpriced)) == (0, 8)
    await archived(measured, told(1, 500.0))
    await first._price(utc_now())
    assert [one.energy for one in await rows(measured)] == pytest.approx([0.5] * 4)
    await archived(measured, told(2, 500.0, -100.0))
    again = upkeep(measured, tmp_path)
    await again._price(utc_now())
    assert [one.energy for one in await rows(measured)] == pytest.approx([0.5] * 4 + [-0.1] * 4)
    assert await count(measured, unpriced) == 0
    await again._price(utc_now())
    assert again.accounts.list.changed(utc_now()) is None, "the same prices have nothing priced anew"
    await archived(measured, told(3, 700.0, -100.0))
    await again._price(utc_now())
    assert [one.energy for one in await rows(measured)] == pytest.approx([0.7] * 4 + [-0.1] * 4)


async def test_prices_that_are_used_no_more_still_price_what_was_drawn_by_them(
    measured: AsyncEngine, tmp_path: Path
) -> None:
    await archived(measured, told(1, 500.0, 600.0, until=BEGIN + 4 * QUARTER))
    await upkeep(measured, tmp_path)._price(utc_now())
    assert [one.energy for one in await rows(measured)] == pytest.approx([0.5] * 4)


async def test_a_forged_word_prices_nothing(measured: AsyncEngine, tmp_path: Path) -> None:
    await archived(measured, told(1, 9000.0, 9000.0))
    await archived(measured, signed(told(2, 500.0, 600.0), MARKET_PRICES.at(site="plant"), KEY))
    await archived(measured, told(3, 9000.0, 9000.0))
    await upkeep(measured, tmp_path, JOULEBUS_PRICE_KEY=KEY)._price(utc_now())
    assert [one.energy for one in await rows(measured)] == pytest.approx([0.5] * 4 + [0.6] * 4)


async def test_after_a_restart_the_planner_knows_the_past_again_and_of_what_comes_only_what_stands(
    measured: AsyncEngine, tmp_path: Path
) -> None:
    """Prices beyond the known are told from weeks. What comes may have been taken back since."""
    settings = read_settings("optimize", {"JOULEBUS_STATE": str(tmp_path), "JOULEBUS_PRICE_KEY": KEY})
    part = Part("optimize", site_of(tmp_path, TOPIC), settings)
    address, hour = MARKET_PRICES.at(site="plant"), timedelta(hours=1)
    await archived(measured, signed(told(1, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0), address, KEY))
    await archived(measured, told(2, 9000.0))
    sources = PriceSources(part.site, tmp_path)
    await recall_prices(part, sources, measured)
    block = m.PriceBlock(start=BEGIN + 3 * hour, minutes=60, per_mwh=[40.0, 50.0])
    said = signed(m.MarketPrices(id="now", at=utc_now(), currency="EUR", prices=[block]), address, KEY)
    heard = Heard(MARKET_PRICES, {"site": "plant"}, said, "", said.model_dump_json().encode(), True, 1)
    assert sources.hear(heard, settings, utc_now()) == ""
    series = sources.series(utc_now(), 1e12)["import"]
    found = [series.at(BEGIN + number * hour) for number in range(6)]
    assert found == [*(pytest.approx(price) for price in (0.1, 0.2, 0.3, 0.04, 0.05)), None]
