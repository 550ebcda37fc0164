"""Learns the forecast beside the plans: in a thread of its own, and the last model goes on until there is another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple

from schemas.site import Site

if TYPE_CHECKING:
    from optimizer.forecast.model import Model
    from optimizer.record import Record

DAILY = timedelta(days=1)
OLD = timedelta(hours=26)
"""A model that is older is said to be so."""
AGAIN = timedelta(minutes=10)
"""Until learning is tried anew after it failed."""

Learn = Callable[["Record", datetime, "Model | None"], "Model"]


class Known(NamedTuple):
    """The last model."""

    model: "Model"
    since: datetime
    """The oldest that was learned from."""


@dataclass
class Learner:
    """Of one site. `learn`: for the record up to an instant and the model before it."""

    site: Site
    learn: Learn
    known: Known | None = None
    _lock: Lock = field(default_factory=Lock)
    """Prices of reserves are reckoned beside a plan."""
    _thread: Thread | None = None
    _begun: datetime | None = None
    _asked: datetime | None = None
    _failed: str = ""

    def current(self, record: "Record", now: datetime) -> "Model":
        """The last model, while another is learned where it is due. Only the first is waited for: 2 s for half a year,
        before which there is no plan that could be late."""
        self._asked = now
        with self._lock:
            if self.known is None:
                self.known = self._first(record, now)
            elif self.due(record, now) and self._may(now):
                self._begun = now
                args = record, now, None if self._longer(record) else self.known.model
                self._thread = Thread(target=self._beside, args=args, name="optimize.learn", daemon=True)
                self._thread.start()
            return self.known.model

    def due(self, record: "Record", now: datetime) -> bool:
        """Never learned, a day ago, before a clock was set back, or with a day less of the past than there is now."""
        if self.known is None:
            return True
        return not self.known.model.at <= now < self.known.model.at + DAILY or self._longer(record)

    @property
    def words(self) -> str:
        """What is wrong with learning, and how old the forecast is that goes on; empty where nothing is."""
        if self.known is None or self._asked is None:
            return ""
        late = self._asked - self.known.model.at > OLD
        if not (late or self._failed):
            return ""
        at, zone = self.known.model.at, self.site.zone
        slow = f"; learning has not ended since {self._begun.astimezone(zone):%H:%M}" if late and self._begun else ""
        why = f"; learning failed: {self._failed}" if self._failed else slow
        return f"the forecast is as it was learned on {at.astimezone(zone):%Y-%m-%d %H:%M}{why}"

    def _may(self, now: datetime) -> bool:
        """One at a time, and not at once again what failed."""
        if self._thread is not None and self._thread.is_alive():
            return False
        return not self._failed or self._begun is None or abs(now - self._begun) >= AGAIN

    def _first(self, record: "Record", now: datetime) -> Known:
        """From nothing where the record is one that nothing can be learned from."""
        try:
            return Known(self.learn(record, now, None), record.start if len(record) else now)
        except Exception as bug:  # noqa: BLE001  # a plan needs a forecast, whatever is wrong with the past
            self._failed, self._begun = f"{type(bug).__name__}: {bug}", now
            return Known(self.learn(record.until(record.start), now, None), now)

    def _beside(self, record: "Record", now: datetime, before: "Model | None") -> None:
        try:
            model = self.learn(record, now, before)
        except Exception as bug:  # noqa: BLE001  # the last model goes on, and it is said
            self._failed = f"{type(bug).__name__}: {bug}"
            return
        self.known, self._failed = Known(model, record.start if len(record) else now), ""

    def _longer(self, record: "Record") -> bool:
        return self.known is not None and len(record) > 0 and record.start <= self.known.since - DAILY
