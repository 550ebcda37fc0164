"""What the archive does beside storing: rollups, the gap ledger, retention. Each waits while the database is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.chain import journal
from consumers.archive.chain.sealing import Broken, seal
from consumers.archive.file_size import give_back
from consumers.archive.ledger import Ledger, Witness
from consumers.archive.money.accounts import Accounts
from consumers.archive.partitions import prepare
from consumers.archive.retention import forget, newest_sample
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from optimizer.tariff import Series
from runtime.cancelled import stoppable
from runtime.heard import Heard
from runtime.part import Part
from runtime.prices_told import PricesTold
from schemas.messages import Cause
from schemas.retention import oldest
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now

ROLL, SEAL, MONEY, LEDGER, RETENTION, FILE = 10.0, 60.0, 20.0, 300.0, 6 * 3600.0, 10.0
"""Seconds between two rounds."""
BEHIND = 1.0
"""Seconds between two rounds while more quarters wait for their price than one takes: after days that came late."""
AWAY = timedelta(days=1)
"""So much later than the newest sample it may be for retention; then it waits for the next one."""
LONG = 86_400.0
"""Seconds that quarters may wait for their price before a person is told: the planner says at once what is wrong."""
AGAIN = 60.0
"""Seconds until one that failed is tried again, if its next round is not sooner."""


@dataclass
class Job:
    """One of the things that are kept up. `words` say what is so when it fails."""

    words: str
    pause: float
    work: Callable[[datetime], Awaitable[float | None]]
    """Gives seconds where its next round is due sooner than after the pause."""
    failed: bool = False
    """The last time."""

    async def go(self, part: Part, now: datetime) -> float:
        """One round; in how many seconds the next one is due. Whatever goes wrong stops nobody else."""
        try:
            soon = await self.work(now)
        except (SQLAlchemyError, OSError) as wrong:
            return self._fail(part, str(getattr(wrong, "orig", None) or wrong))
        except Exception as wrong:  # a mistake of ours in a rollup must not stop what stores
            if not self.failed:
                part.log.exception("the archive goes on, but %s", self.words)
            words = f"{wrong.message}: {wrong.exceptions[0]}" if isinstance(wrong, ExceptionGroup) else str(wrong)
            return self._fail(part, words)
        self.failed = False
        part.causes.clear(Cause.UPKEEP, about=self.words, words=f"no more: {self.words}")
        return soon or self.pause

    def _fail(self, part: Part, why: str) -> float:
        """The second time in a row it is said; a deadlock or a cut connection is no news."""
        part.counts["upkeep_failed"] += 1
        part.log.debug("%s: %s", self.words, why)
        if self.failed:
            part.causes.add(Cause.UPKEEP, f"{self.words}: {why}", about=self.words)
        self.failed = True
        return min(self.pause, AGAIN)


MarketPrices = Callable[[Site, Sequence[Heard[Any]]], Mapping[str, Series]]
"""The market prices of a tariff by its side, `import` or `export`, with what was said of them. Raises Trouble."""


def no_prices(_site: Site, _said: Sequence[Heard[Any]]) -> Mapping[str, Series]:
    """A market without prices: what is priced by it waits."""
    return {}


class Upkeep:
    """The jobs of one archive, beside each other and beside the hot path: none waits for a long round of another.

    Each takes its turn at the database with each of its small transactions: see runtime.database.writing.
    """

    def __init__(self, part: Part, engine: AsyncEngine, store: Store, prices: MarketPrices = no_prices) -> None:
        self.part, self.engine = part, engine
        self.witness = Witness([device.name for device in part.site.devices], utc_now())
        self.roller = Roller(engine, part.site, store)
        self.told = PricesTold(engine, part.site.site)
        self.accounts = Accounts(engine, part.site, lambda: prices(part.site, self.told.news()))
        self.ledger = Ledger(engine, part.site, self.witness, utc_now())
        self._unpriced: float | None = None
        """Since when, on the steady clock, tariff or prices cannot be read."""
        self._forgotten: datetime | None = None
        """As of when what is too old was forgotten last."""

    async def run(self) -> None:
        """Until it is cancelled."""
        jobs = [
            Job("the rollups wait", ROLL, self._roll),
            Job("the journal is not closed", SEAL, self._seal),
            Job("what the site pays is not worked out", MONEY, self._price),
            Job("the ledger of gaps waits", LEDGER, self._write),
            Job("what is too old is not forgotten", RETENTION, self._forget),
            Job("the file of the archive does not shrink", FILE, self._give_back),
        ]
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._again_and_again(job), name=f"upkeep.{job.work.__name__}")
            group.create_task(self._watch(), name="upkeep.watch")

    async def _again_and_again(self, job: Job) -> None:
        while True:
            with stoppable():
                pause = await job.go(self.part, utc_now())
            await asyncio.sleep(pause)

    async def _watch(self) -> None:
        while True:
            self.witness.look(utc_now())
            await asyncio.sleep(1)

    async def _roll(self, now: datetime) -> None:
        self.part.counts["rollups"] += await self.roller.roll(now)
        if self.roller.failed:
            raise ExceptionGroup(f"those of {', '.join(self.roller.failed)}", [*self.roller.failed.values()])

    async def _seal(self, now: datetime) -> None:
        """One that is not whole stays open, so that everybody sees it, and grows."""
        try:
            self.part.counts["sealed"] += await seal(
                self.engine, self.part.site.site, now, self.part.settings.journal_key
            )
            self.part.causes.clear(Cause.NOT_ARCHIVED, about="journal")
        except Broken as wrong:
            words = f"the journal was changed and is not closed any more: {wrong}"
            self.part.causes.add(Cause.NOT_ARCHIVED, words, about="journal", ready=True)

    async def _price(self, now: datetime) -> float | None:
        await self.told.read(now)
        try:
            self.part.counts["priced"] += await self.accounts.write(now)
        except Trouble as wrong:
            self._unpriced = self._unpriced or time.monotonic()
            if time.monotonic() - self._unpriced > LONG:
                self.part.causes.add(Cause.PRICES, f"what the site pays is not kept: {wrong}", ready=True)
        else:
            self._unpriced = None
            self.part.causes.clear(Cause.PRICES, words="what the site pays is kept again")
        while self.accounts.list.said:
            self.part.log.info(self.accounts.list.said.pop(0))
        return BEHIND if self.accounts.behind else None

    async def _write(self, now: datetime) -> None:
        self.part.counts["open_gaps"] = await self.ledger.write(now)

    async def _forget(self, now: datetime) -> float | None:
        """What is old the samples tell, too: at a start the clock may be years ahead, until the network sets it."""
        site, kept, key = self.part.site, self.part.site.retention, self.part.settings.journal_key
        newest = await newest_sample(self.engine, site)
        as_of = min(now, newest + AWAY) if newest else now
        waits = as_of < now
        if waits and as_of == self._forgotten:
            return AGAIN
        if not waits:
            await prepare(self.engine, now, kept)
        self.part.counts["forgotten"] += await forget(self.engine, site.site, kept, as_of, key)
        self._forgotten = as_of
        limit = oldest(kept, "journal", as_of)
        if limit and (count := await journal.overdue(self.engine, site.site, limit)):
            words = (
                f"{count} segments of the journal are too old and are kept: they are not whole, or were signed with "
                "another journal key; joulebus journal verify names the first"
            )
            self.part.causes.add(Cause.UPKEEP, words, about="segments", ready=True)
        else:
            self.part.causes.clear(Cause.UPKEEP, about="segments", words="no segment of the journal is overdue")
        return AGAIN if waits else None

    async def _give_back(self, _now: datetime) -> None:
        await give_back(self.engine)
