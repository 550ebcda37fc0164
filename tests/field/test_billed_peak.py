"""What is billed, told once: from the archive's rollups optimize, dispatch and the page come to one number.

https://github.com/dsmrreader/dsmr-reader/issues/1084 asks a regulator what counts: fixed quarters of the local clock,
and import alone, whatever is fed in within the same quarter.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import insert

from consumers.archive import service as archive
from consumers.archive.migrate import migrate
from consumers.dispatch import service as dispatch
from consumers.optimize import service as optimize
from consumers.status import service as status
from joulebus.server import free_port
from optimizer.tariff import window
from runtime.database import engine
from runtime.part import Part
from schemas.billing import BilledComponent, Billing
from schemas.messages import Plan
from schemas.site import Site
from schemas.site_file import load_site
from schemas.tables import rollup_15m
from schemas.topics import BILLING, PLAN
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import SITE, TARIFF
from tests.consumers.test_dispatch_service import Ear, Plant, on_the_bus, plant_of, running, until
from tests.web import PLAIN

KOLKATA = ZoneInfo("Asia/Kolkata")
QUARTER = timedelta(minutes=15)


def hourly(folder: Path, name: str, now: datetime) -> Site:
    """A plant in India, billed by the hour and the year; the year began half a year ago."""
    begins = (now.astimezone(KOLKATA).month - 7) % 12 + 1
    demand = f'demand = {{ price = 140.0, per = "year", year_begins = {begins}, minutes = 60 }}'
    (folder / "tariff.toml").write_text(TARIFF.replace("demand = { price = 15.0 }", demand), encoding="utf-8")
    text = SITE.format(name=name, battery="").replace("Europe/Berlin", KOLKATA.key)
    (folder / "site.toml").write_text(text, encoding="utf-8")
    return load_site(folder / "site.toml")


async def fill(url: str, site: str, hour: datetime) -> None:
    """Rollups of the meter: an hour of 200 kW with 100 kW before and after it; an hour with 120 kW from the grid and as
    much into it in each of its quarters; a quarter of which 30 s at 900 kW were seen."""
    quarters = [
        *((hour + n * QUARTER, 200e3 if 0 <= n < 4 else 100e3, 0.0, 900.0) for n in range(-4, 8)),
        *((hour + n * QUARTER, 120e3, 120e3, 900.0) for n in range(8, 12)),
        (hour + 12 * QUARTER, 900e3, 0.0, 30.0),
    ]
    rows = [
        {
            "site": site, "device": "grid", "point": "p", "at": at, "samples": int(seconds), "seconds": seconds,
            "plus": imported * seconds / 3600, "minus": exported * seconds / 3600,
            **dict.fromkeys(("low", "mean", "high", "last", "twa"), imported - exported),
        }
        for at, imported, exported, seconds in quarters
    ]  # fmt: skip
    store = engine(url)
    async with store.begin() as connection:
        await connection.execute(insert(rollup_15m), rows)
    await store.dispose()


@dataclass
class Scene:
    """Archive, optimize, dispatch and the page around one broker and one archive."""

    site: Site
    plant: Plant
    parts: dict[str, Part]
    ear: Ear
    page: str
    folder: Path

    async def shown(self) -> dict[str, Any]:
        """The peak on the page."""
        async with httpx.AsyncClient(verify=PLAIN) as asking:
            found: dict[str, Any] | None = (await asking.get(f"{self.page}/api/state")).json()["peak"]
        return found or {}

    def kept(self) -> float | None:
        """W that dispatch holds, as it has written it down."""
        path = self.folder / f"dispatch-{self.site.site}.json"
        peak: float | None = json.loads(path.read_text(encoding="utf-8"))["peak"] if path.exists() else None
        return peak

    def last(self, kind: type) -> Any:
        return next((one for one in reversed(self.ear.messages) if isinstance(one, kind)), None)


@pytest.fixture
async def scene(broker: Broker, tmp_path: Path, site_name: str) -> AsyncIterator[Scene]:
    url, site, port = (
        f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}",
        hourly(tmp_path, site_name, utc_now()),
        free_port(),
    )

    async def page(part: Part) -> None:
        await status.run(part, port=port)

    await asyncio.to_thread(migrate, url)
    await fill(url, site_name, window(utc_now() - timedelta(days=5), KOLKATA, 60)[0])
    runs = {"archive": archive.run, "optimize": optimize.run, "dispatch": dispatch.run, "status": page}
    async with AsyncExitStack() as stack:
        plant = await stack.enter_async_context(plant_of(broker, site_name))
        scada = await stack.enter_async_context(on_the_bus(broker, "scada"))
        ear = Ear(scada, BILLING.at(site=site_name), PLAN.at(site=site_name))
        parts = {
            name: await stack.enter_async_context(running(broker, site, name, run, url, state=tmp_path))
            for name, run in runs.items()
        }
        yield Scene(site, plant, parts, ear, f"http://127.0.0.1:{port}", tmp_path)
        await ear.stop()


async def test_after_a_cold_start_all_say_one_peak(scene: Scene) -> None:
    """An hour of 200 kW in India lies in two hours of UTC. The page told 300 kW of 30 s, a plan another number."""
    await until(lambda: scene.last(Plan) is not None, within=30)
    await until(lambda: (one := scene.last(Billing)) is not None and one.components[0].peak is not None, within=20)
    said: BilledComponent = scene.last(Billing).components[0]
    assert said.peak == pytest.approx(200e3)
    assert (said.per, said.minutes, said.name) == ("year", 60, "demand")
    assert said.seen is not None
    assert 0 < said.seen < 0.01, "of the rest of the year nothing is known"
    assert scene.last(Plan).peak == pytest.approx(200e3), "a plan reckons with it"
    await until(lambda: scene.kept() is not None)
    assert scene.kept() == pytest.approx(200e3), "and dispatch holds it"
    shown = await scene.shown()
    assert (shown["highest"], shown["per"], shown["minutes"]) == (said.peak, "year", 60)
    assert shown["ends"] == said.window_end.isoformat()
    await until(lambda: (scene.last(Billing).components[0].mean or 0.0) > 0, within=20)
    assert scene.last(Billing).components[0].mean == pytest.approx(30e3, rel=0.05), "the window that runs"
