"""A week of the simulated site's own past, so that a fresh demo has something to forecast from and to look at."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from consumers.archive.migrate import migrate
from consumers.archive.rows import Entry, sort_out
from consumers.archive.store import Store
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.topics import TELEMETRY
from simulator.past import past

BATCH = 2000


def remember(database: str, site: Site, start: datetime, end: datetime) -> None:
    """Bring the tables up to date and, where the archive is empty, store the past. Raises Trouble."""
    migrate(database)
    asyncio.run(_remember(database, site, start, end))


async def _remember(database: str, site: Site, start: datetime, end: datetime) -> None:
    store = engine(database)
    try:
        if await History(store).latest(site.site):
            return
        rows = _entries(site, start, end)
        archive = Store(store, lambda _: None)
        while batch := list(islice(rows, BATCH)):
            await archive.keep(batch)
    finally:
        await store.dispose()


def _entries(site: Site, start: datetime, end: datetime) -> Iterator[Entry]:
    for device, sample in past(site, start, end):
        yield from sort_out([_heard(site, device, sample)], sample.at)[0]


def _heard(site: Site, device: str, sample: Telemetry) -> Heard[Telemetry]:
    payload = sample.model_dump_json().encode()
    return Heard(TELEMETRY, {"site": site.site, "device": device}, sample, "", payload, False, 0)
