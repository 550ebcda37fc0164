"""Asks the archive for the page: curves for the chart. When it is silent there are gaps."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from consumers.status.series import Means, Span, actual, around, planned, today
from consumers.status.state import State
from runtime.history import History
from schemas.troubles import Trouble
from schemas.units import utc_now

PATIENCE = 5.0
"""Seconds the archive has for an answer."""
FRESH = 10.0
"""Seconds an answer serves for everyone who asks: many open pages are one question."""

T = TypeVar("T")
log = logging.getLogger("status")


class Curves:
    """The archive as the page needs it."""

    def __init__(self, state: State, history: History) -> None:
        self.state = state
        self.history = history
        self._answers: dict[float | None, tuple[float, dict[str, Any]]] = {}
        self._asking = asyncio.Lock()

    async def over(self, hours: float | None) -> dict[str, Any]:
        """Columns on one time axis: so many hours back and ahead, or the day of the site."""
        async with self._asking:
            asked, answer = self._answers.get(hours, (-FRESH, {}))
            if time.monotonic() - asked >= FRESH:
                now, site = utc_now(), self.state.site
                slowest = max(device.poll for device in site.device)
                span = around(now, hours, slowest) if hours else today(now, site.zone)
                answer = await self._ask(span, now)
                self._answers = {**self._recent(), hours: (time.monotonic(), answer)}
            return answer

    def _recent(self) -> dict[float | None, tuple[float, dict[str, Any]]]:
        """What is still worth keeping: questions come with any number of hours."""
        return {hours: kept for hours, kept in self._answers.items() if time.monotonic() - kept[0] < FRESH}

    async def _ask(self, span: Span, now: datetime) -> dict[str, Any]:
        found = await self._answer(self._means(span, now))
        plans = await self._answer(self.history.plans(self.state.site.site, span.start, now)) or []
        if self.state.plan is not None:
            plans = [*plans, self.state.plan.word]
        energies = [one.energy / len(one.racks) for one in self.state.site.battery for _ in one.racks]
        seen = found or {name: [[] for _ in places] for name, places in self._devices().items()}
        columns = actual(seen, span, energies) | planned(plans, span)
        return {
            "seconds": span.seconds,
            "now": now.timestamp(),
            "fault": "the archive cannot be read" if found is None else "",
            "at": [at.timestamp() for at in span.instants],
            "columns": columns,
        }

    def _devices(self) -> dict[str, list[tuple[str, str]]]:
        site = self.state.site
        return {
            "grid": [(site.grid.meter, "p")],
            "pv": site.pv_points,
            "battery": [(pcs, "p") for pcs in site.pcs],
            "soc": [(rack, "soc") for rack in site.racks],
        }

    async def _means(self, span: Span, now: datetime) -> dict[str, list[Means]]:
        site, end = self.state.site.site, min(span.end, now)
        return {
            name: [await self.history.means(site, *one, span.start, end, span.seconds) for one in places]
            for name, places in self._devices().items()
        }

    async def _answer(self, question: Awaitable[T]) -> T | None:
        """What the archive says, or None; the state remembers whether it spoke."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await question
        except (SQLAlchemyError, OSError, TimeoutError, Trouble) as wrong:
            if self.state.archive is not False:
                log.warning("the archive cannot be read: %s", str(wrong).split("\n", 1)[0] or type(wrong).__name__)
            self.state.archive = False
            return None
        if self.state.archive is False:
            log.info("the archive is back")
        self.state.archive = True
        return answer
