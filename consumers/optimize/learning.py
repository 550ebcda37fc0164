"""The forecast that was learned last, when it is time to learn again, and those from outside beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from consumers.optimize.forecasts_heard import ForecastsHeard
from schemas.forecast_skill import ForecastSkill
from schemas.site import Site

if TYPE_CHECKING:
    from consumers.optimize.outside import Outside
    from optimizer.forecast.ahead import Ahead
    from optimizer.forecast.model import Model
    from optimizer.record import Record

DAILY = timedelta(days=1)


@dataclass
class Learning:
    """Kept by the service; `renew` is asked for in a thread of its own."""

    site: Site
    model: "Model | None" = None
    since: datetime | None = None
    """The oldest that was learned from."""
    state: Path | None = None
    """Where it is kept what was heard from outside; None: nowhere."""
    heard: ForecastsHeard = field(init=False)
    outside: "Outside | None" = None
    failed: str = ""
    """Why forecasts from outside are not used at all; empty where they are."""

    def __post_init__(self) -> None:
        self.heard = ForecastsHeard(self.site)

    def ahead(self, record: "Record", now: datetime, starts: Sequence[datetime], load: float, pv: float) -> "Ahead":
        """What is forecast for steps, from W at present."""
        from consumers.optimize.outside import Outside  # noqa: PLC0415  # numpy is loaded in the planning thread

        model = self.current(record, now)
        own = model.ahead(record, starts, load, pv)
        self.outside = self.outside or Outside(self.site, self.heard, self.state)
        try:
            both, self.failed = self.outside.ahead(own, starts, record, model, now), ""
        except Exception as bug:  # noqa: BLE001  # whatever comes from outside, it costs no plan
            both, self.failed = own, f"forecasts from outside are not used: {type(bug).__name__}: {bug}"
        return both

    def skill(self, now: datetime) -> ForecastSkill | None:
        """To be published; None before anything was learned."""
        if self.model is None:
            return None
        return self.model.skill(now).model_copy(update={"outside": self.outside.outsiders() if self.outside else []})

    @property
    def notes(self) -> list[str]:
        """What is wrong with forecasts from outside."""
        failed = [self.failed] if self.failed else []
        return [*failed, *(self.outside.notes() if self.outside else [])]

    def due(self, record: "Record", now: datetime) -> bool:
        """Never learned, a day ago, before a clock was set back, or with a day less of the past than there is now."""
        if self.model is None or self.since is None:
            return True
        return not self.model.at <= now < self.model.at + DAILY or self._longer(record)

    def current(self, record: "Record", now: datetime) -> "Model":
        """The last one, or a new one where it is due."""
        return self.renew(record, now) if self.model is None or self.due(record, now) else self.model

    def renew(self, record: "Record", now: datetime) -> "Model":
        """Learn: 2 s from half a year, 50 ms a day later."""
        from optimizer.forecast.model import learn  # noqa: PLC0415  # numpy is loaded in the planning thread

        before = None if self._longer(record) else self.model
        self.model = learn(record, now, self.site.zone, self.site.prices.days_off, before)
        self.since = record.start if len(record) else now
        return self.model

    def _longer(self, record: "Record") -> bool:
        return self.since is not None and len(record) > 0 and record.start <= self.since - DAILY
