"""What a hostile reader found in what the energy costs: peaks nobody billed, and PV that costs nothing to curtail."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from consumers.archive.migrate import migrate
from consumers.optimize.past import Past
from consumers.status import curves
from consumers.status.state import Moment, State
from consumers.status.view import view
from optimizer.demand import Charged
from runtime.database import engine
from runtime.history import History
from schemas.site import Site
from schemas.tables import rollup_15m
from tests.consumers.test_dispatch_desk import TARIFF, plant_site
from tests.consumers.test_dispatch_service import until

TENTH = datetime(2026, 6, 10, 10, tzinfo=UTC)
YEARLY = TARIFF.replace("price = 15.0", 'price = 140.0, per = "year"')


async def filled(url: str, site: str, quarters: list[tuple[datetime, float, float]]) -> None:
    """Rollups of the meter: start, W, and seconds that were seen."""
    rows = [
        {
            "site": site, "device": "grid", "point": "p", "at": at, "samples": max(1, int(seconds)), "seconds": seconds,
            "plus": power * seconds / 3600, "minus": 0.0,
            **dict.fromkeys(("low", "mean", "high", "last", "twa"), power),
        }
        for at, power, seconds in quarters
    ]  # fmt: skip
    store = engine(url)
    async with store.begin() as connection:
        await connection.execute(insert(rollup_15m), rows)
    await store.dispose()


async def test_a_quarter_that_was_hardly_seen_is_no_peak_of_a_year(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All compressors start at once when the power comes back, with the bridge: 500 kW for 40 s of a quarter, which the
    network operator bills at 90 kW. The plan took 500 kW for paid and held no peak for the rest of the year."""
    url, site = f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}", plant_site(tmp_path, "plant", YEARLY)
    await asyncio.to_thread(migrate, url)
    january = datetime(2026, 1, 20, 8, tzinfo=UTC)
    usual = [(TENTH - timedelta(hours=number), 90e3, 900.0) for number in range(1, 200)]
    await filled(url, site.site, [*usual, (january, 500e3, 40.0), (TENTH - timedelta(minutes=30), 300e3, 40.0)])
    past, history = Past(site), History(engine(url))
    assert await past.fill(history, TENTH, seconds=10.0)
    assert past.billed(TENTH, 15, Charged("year")) == 90e3
    assert past.billed(TENTH, 60, Charged("year")) == 0.0, "of no hour all quarters are there"
    assert (await on_the_page(site, history, monkeypatch))["highest"] == 90e3
    await history.engine.dispose()


async def on_the_page(site: Site, history: History, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(curves, "utc_now", lambda: TENTH)
    state = State(site)
    watching = asyncio.create_task(curves.Curves(state, history).watch_peak())
    await until(lambda: state.peak, within=20)
    watching.cancel()
    shown: dict[str, object] = view(state, Moment(TENTH, 0.0))["peak"]
    return shown
