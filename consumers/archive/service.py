"""Listens to the site and keeps it: store, commit, acknowledge to the broker, confirm to the bridges. In this order."""

import asyncio
from typing import Any

from consumers.archive.rows import KEPT, confirmations, sort_out
from consumers.archive.store import Kept, Store
from runtime.bus import Bus, Heard
from runtime.database import engine
from runtime.part import Part
from schemas.messages import Telemetry
from schemas.topics import ARCHIVED
from schemas.units import utc_now

SESSION = 7 * 86_400
"""Seconds the broker keeps what we have not heard while we are away."""

BATCH = 1000
PAUSE = 0.25
"""Seconds between two commits, unless there is a backlog: each is an fsync, and flash wears out."""


async def run(part: Part) -> None:
    """The archive of one site, until it is told to stop."""
    database = engine(part.settings.database)
    try:
        await part.run(Archive(part, Store(database, lambda words: _tell(part, words))).work, session=SESSION)
    finally:
        await database.dispose()


class Archive:
    def __init__(self, part: Part, store: Store) -> None:
        self.part, self.store = part, store

    async def work(self, bus: Bus) -> None:
        """Listen from the first moment, so that the broker keeps for us what is said while the database is away."""
        async with asyncio.TaskGroup() as group:
            self.part.ready = False
            group.create_task(self._open(), name="archive.open")
            addresses = [topic.at(site=self.part.site.site) for topic in KEPT]
            async for batch in bus.listen(*addresses, size=BATCH):
                await self._keep(bus, batch)
                if len(batch) < BATCH:
                    await asyncio.sleep(PAUSE)

    async def _open(self) -> None:
        await self.store.open()
        self.part.ready = True

    async def _keep(self, bus: Bus, batch: list[Heard[Any]]) -> None:
        entries, twins = sort_out(batch, utc_now())
        kept = await self.store.keep(entries)
        bus.ack(batch)
        self._count(batch, kept, twins)
        said = [bus.say(ARCHIVED, what, site=site, device=device) for site, device, what in confirmations(batch)]
        await asyncio.gather(*said)

    def _count(self, batch: list[Heard[Any]], kept: Kept, twins: int) -> None:
        counts = self.part.counts
        counts["archived"] += kept.new["telemetry"]
        counts["duplicates"] += kept.known["telemetry"] + twins
        counts["dead_letters"] += kept.new["dead_letter"]
        newest = max((one.message.at for one in batch if isinstance(one.message, Telemetry)), default=None)
        if newest is not None:
            self.part.lag = max(0.0, (utc_now() - newest).total_seconds())
        self.part.succeeded()


def _tell(part: Part, trouble: str) -> None:
    """One line when the database is lost, one when it is back."""
    if trouble:
        part.log.warning("nothing is acknowledged: %s", trouble)
    else:
        part.log.info("the database is back")
    part.detail, part.ready = trouble, not trouble
