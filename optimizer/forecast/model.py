"""The forecast of a site, as it was learned at one time. Pure."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.forecast import cold
from optimizer.forecast.ahead import Ahead
from optimizer.forecast.clean import clean_load, clean_pv
from optimizer.forecast.learn import JUDGED, LEARNED, NOTHING, Learned, learned
from optimizer.forecast.lessons import HORIZON, NEEDED, Array, Stretch, told
from optimizer.forecast.local_days import DAY, LocalDays, Numbers, instant, quarter
from optimizer.forecast.skill import summary
from optimizer.forecast.uncertainty import Uncertainty
from optimizer.record import QUARTER, Record, Vector
from schemas.forecast_skill import ForecastSkill

FADED_IN = (14.0, 56.0)
"""Days of load between which what was learned takes over from the simple forecast: their mean is better than either."""
BEYOND = 3.0
"""How many times the most that is forecast a value may be that came since."""
REACH = (LEARNED + JUDGED) * DAY + NEEDED + 4 * DAY
"""Quarters that are learned from the first time."""


@dataclass(frozen=True)
class Model:
    """What was learned, and the last weeks before it."""

    local: LocalDays
    learned: Learned
    tail: Stretch

    @property
    def uncertainty(self) -> Uncertainty | None:
        return self.learned.doubt

    def skill(self, at: datetime) -> ForecastSkill:
        """How good the forecasts of the last two weeks were, as they would have been told each day."""
        return ForecastSkill(at=at, learned=self.at, days=self.learned.days, skills=summary(self.learned.tallies))

    @property
    def at(self) -> datetime:
        """When it was learned."""
        return instant(self.learned.at)

    def ahead(
        self, record: Record, instants: Sequence[datetime], load_now: float | None = None, pv_now: float | None = None
    ) -> Ahead:
        """W for steps that begin at these instants, of whom the first is now; from the record nothing is read that
        was not over then. `load_now`, `pv_now`: W at present. Raises ValueError for instants beyond 48 h."""
        quarters = np.array([at.timestamp() / 900 for at in instants])
        origin = quarter(instants[0])
        leads = np.floor(quarters).astype(np.int64) - origin
        if leads.max(initial=0) >= HORIZON or leads.min(initial=0) < 0:
            raise ValueError(f"a forecast reaches from {instants[0]} for {HORIZON // 4} h")
        known = self._known(record, origin)
        clocks = self.local.slots(origin, HORIZON)[leads] % DAY
        now = load_now or 0.0, pv_now or 0.0
        first = cold.told(known, origin, leads, load_now, pv_now)
        if self.learned.weights is NOTHING or self.uncertainty is None:
            return cold.ahead(first, quarters - quarters[0], cold.sizes(known, clocks, now, self.uncertainty))
        load, pv = self._told(known, origin, leads, load_now, pv_now)
        share = min(1.0, max(0.0, self.learned.days - FADED_IN[0]) / (FADED_IN[1] - FADED_IN[0]))
        load = np.where(np.isfinite(load), share * load + (1 - share) * first[0], first[0])
        pv = np.where(np.isfinite(pv), pv, first[1])
        return Ahead(
            load,
            pv,
            cold.spread(known, clocks, now, self.uncertainty),
            self.uncertainty.bands(load, pv, leads, clocks),
            quarters - quarters[0],
        )

    def _told(
        self, known: Stretch, origin: int, leads: Numbers, load_now: float | None, pv_now: float | None
    ) -> tuple[Array, Array]:
        weights, doubt = self.learned.weights, self.uncertainty
        every = np.arange(int(leads.max()) + 1)
        load, pv = (one[0] for one in told(known.features(np.array([origin]), every), weights))
        if load_now is not None and doubt is not None:
            load = np.clip(load + doubt.lasting_load[every] * (load_now - load[0]), 0, max(weights.most_load, load_now))
        if pv_now is not None and doubt is not None:
            pv = np.clip(pv + doubt.lasting_pv[every] * (pv_now - pv[0]), 0, max(weights.most_pv, pv_now))
        return load[leads], pv[leads]

    def _known(self, record: Record, origin: int) -> Stretch:
        """The last weeks up to an origin: cleaned ones as far as it was learned, then the record as it is."""
        weights, tail = self.learned.weights, self.tail
        since = record.until(instant(origin))
        first, begun = tail.end, quarter(since.start)
        count = max(0, origin - first)
        load, pv = np.full(count, np.nan), np.full(count, np.nan)
        skip, ahead = max(0, first - begun), max(0, begun - first)
        for target, source, most in ((load, since.load, weights.most_load), (pv, since.pv, weights.most_pv)):
            part = source[skip : skip + max(0, count - ahead)]
            target[ahead : ahead + len(part)] = _believed(part, most)
        whole = Stretch(self.local, tail.first, np.concatenate([tail.load, load]), np.concatenate([tail.pv, pv]))
        return whole.around(origin, origin) if origin >= tail.first else whole


def _believed(values: Vector, most: float) -> Vector:
    """What came since: as little as nothing, and not far beyond all that ever came."""
    values = np.maximum(values, 0.0)
    return np.where(values <= (BEYOND * most if most > 0 else np.inf), values, np.nan)


def learn(
    record: Record, now: datetime, zone: ZoneInfo, days_off: Container[date] = (), before: Model | None = None
) -> Model:
    """The model at an instant, from what was over then; once a day, and at any time with little to learn from.

    With the model of `before` only the days since are learned, in 10 ms a day; without, a year in about 4 s.
    """
    end = quarter(now)
    seen = record.until(instant(end))
    if not len(seen):
        seen = Record(instant(end), np.empty(0), np.empty(0))
    if quarter(seen.end) < end:  # silent since: unknown
        seen = _filled(seen, end)
    seen = seen.last(REACH * QUARTER)
    local = LocalDays(zone, days_off)
    stretch = Stretch(local, quarter(seen.start), clean_load(seen.load), clean_pv(seen.pv))
    known = learned(stretch, end, before.learned if before else None)
    return Model(local, known, stretch.around(end, end))


def _filled(record: Record, end: int) -> Record:
    missing = np.full(end - quarter(record.end), np.nan)
    return Record(record.start, np.concatenate([record.load, missing]), np.concatenate([record.pv, missing]))
