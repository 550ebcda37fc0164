"""The billing window that runs now, and the peak of its period so far: what a demand tariff counts."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from optimizer.demand import MONTHLY, Charged, charged, period
from optimizer.tariff import window
from schemas.tariff import Demand

LONGEST = 60.0
"""Seconds a reading may stand for; a longer silence was not seen."""
COMPLETE = 0.9
"""A window of which less was seen says nothing about the peak."""


def least_seen(poll: float) -> float:
    """Seconds of a quarter of an hour that must have been seen, of a meter read each `poll` seconds: 0 where readings
    are so rare that each stands for longer than anybody believes it."""
    return COMPLETE * 900.0 if 2 * poll <= LONGEST else 0.0


@dataclass(frozen=True)
class Billing:
    """Folded from the readings of the grid meter; only import is billed."""

    zone: ZoneInfo
    minutes: int
    at: datetime | None = None
    """Of the last reading."""
    power: float = 0.0
    energy: float = 0.0
    """Wh imported in this window while it was seen."""
    seen: float = 0.0
    """Seconds of this window that were seen."""
    peak: float = 0.0
    """W, the highest mean of a window of this period that was seen whole."""
    how: Charged = MONTHLY
    """The periods."""

    def of(self, demand: Demand | None) -> "Billing":
        """As a tariff counts that could be read at last. Other windows tell nothing of its own: then it begins anew; a
        peak of its month was one of its year, too."""
        if demand is None or (demand.minutes, charged(demand)) == (self.minutes, self.how):
            return self
        if demand.minutes == self.minutes and self.how.per == "month":
            return replace(self, how=charged(demand))
        return Billing(self.zone, demand.minutes, how=charged(demand))

    def fold(self, at: datetime, power: float) -> "Billing":
        """The next reading. One that is a little older changes nothing; one that is much older shows that the clock
        was set back: the window begins anew, or a day would be lost."""
        if self.at is None:
            return replace(self, at=at, power=power)
        if at <= self.at:
            return self if (self.at - at).total_seconds() <= LONGEST else self._anew(at, power)
        now = self
        while at >= (end := window(now.at or at, self.zone, self.minutes)[1]):
            now = now._until(end)._closed(end)
            if (at - end).total_seconds() > LONGEST:  # a long silence: begin anew where the reading is
                now = replace(now, at=max(end, window(at, self.zone, self.minutes)[0]))
        another = self._period(at) != self._period(self.at)
        return replace(now._until(at), at=at, power=power, peak=0.0 if another else now.peak)

    def _period(self, at: datetime) -> tuple[datetime, datetime]:
        return period(at, self.zone, self.how)

    def _anew(self, at: datetime, power: float) -> "Billing":
        same = self._period(at) == self._period(self.at or at)
        return replace(self, at=at, power=power, energy=0.0, seen=0.0, peak=self.peak if same else 0.0)

    def _until(self, at: datetime) -> "Billing":
        seconds = (at - (self.at or at)).total_seconds()
        if seconds > LONGEST:
            return replace(self, at=at)
        return replace(
            self, at=at, seen=self.seen + seconds, energy=self.energy + max(self.power, 0.0) * seconds / 3600
        )

    def _closed(self, end: datetime) -> "Billing":
        whole = self.seen >= COMPLETE * self.minutes * 60
        peak = max(self.peak, self.energy / self.seen * 3600) if whole else self.peak
        return replace(self, at=end, energy=0.0, seen=0.0, peak=peak)

    def imported(self, now: datetime) -> float:
        """Wh in the window of `now` so far; what was not seen is taken to be like what was."""
        start, _ = window(now, self.zone, self.minutes)
        if self.at is None or self.at < start:
            return max(self.power, 0.0) * (now - start).total_seconds() / 3600
        mean = self.energy / self.seen * 3600 if self.seen else max(self.power, 0.0)
        return mean * (now - start).total_seconds() / 3600

    def room(self, now: datetime, limit: float) -> float:
        """The mean import in W that keeps this window's mean at or below `limit`; 0 when that is lost."""
        _, end = window(now, self.zone, self.minutes)
        left = limit * self.minutes / 60 - self.imported(now)
        return max(left, 0.0) * 3600 / max((end - now).total_seconds(), 1.0)
