"""A tariff that is mended while the planner runs, in virtual time."""

import asyncio
from pathlib import Path

from consumers.optimize.service import Optimize
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from runtime.tariff_watch import AGAIN
from schemas.units import utc_now
from tests.consumers.test_dispatch_desk import TARIFF, plant_site
from tests.virtual import virtual


@virtual
async def test_the_windows_of_a_mended_tariff_are_billed(tmp_path: Path) -> None:
    """Of an hour; while the tariff cannot be read nothing is invented, and that is said."""
    site = plant_site(tmp_path, tariff="import = nonsense")
    database = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), database, None, tmp_path)
    part = Part("optimize", site, settings)
    optimize = Optimize(part)
    said = optimize.billed.said(utc_now())
    assert (said.components, "tariff.toml" in said.fault) == ([], True)
    reading = asyncio.create_task(optimize._take_tariff())
    await asyncio.sleep(1)
    hourly = TARIFF.replace("price = 15.0", "price = 15.0, minutes = 60")
    site.tariff_path.write_text(hourly, encoding="utf-8")
    await asyncio.sleep(3 * AGAIN)
    await reading
    await optimize.history.engine.dispose()
    said = optimize.billed.said(utc_now())
    assert ([one.minutes for one in said.components], said.fault) == ([60], "")
