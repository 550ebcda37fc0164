"""The limits of the grid connection on disk and on the air: kept before they are answered, said when they change."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from consumers.dispatch.answers import unreadable
from consumers.dispatch.grid_limits import GridLimits, changes, essence
from runtime.heard import Heard
from runtime.memory import Memory
from runtime.part import Part
from runtime.signature import forgery
from schemas.messages import ControlLimits, GridLimitRequest, RequestOutcome
from schemas.printable import printable
from schemas.topics import CONTROL_LIMITS, GRID_LIMIT
from schemas.units import utc_now

DISK = 2.0
"""Seconds a disk may take to keep a limit; it holds meanwhile."""

AGAIN = 300.0
"""Seconds after which what holds is said again, at the latest, where something is declared safe: a bridge that hears
nothing for `dso_hold` takes it that the signal is lost."""


class LimitKeeping:
    """Of one site."""

    def __init__(self, part: Part, limits: GridLimits) -> None:
        self.part, self.limits = part, limits
        self.memory = Memory(part.settings.state / f"limits-{part.site.site}.json")
        self.trouble = ""
        """Why they are not kept."""
        self._kept: object = None
        self._told: ControlLimits | None = None
        self._logged: ControlLimits | None = None

    def begin(self) -> None:
        """What the last run has kept holds before anything is decided."""
        kept = self.memory.recall()
        self.limits.recall(kept, utc_now(), damaged=self.memory.damaged)
        if self.limits.unknown:
            self.part.log.error("%s: what was kept of the limits cannot be read: what is safe holds", self.memory.path)

    def anew(self) -> None:
        """A new connection: a broker that lost its store has lost them, too."""
        self._told = None

    async def answer(self, heard: Heard[Any]) -> RequestOutcome:
        """Somebody limits the site: what became of it."""
        now, request = utc_now(), heard.message
        if not isinstance(request, GridLimitRequest):
            return unreadable(heard.payload, heard.fault, now)
        await self._read_keys()
        forged = self._forged(heard.payload, request.source)
        no = self.limits.hear(request, now, retained=heard.retained, forged=forged)
        if no is None:
            await self.keep()
        return RequestOutcome(
            id=request.id,
            at=now,
            followed=no is None,
            who=request.source,
            wish=_wish(request),
            cause=None if no is None else no.cause,
            reason=(self.trouble and f"it is not kept: {self.trouble}") if no is None else printable(no.reason),
        )

    async def _read_keys(self) -> None:
        """As they stand in the file now: one that was taken back is worth nothing from then on."""
        reading = asyncio.get_running_loop().run_in_executor(None, self.part.settings.fresh)
        done, _ = await asyncio.wait([reading], timeout=DISK)
        wrong = "the disk is slow" if not done else reading.exception()
        if wrong is None:
            self.part.settings = replace(self.part.settings, limit_keys=reading.result().limit_keys)
            return
        self.part.log.warning("the keys that were known before are used: %s", wrong)
        reading.add_done_callback(lambda late: late.cancelled() or late.exception())

    def _forged(self, payload: bytes, source: str) -> str:
        """Why a limit is not that of its source; empty when it is, or where nothing is signed."""
        settings = self.part.settings
        if not settings.limits_signed:
            return ""
        address = GRID_LIMIT.at(site=self.part.site.site)
        found = [forgery(payload, address, key) for key in settings.keys_of(source)]
        if not found:
            return f"unsigned: no key of {source} is known here: give it a line in JOULEBUS_LIMIT_KEYS"
        return "" if "" in found else found[0]

    async def keep(self) -> None:
        """On the disk, where something is worth it."""
        kept = self.limits.keep()
        worth = self.limits.essence()
        if worth == self._kept:
            return
        writing = asyncio.get_running_loop().run_in_executor(None, self.memory.write, kept.model_dump_json())
        done, _ = await asyncio.wait([writing], timeout=DISK)
        if not done:
            self.trouble = f"{self.memory.path} takes longer than {DISK:.0f} s"
        elif not writing.result():
            self.trouble = f"{self.memory.path} cannot be written"
        else:
            self.trouble, self._kept = "", worth

    async def tell(self, now: datetime) -> None:
        """Say what holds where it has changed: on the disk first. Raises what `Events.say` raises."""
        said = self.limits.said(now)
        for words in changes(self._logged, said):
            self.part.log.warning("limit %s", printable(words))
        self._logged = said
        await self.keep()
        if self._told is None or essence(said) != essence(self._told) or self._due(self._told, now):
            await self.part.events.say(CONTROL_LIMITS, said, site=self.part.site.site)
            self._told = said

    def _due(self, told: ControlLimits, now: datetime) -> bool:
        """Whichever way the wall clock was set meanwhile."""
        grid = self.part.site.grid
        if grid.safe_feed_in is None and grid.safe_consumption is None:
            return False
        return abs((now - told.at).total_seconds()) >= min(AGAIN, grid.dso_hold / 3)


def _wish(request: GridLimitRequest) -> str:
    size = f"{request.percent:g} %" if request.percent is not None else f"{request.power:g} W"
    return f"{request.direction} {size}"
