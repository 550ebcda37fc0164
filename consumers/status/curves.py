"""Asks the archive for the page: curves for the chart. When it is silent there are gaps."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from consumers.status.answers import Answers
from consumers.status.archive import Archive
from consumers.status.foreseen import Foreseen
from consumers.status.series import Column, Means, Span, actual, around, today
from consumers.status.state import State
from runtime.history import History
from runtime.money_rows import told
from schemas.units import utc_now


class Curves:
    """The archive as the page needs it."""

    def __init__(self, state: State, history: History, archive: Archive | None = None) -> None:
        self.state = state
        self.history = history
        self.archive = archive or Archive(state)
        self._answers: Answers[float | None, dict[str, Any]] = Answers(self._columns)

    async def over(self, hours: float | None) -> dict[str, Any]:
        """Columns on one time axis: so many hours back and ahead, or the day of the site. Raises Busy."""
        return await self._answers.to(hours)

    async def _columns(self, hours: float | None) -> dict[str, Any]:
        now, site = utc_now(), self.state.site
        slowest = max(device.poll for device in site.device)
        span = around(now, hours, slowest) if hours else today(now, site.zone)
        found = await self.archive.answer(self._means(span, now))
        energies = [one.energy / len(one.racks) for one in site.battery for _ in one.racks]
        seen = found or {name: [[] for _ in places] for name, places in self._devices().items()}
        return {
            "seconds": span.seconds,
            "now": now.timestamp(),
            "fault": "the archive cannot be read" if found is None else "",
            "at": [at.timestamp() for at in span.instants],
            "columns": actual(seen, span, energies) | await self._foreseen(span, now),
            "money": None if hours else await self.archive.answer(self._money(now)),
        }

    async def _money(self, now: datetime) -> dict[str, Any] | None:
        """What the present day has cost so far, as far as it is priced, and what the battery has saved of it."""
        site = self.state.site
        days = await self.history.money_days(site.site, today(now, site.zone).start, now)
        return told(days[-1]) if days else None

    async def _foreseen(self, span: Span, now: datetime) -> dict[str, Column]:
        """What was planned at the time, and what is planned now."""
        columns = Foreseen(span)
        past = [at for at in span.instants if at <= now]
        await self.archive.answer(self._planned(columns, past, timedelta(seconds=span.seconds)))
        if self.state.plan is not None:
            columns.tell_newest(self.state.plan.word)
        return columns.columns

    async def _planned(self, columns: Foreseen, past: Sequence[datetime], lasts: timedelta) -> None:
        async for plan, instants in self.history.plans_at(self.state.site.site, past, lasts):
            columns.tell(plan, instants)

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
