"""Fetches market prices where the tariff says so: off by default. A document is kept as it was received, once it was
read; whatever fails, what is there stays."""

import asyncio
import os
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from consumers.optimize.download import DEADLINE, Download, Refused
from consumers.optimize.fetch_rhythm import HOPELESS, due, pause
from consumers.optimize.price_sources import fetched_folder, wanted
from consumers.optimize.prices import files_of, read_prices
from consumers.optimize.publishers import PUBLISHERS, request
from optimizer.price_documents.areas import eic
from optimizer.price_documents.formats import read_document
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted
from runtime.part import Part
from runtime.tariff_watch import readable
from schemas.messages import Cause
from schemas.printable import printable
from schemas.tariff import DayAhead
from schemas.troubles import Trouble
from schemas.units import utc_now

KEPT = 32
"""Documents, one a day; each has today and tomorrow. What comes then is told from four weeks."""


async def keep_fetching(part: Part, told: Callable[[], None]) -> None:
    """All that the tariff wants fetched, each once, for as long as the part runs; `told` hears that something came."""
    await readable(part, "no prices are fetched")
    jobs = {fetched_folder(part.settings.state, rule): rule for rule in part.site.prices.markets.values() if rule.fetch}
    async with asyncio.TaskGroup() as group:
        for folder, rule in jobs.items():
            if folder is not None:
                group.create_task(PriceFetcher(part, rule, folder).work(told))
    await asyncio.Event().wait()


class PriceFetcher:
    """Of one publisher and area."""

    def __init__(self, part: Part, rule: DayAhead, folder: Path) -> None:
        assert rule.fetch is not None  # noqa: S101  # whoever makes one has looked
        self.part, self.folder, self.fetch, self.area = part, folder, rule.fetch, rule.area
        self.wanted: Wanted = wanted(part.site, rule)
        self.about = f"fetched from {self.fetch.from_}"
        self.failures, self.asked = 0, 0.0

    async def work(self, told: Callable[[], None]) -> None:
        known = await asyncio.to_thread(self._known)
        while True:
            await asyncio.sleep(pause(utc_now(), known, self.failures, random.random(), self.asked))
            before, known = known, await self.once(utc_now(), known)
            if known != before:
                told()

    async def once(self, now: datetime, known: datetime | None) -> datetime | None:
        """One try; gives until when prices are known then."""
        self.asked, words = 0.0, ""
        try:
            content = await self._download(now)
            known = await asyncio.to_thread(self._keep, content, now)
        except Refused as wrong:
            words, self.asked = str(wrong), HOPELESS if wrong.hopeless else wrong.asked
        except NoPrices as wrong:
            self.part.log.info("%s: not published yet: %s", self.about, wrong)
        except Unreadable as wrong:
            words = wrong.of("what came")
        except (OSError, Trouble) as wrong:
            words = str(wrong)
        if words:
            said = printable(f"{self.about}: {words}; what is there goes on")
            self.part.causes.add(Cause.PRICES, said, about=self.about)
        else:
            self.part.causes.clear(Cause.PRICES, about=self.about, words=f"{self.about}: it answers again")
        whole = not words and known is not None and known >= due(now)
        self.failures = 0 if whole else self.failures + 1
        self.part.counts["prices_fetched" if whole else "prices_not_fetched"] += 1
        return known

    async def _download(self, now: datetime) -> bytes:
        publisher = PUBLISHERS[self.fetch.from_]
        token = (await asyncio.to_thread(self.part.settings.fresh)).price_token or ""
        if publisher.needs_token and not token:
            raise Refused("it needs a token: JOULEBUS_PRICE_TOKEN_FILE names its file", hopeless=True)
        if self.fetch.from_ == "entsoe" and not eic(self.area):
            raise Refused(f"area {self.area!r} is no bidding zone: write its name or its EIC", hopeless=True)
        download = Download(request(publisher, self.fetch.url, self.area, token, now))
        running = asyncio.ensure_future(asyncio.to_thread(download.run))
        try:
            done, _ = await asyncio.wait([running], timeout=DEADLINE)
        finally:
            download.stop()  # of one that has ended it means nothing
            await asyncio.wait([running])  # its thread ends with its connection
        if not done:
            raise Refused(f"{download.host}: it took longer than {DEADLINE:.0f} s")
        return running.result()

    def _keep(self, content: bytes, now: datetime) -> datetime | None:
        """Raises Unreadable, Trouble or OSError; then nothing has changed."""
        read_document(content, self.wanted)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{now:%Y%m%dT%H%M%SZ}.{PUBLISHERS[self.fetch.from_].suffix}"
        part = self.folder / f".{name}.part"
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self.folder / name)
        for old in files_of(self.folder)[:-KEPT]:
            old.unlink(missing_ok=True)
        return self._known()

    def _known(self) -> datetime | None:
        try:
            return read_prices(self.folder, self.wanted).end
        except Trouble:
            return None
