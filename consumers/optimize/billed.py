"""What is billed by the kW, kept up to date from the archive, and told to everybody. Also without a battery."""

import asyncio
import contextlib
import math
import time
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from consumers.optimize.situation import Situation
from optimizer.billing import Quarter, believed, quarter
from optimizer.tariff import window
from runtime.bus import Bus, Refused
from runtime.database import AWAY_SHOWN
from runtime.history import History
from runtime.part import Part
from schemas.billing import Billing
from schemas.messages import Cause
from schemas.topics import BILLING
from schemas.troubles import Trouble
from schemas.units import utc_now

TOLD = 10.0
"""Seconds between two words of it."""
LATELY, WHOLE = 60.0, 1800.0
"""Seconds after which the archive is asked again: for the last two days, and for all of it. So soon a late back-fill
counts."""
SLICE = timedelta(days=31)
"""Read at once: 3000 rows."""
LONGEST = timedelta(hours=1)
"""A billing window, which may slide."""
NOT_TOLD = "the archive does not tell what is billed"
PATIENCE = 60.0
"""Seconds the archive has for an answer."""


class Billed:
    """Keeps `situation.billing`."""

    def __init__(self, part: Part, situation: Situation, history: History) -> None:
        self.part, self.situation, self.history = part, situation, history
        self.tried = asyncio.Event()
        """The archive was asked once, whether it answered or not."""
        self._news = asyncio.Event()
        self._whole = -math.inf
        self._unread = self._untold = ""
        """Why the archive does not answer, and why the broker does not take it."""

    async def keep(self) -> None:
        """Ask the archive again and again."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.read(utc_now(), time.monotonic())
                why = ""
            except (SQLAlchemyError, OSError, TimeoutError, Trouble) as wrong:
                why = str(wrong).split("\n", 1)[0] or type(wrong).__name__
            self._unread = self._once(self._unread, why, NOT_TOLD)
            self._note(away=bool(why))
            self.tried.set()
            self._news.set()
            await asyncio.sleep(LATELY)

    def _note(self, *, away: bool) -> None:
        """A database that is away is an alarm, not a line in the log alone."""
        if away and self.part.site.archive:
            self.part.causes.add(Cause.DATABASE, NOT_TOLD, about="billed", after=AWAY_SHOWN)
        else:
            self.part.causes.clear(Cause.DATABASE, about="billed")

    async def read(self, now: datetime, mono: float) -> None:
        """What is new, and from time to time all of it."""
        billing = self.situation.billing
        if not billing.components:
            return
        if billing.since is None or mono - self._whole >= WHOLE:
            since = billing.recent(now)
            quarters = await self._quarters(billing.oldest(now), since + LONGEST)
            older = await asyncio.to_thread(billing.before, quarters, since, now)  # readings come meanwhile
            self.situation.billing = self.situation.billing.archived(older, since)
            self._whole = mono
        recent = await self._quarters(self.situation.billing.since or now, now)
        minutes = await self._minutes(now)
        self.situation.billing = self.situation.billing.lately(recent, now).begun(minutes)

    async def _quarters(self, start: datetime, end: datetime) -> list[Quarter]:
        found: list[Quarter] = []
        while start < end:
            until = min(end, start + SLICE)
            rows = await self.history.imports(*self._place, start, until)
            found += believed(quarter(*row, self.situation.billing.poll) for row in rows)
            start = until
        return found

    async def _minutes(self, now: datetime) -> list[Quarter]:
        """Since the longest window began that runs."""
        site = self.situation.site
        start = window(now, site.zone, 60)[0]
        found = await self.history.buckets(*self._place, start, now, "1m")
        return believed(Quarter(one.at, one.plus, one.seconds) for one in found)

    @property
    def _place(self) -> tuple[str, str, str]:
        site = self.situation.site
        return site.site, site.grid.meter, "p"

    async def tell(self, bus: Bus) -> None:
        """Say it again and again, and at once when the archive was read."""
        while True:
            try:
                said = self.said(utc_now())
                expiry = max(TOLD, self._holds(said))
                await bus.say(BILLING, said, expiry=expiry, site=self.situation.site.site)
                why = ""
            except Refused as wrong:  # an older access list: plans are made all the same
                why = str(wrong)
            self._untold = self._once(self._untold, why, "what is billed is not told")
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), TOLD)

    def said(self, now: datetime) -> Billing:
        """What is known now; a tariff that cannot be read is said, and nothing else."""
        return self.situation.billing.said(now)

    @staticmethod
    def _holds(said: Billing) -> float:
        """Seconds until no peak in it counts any more: the broker forgets it then, and not before. A reader tells by
        `until` whether the window that runs is still followed."""
        over = [one.period_end for one in said.components]
        return (max([said.until, *over]) - said.at).total_seconds()

    def _once(self, before: str, why: str, what: str) -> str:
        """A line when something is lost, and one when it is back; gives why it is lost."""
        if why and not before:
            self.part.log.warning("%s: %s", what, why)
        if before and not why:
            self.part.log.info("%s: no more", what)
        return why
