"""What a hostile reader found in what the energy costs: peaks nobody billed, and PV that costs nothing to curtail."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import insert

from consumers.archive.migrate import migrate
from consumers.optimize.look import look
from consumers.optimize.past import Past
from optimizer.limit_shortage import beyond
from optimizer.lowest_peak import usual_peak
from optimizer.outlook import QUARTER
from optimizer.plan import plan
from optimizer.storage import Storage
from optimizer.verify import verify
from runtime.database import engine
from runtime.history import History
from schemas.site_file import load_site
from schemas.site_grid import Grid
from schemas.tables import rollup_15m
from tests.consumers.billed import on_the_page, read
from tests.consumers.test_dispatch_desk import TARIFF, plant_site
from tests.consumers.test_optimize_batteries import NOON, told
from tests.optimizer.outlooks import outlook

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


async def test_a_quarter_that_was_hardly_seen_is_no_peak_of_a_year(tmp_path: Path) -> None:
    """All compressors start at once when the power comes back, with the bridge: 500 kW for 40 s of a quarter, which the
    network operator bills at 90 kW. The plan took 500 kW for paid and held no peak for the rest of the year."""
    url, site = f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}", plant_site(tmp_path, "plant", YEARLY)
    await asyncio.to_thread(migrate, url)
    january = datetime(2026, 1, 20, 8, tzinfo=UTC)
    usual = [(TENTH - timedelta(hours=number), 90e3, 900.0) for number in range(1, 200)]
    await filled(url, site.site, [*usual, (january, 500e3, 40.0), (TENTH - timedelta(minutes=30), 300e3, 40.0)])
    history = History(engine(url))
    said = await read(site, tmp_path, history, TENTH)
    assert said.components[0].peak == 90e3
    assert on_the_page(site, said, TENTH)["highest"] == 90e3
    hourly = plant_site(tmp_path, "plant", YEARLY.replace("140.0,", "140.0, minutes = 60,"))
    assert (await read(hourly, tmp_path, history, TENTH)).components[0].peak is None, "of no hour enough was seen"
    await history.engine.dispose()


def test_a_battery_that_is_silent_for_minutes_raises_no_peak(tmp_path: Path) -> None:
    """Of two one BMS was not heard for a minute: the plan took the peak that one battery alone cannot hold for made,
    and dispatch let it through, for the whole year."""
    now = NOON
    quarters = [now - number * QUARTER for number in range(96 * 3, 0, -1)]
    load = [260e3 if 8 <= at.hour < 9 else 60e3 for at in quarters]

    def expected(*silent: str) -> float:
        situation = told(tmp_path, *silent)
        (tmp_path / "tariff.toml").write_text(YEARLY, encoding="utf-8")
        situation.site = load_site(tmp_path / "site.toml")
        past = Past(situation.site)
        past.means = {"grid": dict(zip(quarters, load, strict=True)), "pcs1": dict.fromkeys(quarters, 0.0)}
        return look(situation, past, {}, now, 0.0).outlook.charges[0].expected

    assert expected() == pytest.approx(110e3, abs=500)
    assert expected("bms2") == expected()


def test_of_two_days_that_differ_nobody_knows_which_is_usual() -> None:
    """The second day after the commissioning: one high quarter of the first was half made for the rest of the year."""
    midnight = NOON.replace(hour=22)
    days = [[20e3] * 95 + [400e3], [20e3] * 96]
    known = [(midnight + (96 * day + n) * QUARTER, net) for day, nets in enumerate(days) for n, net in enumerate(nets)]
    assert usual_peak(known, QUARTER, ZoneInfo("Europe/Berlin"), Storage(1e3), 1e3) < 21e3


def test_a_battery_is_not_sold_at_a_loss_to_make_room_for_pv_that_may_be_curtailed() -> None:
    """At a negative price by night it was fed in and paid for, so that less of the next noon's sun is curtailed."""
    midnight = NOON.replace(hour=22)
    noon = [0.0] * 32 + [200e3] * 32 + [0.0] * 32
    grid = Grid(meter=["grid"], import_limit=500e3, export_limit=50e3)
    night = [-0.05] * 32 + [0.0] * 64
    ahead = outlook(24, midnight, load=10e3, pv=noon, sell=night, soc=90.0, grid=grid, curtails=True)
    found = plan(ahead)
    assert verify(found, ahead) == []
    assert min(step.grid for step in found.steps[:32]) >= -50.0


def test_pv_that_nobody_can_limit_is_still_made_room_for() -> None:
    """The limit of the grid stands before the money: half of it is an inverter without a limit."""
    midnight = NOON.replace(hour=22)
    noon = np.array([0.0] * 32 + [200e3] * 32 + [0.0] * 32)
    more = {"soc": 90.0, "grid": Grid(meter=["grid"], import_limit=500e3, export_limit=50e3), "curtails": True}
    ahead = outlook(24, midnight, load=10e3, pv=noon, sell=0.0, free=noon / 2, **more)
    found = plan(ahead)
    assert verify(found, ahead) == []
    assert found.steps[31].soc < 11.0
    assert beyond(ahead, [step.grid for step in found.steps])
