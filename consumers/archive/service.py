"""Listens to the site and keeps it: store, commit, acknowledge to the broker, confirm to who sent it. In this order."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.rows import KEPT, OLDEST, confirmations, sort_out
from consumers.archive.store import Kept, Store
from consumers.archive.upkeep import MarketPrices, Upkeep, no_prices
from runtime.bus import Bus
from runtime.database import AWAY_SHOWN, engine
from runtime.heard import Heard
from runtime.part import Part
from schemas.messages import Cause, DeviceStatus, Telemetry
from schemas.units import utc_now

SESSION = 7 * 86_400
"""Seconds the broker keeps what we have not heard while we are away."""

BATCH = 1000
PATIENCE = 10.0
"""Seconds we wait for the database at the start; who has once been connected waits for ever."""
PAUSE = 0.25
"""Seconds between two commits, unless there is a backlog: each is an fsync, and flash wears out."""


CLOCK_SHOWN = 600.0
"""Seconds we go on saying that samples came whose time cannot be right."""
REPLACED_SHOWN = 3600.0
"""Seconds we go on saying that the file is another one."""


async def run(part: Part, prices: MarketPrices = no_prices) -> None:
    """The archive of one site, until it is told to stop. Raises Trouble when there is no database at the start.

    `prices`: the market's, for what the site pays; quarters without a price wait.
    """
    database = engine(part.settings.database, again=lambda: part.settings.fresh().database)
    if part.settings.watch_disks is None and database.dialect.name == "sqlite":
        part.disks["the archive"] = Path(database.url.database or "").parent
    other = _upkeep(part)
    try:
        store = Store(database, lambda words: _tell(part, words, away=store.away))
        archive = Archive(part, store)
        archive.upkeep = Upkeep(part, other or database, archive.store, prices)
        await part.run(archive.work, archive.beside, session=SESSION)
    finally:
        await database.dispose()
        if other is not None:
            await other.dispose()


def _upkeep(part: Part) -> AsyncEngine | None:
    """The connections of the one who may delete, where that is another user than the one who stores."""
    url = part.settings.upkeep
    if url is None or url == part.settings.database:
        return None
    return engine(url, again=lambda: part.settings.fresh().upkeep or url)


class Archive:
    upkeep: Upkeep

    def __init__(self, part: Part, store: Store) -> None:
        self.part, self.store = part, store
        self.opened = False

    async def work(self, bus: Bus) -> None:
        """Listen from the first moment, so that the broker keeps for us what is said while the database is away."""
        self.part.ready = self.opened
        addresses = [topic.at(site=self.part.site.site) for topic in KEPT]
        async for batch in bus.listen(*addresses, size=BATCH):
            self._note(batch)
            await self._keep(bus, batch)
            if len(batch) < BATCH:
                await asyncio.sleep(PAUSE)

    async def beside(self) -> None:
        """Open the database, then keep what is made of the telemetry up to date."""
        await self.store.open(PATIENCE)
        self.opened = self.part.ready = True
        await self.upkeep.run()

    def _note(self, batch: list[Heard[Any]]) -> None:
        witness, now = self.upkeep.witness, utc_now()
        for heard in batch:
            if isinstance(heard.message, DeviceStatus):
                witness.hear(heard.place["device"], heard.message, now)
            elif isinstance(heard.message, Telemetry) and not heard.message.historical:
                witness.heard = now

    async def _keep(self, bus: Bus, batch: list[Heard[Any]]) -> None:
        now, days = utc_now(), self.part.site.retention.raw_days
        oldest = max(OLDEST, now - timedelta(days=days)) if days else OLDEST
        entries, twins = sort_out(batch, now, oldest)
        kept = await self.store.keep(entries)
        self.opened = self.part.ready = True  # it may be there before `open` looks again
        bus.ack(batch)
        self._count(batch, kept, twins)
        self._say_replaced()
        said = [bus.say(topic, what, expiry=None, **place) for topic, place, what in confirmations(batch)]
        await asyncio.gather(*said)

    def _count(self, batch: list[Heard[Any]], kept: Kept, twins: Counter[str]) -> None:
        counts = self.part.counts
        counts["archived"] += kept.new["telemetry"]
        counts["duplicates"] += kept.known["telemetry"] + twins["telemetry"]
        counts["dead_letters"] += kept.new["dead_letter"]
        self._doubt(kept.new["quarantine"])
        newest = max((one.message.at for one in batch if isinstance(one.message, Telemetry)), default=None)
        if newest is not None:
            self.part.lag = max(0.0, (utc_now() - newest).total_seconds())
        self.part.succeeded()

    def _say_replaced(self) -> None:
        """It goes on, but what was archived before is not there: a person must know."""
        if self.store.replaced > self.part.counts["replaced_files"]:
            self.part.counts["replaced_files"] = self.store.replaced
            words = (
                "the archive's file was deleted or replaced; what was in it is not in the one that is written to now"
            )
            self.part.causes.add(Cause.NOT_ARCHIVED, words, about="file", seconds=REPLACED_SHOWN, ready=True)

    def _doubt(self, aside: int) -> None:
        """Say it where the alarms look, and take it back when the clocks have been right for a while."""
        if aside:
            self.part.counts["quarantined"] += aside
            words = "samples with an impossible time are kept aside; set the clock of the bridge"
            self.part.causes.add(Cause.CLOCK_QUARANTINE, words, seconds=CLOCK_SHOWN)


def _tell(part: Part, trouble: str, *, away: bool) -> None:
    """One line when the database is lost, one when it is back. `away`: it cannot be reached, or does not answer."""
    if trouble:
        part.causes.add(Cause.NOT_ARCHIVED, f"nothing is acknowledged: {trouble}")
    else:
        part.causes.clear(Cause.NOT_ARCHIVED, words="the database is back")
    if trouble and away:
        part.causes.add(Cause.DATABASE, f"for more than {AWAY_SHOWN:.0f} s", after=AWAY_SHOWN)
    else:
        part.causes.clear(Cause.DATABASE)
