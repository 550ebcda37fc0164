"""The forecast that was learned last, when it is time to learn again, and those from outside beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from consumers.optimize.forecasts_heard import ForecastsHeard
from consumers.optimize.learner import Learner
from schemas.forecast_skill import ForecastSkill, PriceSkill
from schemas.site import Site

if TYPE_CHECKING:
    from consumers.optimize.outside import Outside
    from optimizer.forecast.ahead import Ahead
    from optimizer.forecast.model import Model
    from optimizer.record import Record
    from optimizer.tariff import Series


@dataclass
class Learning:
    """Kept by the service; forecasts are asked for in the planning thread."""

    site: Site
    learner: Learner = field(init=False)
    state: Path | None = None
    """Where it is kept what was heard from outside; None: nowhere."""
    heard: ForecastsHeard = field(init=False)
    outside: "Outside | None" = None
    prices: list[PriceSkill] = field(default_factory=list)
    """How far off those of the market were."""
    failed: str = ""
    """Why forecasts from outside are not used at all; empty where they are."""

    _judged: "dict[str, datetime | None]" = field(default_factory=dict)
    """Where the prices ended."""

    def __post_init__(self) -> None:
        self.heard = ForecastsHeard(self.site)
        self.learner = Learner(self.site, self._learn)

    @property
    def model(self) -> "Model | None":
        """That was learned last."""
        return self.learner.known.model if self.learner.known else None

    def ahead(self, record: "Record", now: datetime, starts: Sequence[datetime], load: float, pv: float) -> "Ahead":
        """What is forecast for steps, from W at present."""
        from consumers.optimize.outside import Outside  # noqa: PLC0415  # numpy is loaded in the planning thread

        model = self.learner.current(record, now)
        own = model.ahead(record, starts, load, pv)
        self.outside = self.outside or Outside(self.site, self.heard, self.state)
        try:
            both, self.failed = self.outside.ahead(own, starts, record, model, now), ""
        except Exception as bug:  # noqa: BLE001  # whatever comes from outside, it costs no plan
            both, self.failed = own, f"forecasts from outside are not used: {type(bug).__name__}: {bug}"
        return both

    def skill(self, now: datetime) -> ForecastSkill | None:
        """To be published; None before anything was learned."""
        if (model := self.model) is None:
            return None
        outside = self.outside.outsiders() if self.outside else []
        return model.skill(now).model_copy(update={"outside": outside, "prices": self.prices})

    def judge(self, series: "Mapping[str, Series]") -> None:
        """How far off prices were; reckoned anew when the market has said more."""
        from optimizer.forecast.price_skill import price_skill  # noqa: PLC0415  # as above

        if (ends := {place: one.end for place, one in series.items()}) != self._judged:
            self._judged = ends
            self.prices = price_skill(self.site.prices, series, self.site.zone)

    @property
    def notes(self) -> list[str]:
        """What is wrong with learning, and with forecasts from outside."""
        failed = [one for one in (self.learner.words, self.failed) if one]
        return [*failed, *(self.outside.notes() if self.outside else [])]

    def _learn(self, record: "Record", now: datetime, before: "Model | None") -> "Model":
        from optimizer.forecast.model import learn  # noqa: PLC0415  # numpy is loaded in the planning thread

        return learn(record, now, self.site.zone, self.site.prices.days_off, before)
