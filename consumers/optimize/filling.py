"""Reads the archive beside the plans: a plan waits for it for some seconds, and what is slower goes on without it."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from consumers.optimize.past import Past
from runtime.database import AWAY_SHOWN
from runtime.history import History
from runtime.part import Part
from schemas.messages import Cause
from schemas.units import utc_now

PAST = "past"


class Filling:
    """One reading of the past at a time."""

    def __init__(self, part: Part, past: Past, history: History) -> None:
        self.part, self.past, self.history = part, past, history
        self._reading: asyncio.Task[bool] | None = None
        self._wrong: BaseException | None = None
        """Why the last reading ended without the past, which may be while no plan waited for it."""

    async def fill(self, seconds: float) -> str:
        """For at most so many seconds; what is to be said of it in the plan, or nothing."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(seconds), name="optimize.past")
            self._reading.add_done_callback(self._ended)
        done, _ = await asyncio.wait([self._reading], timeout=seconds)
        if done:
            self._wrong = self._reading.exception()
        if self._wrong is not None:
            return _said(self.part, self._wrong)
        if done:
            self.part.causes.clear(Cause.DATABASE, about=PAST)
        if not done:
            return "; the archive is slow: still reading the past"
        return "" if self._reading.result() else "; still reading the past"

    def stop(self) -> None:
        """Nobody waits for it any more."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None

    def _ended(self, reading: "asyncio.Task[bool]") -> None:
        if not reading.cancelled():
            self._wrong = reading.exception()

    async def _read(self, seconds: float) -> bool:
        return await self.past.fill(self.history, utc_now(), seconds)


def _said(part: Part, wrong: BaseException) -> str:
    if isinstance(wrong, SQLAlchemyError | OSError):
        part.log.warning("the archive cannot be read: %s", wrong)
        if part.site.archive:
            part.causes.add(Cause.DATABASE, "the archive cannot be read", about=PAST, after=AWAY_SHOWN)
        return "; without the archive"
    # whatever stands in the archive, it costs no plan
    part.log.error("the archive cannot be understood", exc_info=wrong)
    return f"; without the archive, which cannot be understood: {type(wrong).__name__}: {wrong}"
