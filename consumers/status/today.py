"""Asks the archive for the figures of the site's day so far."""

from datetime import datetime
from typing import Any

from consumers.status.answers import Answers
from consumers.status.archive import Archive
from consumers.status.day import DAY, QUARTER, Places, energies
from consumers.status.series import today
from consumers.status.state import State
from runtime.history import History
from runtime.money_rows import told
from schemas.units import utc_now

SILENT = "the archive cannot be read"


class Today:
    """The energies are those of `v_energy_15min`, the money is that of `joulebus money`."""

    def __init__(self, state: State, history: History, archive: Archive) -> None:
        self.state = state
        self.history = history
        self.archive = archive
        self.places = Places.of(state.site)
        self._answers: Answers[None, dict[str, Any]] = Answers(self._figures)

    async def figures(self) -> dict[str, Any]:
        """As `/api/today` gives them: Wh and money; None is unknown."""
        return await self._answers.to(None)

    async def _figures(self, _: None) -> dict[str, Any]:
        now, site = utc_now(), self.state.site
        start = today(now, site.zone).start
        found = await self.archive.answer(self._asked(start, now))
        known, money = found or ({}, None)
        return {
            "now": now.isoformat(),
            "begin": start.isoformat(),
            "fault": SILENT if found is None else "",
            "energies": energies(self.places, known, start, now),
            "money": money,
        }

    async def _asked(self, start: datetime, now: datetime) -> tuple[dict[Any, Any], dict[str, Any] | None]:
        site = self.state.site.site
        known = {
            (device, point): await self.history.energies(site, device, start, now, point)
            for device, point in self.places.all
        }
        for sun in self.places.suns:
            known[sun] = await self.history.energies(site, sun[0], start - DAY, start, sun[1]) + known[sun]
        days = await self.history.money_days(site, start, now)
        if not days:
            return known, None
        day, quarters = days[-1], await self.history.money(site, start, now)
        until = quarters[-1].at + QUARTER if quarters else None
        return known, told(day) | {"until": until.isoformat() if until else None}
