"""An outbox that is full gives up its oldest samples: the archive's ledger must say so, and not wait for them."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from bridges.served import devices
from bridges.service import Bridge
from bridges.telemetry.publisher import Publisher
from consumers.archive import service, upkeep
from consumers.archive.migrate import migrate
from consumers.archive.roller import HOUR, floor
from runtime.bus import Bus
from runtime.database import engine
from runtime.history import History
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from runtime.stored_counts import Gap
from schemas import tables
from schemas.site import Site
from schemas.site_file import load_site
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.bridges.conftest import DEMO
from tests.conftest import Broker

AGO = timedelta(hours=2)
"""The bridge's clock is late by so much: its hours are over at once."""
ONE = timedelta(hours=1)


def part(name: str, site: Site, broker: Broker, folder: Path) -> Part:
    url = f"sqlite+aiosqlite:///{folder}/archive.db"
    return Part(name, site, Settings(parse_broker(broker.url(name), name, None, {}), url, None, folder))


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_the_ledger_names_the_cap_where_an_outbox_gave_up_samples(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LEDGER", 0.5)
    demo = load_site(DEMO).model_copy(update={"site": site_name})
    async with contextlib.AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(SimulatedSite(demo, soc=50.0, ramp=math.inf, free_ports=True))
        site = simulated.site
        told = part("archive", site, broker, tmp_path)
        await asyncio.to_thread(migrate, told.settings.database)
        history = History(engine(told.settings.database))
        stack.push_async_callback(history.engine.dispose)
        before = floor(utc_now() - 2 * AGO, HOUR)
        whole = {"site": site_name, "at": before, "expected": 1, "stored": 1, "cause": "", "closed": before}
        async with history.engine.begin() as connection:  # the archive has been there for a while
            await connection.execute(insert(tables.gap), [whole | {"device": one.name} for one in site.device])
        archive = asyncio.create_task(service.run(told))
        stack.push_async_callback(_end, archive)

        async def gaps(at: datetime) -> list[Gap]:
            return [one for one in await history.gaps(site_name, at, at + ONE) if not one.closed]

        async def all_unknown() -> bool:
            found = await gaps(floor(utc_now() - AGO, HOUR))
            return [one.cause for one in found] == ["unknown"] * len(site.device)

        await until(all_unknown)
        bridge = _bridge(part("bridge", site, broker, tmp_path), most_rows=20)
        stack.callback(bridge.close)
        reading = asyncio.create_task(bridge.serve())
        stack.push_async_callback(_end, reading)
        spool = bridge.outgoing.spool

        async def all_have_dropped() -> bool:
            return set(spool.dropped_hours) == {one.name for one in site.device}

        await until(all_have_dropped)
        ((first, _), *_) = spool.dropped_hours[site.grid.meter]
        bus = await stack.enter_async_context(Bus(bridge.part.settings.broker, identifier="bridge"))
        bridge.part.events.bus = bus
        working = asyncio.create_task(bridge.work(bus))
        stack.push_async_callback(_end, working)

        async def said() -> bool:
            found = await gaps(floor(utc_now() - AGO, HOUR))
            caps = [one.device for one in found if one.cause == "outbox_cap" and one.stored]
            return sorted(caps) == sorted(one.name for one in site.device)

        await until(said)
        earlier = await gaps(datetime.fromtimestamp(first * HOUR, before.tzinfo) - ONE)
        assert [one.cause for one in earlier] == ["unknown"] * len(site.device), "and no other hour"


def _bridge(part: Part, most_rows: int) -> Bridge:
    bridge = Bridge(part, devices(part))
    bridge.outgoing = Publisher(part, bridge.outgoing.spool, lambda: utc_now() - AGO)
    bridge.outgoing.spool.most_rows = most_rows
    for reader in bridge.readers.values():
        reader.outgoing = bridge.outgoing
    return bridge


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
