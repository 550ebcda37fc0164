"""What the archive does beside storing: rollups, the gap ledger, retention. Each waits while the database is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.accounts import Accounts
from consumers.archive.ledger import Ledger, Witness
from consumers.archive.retention import forget, prepare
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from optimizer.tariff import Series
from runtime.cancelled import stoppable
from runtime.part import Part
from schemas.messages import Cause
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now

ROLL, MONEY, LEDGER, RETENTION = 10.0, 60.0, 300.0, 6 * 3600.0
"""Seconds between two rounds."""

MarketPrices = Callable[[Site], Mapping[str, Series]]
"""The market prices of a tariff by its side, `import` or `export`. Raises Trouble."""


class Upkeep:
    """The jobs of one archive, one after the other: they share a database with the hot path."""

    def __init__(self, part: Part, engine: AsyncEngine, store: Store, prices: MarketPrices) -> None:
        self.part, self.engine = part, engine
        self.witness = Witness([device.name for device in part.site.devices], utc_now())
        self.roller = Roller(engine, part.site, store)
        self.accounts = Accounts(engine, part.site, lambda: prices(part.site))
        self.ledger = Ledger(engine, part.site, self.witness, utc_now())

    async def run(self) -> None:
        """Until it is cancelled."""
        jobs = [(ROLL, self._roll), (MONEY, self._price), (LEDGER, self._write), (RETENTION, self._forget)]
        due = [0.0] * len(jobs)
        while True:
            for number, (pause, job) in enumerate(jobs):
                if time.monotonic() >= due[number]:
                    with stoppable():
                        await self._try(job)
                    due[number] = time.monotonic() + pause
            self.witness.look(utc_now())
            await asyncio.sleep(1)

    async def _try(self, job: Callable[[datetime], Awaitable[None]]) -> None:
        try:
            await job(utc_now())
        except (SQLAlchemyError, OSError) as wrong:
            self.part.counts["upkeep_failed"] += 1
            self.part.log.debug("%s waits for the database: %s", job.__name__, wrong)
        except Exception:  # a mistake of ours in a rollup must not stop what stores
            self.part.counts["upkeep_failed"] += 1
            self.part.log.exception("the archive goes on without %s", job.__name__)

    async def _roll(self, now: datetime) -> None:
        self.part.counts["rollups"] += await self.roller.roll(now)

    async def _price(self, now: datetime) -> None:
        try:
            self.part.counts["priced"] += await self.accounts.write(now)
        except Trouble as wrong:
            self.part.causes.add(Cause.PRICES, f"what the site pays is not kept: {wrong}", ready=True)
        else:
            self.part.causes.clear(Cause.PRICES, words="what the site pays is kept again")

    async def _write(self, now: datetime) -> None:
        self.part.counts["open_gaps"] = await self.ledger.write(now)

    async def _forget(self, now: datetime) -> None:
        await prepare(self.engine, now)
        self.part.counts["forgotten"] += await forget(self.engine, self.part.site.site, self.part.site.retention, now)
