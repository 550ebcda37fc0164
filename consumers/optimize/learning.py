"""The forecast that was learned last, and when it is time to learn again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from schemas.site import Site

if TYPE_CHECKING:
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
