"""Asks the archive for the page: curves for the chart. When it is silent there are gaps."""

from datetime import datetime, timedelta
from typing import Any

from consumers.status.answers import Answers
from consumers.status.archive import Archive
from consumers.status.chart_words import spoken
from consumers.status.foreseen import Foreseen
from consumers.status.series import Asked, Means, Span, actual, clock_change, span_of
from consumers.status.state import State
from runtime.history import History
from schemas.units import utc_now


class Curves:
    """The archive as the page needs it."""

    def __init__(self, state: State, history: History, archive: Archive | None = None) -> None:
        self.state = state
        self.history = history
        self.archive = archive or Archive(state)
        self._answers: Answers[tuple[Asked, str], dict[str, Any]] = Answers(self._columns)

    async def over(self, asked: Asked) -> dict[str, Any]:
        """Columns on one time axis; another plan makes them anew at once. Raises Busy."""
        return await self._answers.to((asked, "" if self.state.plan is None else self.state.plan.word.id))

    async def _columns(self, question: tuple[Asked, str]) -> dict[str, Any]:
        asked, _ = question
        now, site = utc_now(), self.state.site
        span = span_of(asked, now, site.zone, max(device.poll for device in site.device))
        found = await self.archive.answer(self._means(span, now))
        energies = [one.energy / len(one.racks) for one in site.battery for _ in one.racks]
        seen = found or {name: [[] for _ in places] for name, places in self._devices().items()}
        foreseen, unread = await self._foreseen(span, now)
        columns = actual(seen, span, energies) | foreseen.columns
        plan = None if self.state.plan is None else self.state.plan.word
        since = foreseen.planned_since()
        return {
            "seconds": span.seconds,
            "now": now.timestamp(),
            "fault": "the archive cannot be read" if found is None else unread,
            "at": [at.timestamp() for at in span.instants],
            "columns": columns,
            "forecast": plan.prices_until.timestamp() if plan and plan.prices_until else None,
            "planned": since.timestamp() if since else None,
            "clocks": clock_change(span, site.zone),
            "words": spoken(columns, span, now, site.zone, plan.prices_until if plan else None),
        }

    async def _foreseen(self, span: Span, now: datetime) -> tuple[Foreseen, str]:
        """What was planned at the time, and what is planned now; and why some of it is not known."""
        foreseen, unread = Foreseen(span), ""
        if span.start < now:
            found = await self.archive.answer(self._planned(foreseen, now))
            unread = "the archive did not say what was planned" if found is None else found
        if self.state.plan is not None:
            foreseen.tell_newest(self.state.plan.word, now)
        foreseen.price(self.state.site)
        return foreseen, unread

    async def _planned(self, foreseen: Foreseen, now: datetime) -> str:
        slots, lasts = foreseen.slots(now), timedelta(seconds=foreseen.lasts)
        try:
            async for plan, begun in self.history.plans_at(self.state.site.site, list(slots), lasts):
                foreseen.tell_held(plan, [at for slot in begun for at in slots[slot]])
        except ValueError as wrong:
            return str(wrong).partition("\n")[0].partition(": ")[0]
        return ""

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
        if end <= span.start:
            return {name: [[] for _ in places] for name, places in self._devices().items()}
        return {
            name: [await self.history.means(site, *one, span.start, end, span.seconds) for one in places]
            for name, places in self._devices().items()
        }
