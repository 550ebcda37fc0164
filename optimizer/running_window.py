"""The billing window that runs now, and the peak of its period so far, folded from the readings of the meter. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.billing import HOLD, Window, is_billed
from optimizer.demand import Charged, charged, counts, period
from optimizer.tariff import window
from schemas.tariff import Demand


@dataclass(frozen=True)
class RunningWindow:
    """Of one demand component; only import is billed."""

    zone: ZoneInfo
    demand: Demand | None
    """None while there is none, or the tariff cannot be read: quarters of an hour are counted, and no peak is known."""
    poll: float = 1.0
    """Seconds between two readings of the meter."""
    at: datetime | None = None
    """Of the last reading."""
    power: float = 0.0
    energy: float = 0.0
    """Wh imported in this window while it was seen."""
    seen: float = 0.0
    """Seconds of this window that were seen."""
    peak: float = 0.0
    """W, the highest mean of a window of this period that was seen whole."""
    closed: tuple[Window, ...] = ()
    """The billed windows that ended with the last reading."""
    left_off: Window | None = None
    """The one before this: a clock that is set back goes on with it."""
    returned: float = 0.0
    """W that was imported when this window was seen again after a silence, at most: what nobody saw was as much."""
    silences: int = 0
    """Of this window."""

    @property
    def minutes(self) -> int:
        return 15 if self.demand is None else self.demand.minutes

    @property
    def how(self) -> Charged:
        """The periods."""
        return charged(self.demand)

    def of(self, demand: Demand | None) -> "RunningWindow":
        """As a tariff counts that could be read at last. Other windows tell nothing of its own: then it begins anew."""
        if demand is None or demand == self.demand:
            return self
        if demand.minutes == self.minutes and self.how.per == "month":
            # a peak of its month was one of its year, too, but not one of other hours
            return replace(self, demand=demand, peak=0.0 if demand.hours else self.peak)
        return RunningWindow(self.zone, demand, self.poll)

    def fold(self, at: datetime, power: float) -> "RunningWindow":
        """The next reading. One that is a little older changes nothing; one that is much older shows that the clock
        was set back: on from there, or a day would be lost."""
        if self.at is None:
            return replace(self, at=at, power=power, returned=power, silences=1)
        if at <= self.at:
            return self if (self.at - at).total_seconds() <= HOLD else self._anew(at, power)
        now, counted = replace(self, closed=()), self.at
        believed = min(at, self.at + timedelta(seconds=HOLD))
        while at >= (end := self._window(counted)[1]):
            now = now._until(counted, min(end, believed))._close(self._window(counted)[0])
            # after a long silence: on in the window of this reading
            counted = end if believed >= end else max(end, self._window(at)[0])
        another = self._period(at) != self._period(self.at)
        now = replace(now._until(counted, believed), at=at, power=power, peak=0.0 if another else now.peak)
        if believed < at:
            now = replace(now, returned=max(now.returned, power), silences=now.silences + 1)
        return now

    def filled(self, start: datetime, imported: float, seconds: float) -> "RunningWindow":
        """With what somebody else saw of the window that begins at `start`, in Wh and covered seconds, where that is
        more than was heard here: after a restart in the middle of it."""
        if self.at is None or self._window(self.at)[0] != start or seconds <= 0:
            return self
        believed = min(seconds, (self.at - start).total_seconds())  # the last value of a minute reaches beyond now
        if believed <= self.seen:
            return self
        return replace(self, energy=imported * believed / seconds, seen=believed)

    def _window(self, at: datetime) -> tuple[datetime, datetime]:
        return window(at, self.zone, self.minutes)

    def _period(self, at: datetime) -> tuple[datetime, datetime]:
        return period(at, self.zone, self.how)

    def _anew(self, at: datetime, power: float) -> "RunningWindow":
        """The clock was set back. What was seen of the window that it goes back to was true, and what flowed while the
        clock was ahead flowed in it, too: no more of it than there was time."""
        start = self._window(at)[0]
        same = self._period(at) == self._period(self.at or at)
        energy, seen = 0.0, 0.0
        if start == self._window(self.at or at)[0]:
            energy, seen = self.energy, self.seen
        elif self.left_off is not None and self.left_off.start == start:
            energy, seen = self.energy + self.left_off.imported, self.seen + self.left_off.seconds
        share = min(1.0, (at - start).total_seconds() / seen) if seen else 0.0
        peak = self.peak if same else 0.0
        return replace(self, at=at, power=power, energy=energy * share, seen=seen * share, peak=peak, closed=())

    def _until(self, start: datetime, end: datetime) -> "RunningWindow":
        """The last reading stood for this span."""
        seconds = max(0.0, (end - start).total_seconds())
        return replace(self, seen=self.seen + seconds, energy=self.energy + max(self.power, 0.0) * seconds / 3600)

    def _close(self, start: datetime) -> "RunningWindow":
        one, empty = (
            Window(start, self.energy, self.seen),
            replace(self, energy=0.0, seen=0.0, returned=0.0, silences=0),
        )
        empty = replace(empty, left_off=one)
        if not is_billed(one, self.demand or ANY, self.poll, self.zone):
            return empty
        return replace(empty, peak=max(self.peak, one.mean), closed=(*self.closed, one))

    def so_far(self, now: datetime) -> Window:
        """What was seen of the window of `now`."""
        start = self._window(now)[0]
        if self.at is None or self.at < start:
            return Window(start, 0.0, 0.0)
        return Window(start, self.energy, self.seen)

    def imported(self, now: datetime) -> float:
        """Wh in the window of `now` so far; what was not seen is taken to be like what was."""
        start = self._window(now)[0]
        mean = self.so_far(now).mean if self.so_far(now).seconds else max(self.power, 0.0)
        return mean * (now - start).total_seconds() / 3600

    def unseen(self, now: datetime) -> float:
        """Seconds of the window of `now` in which no reading was heard; the last one stands for HOLD."""
        start = self._window(now)[0]
        stood = 0.0 if self.at is None else min((now - max(self.at, start)).total_seconds(), HOLD)
        return max(0.0, (now - start).total_seconds() - self.so_far(now).seconds - max(stood, 0.0))

    def ends(self, now: datetime) -> datetime:
        """The window of `now`."""
        return self._window(now)[1]

    def left(self, now: datetime) -> float:
        """Seconds of the window of `now`."""
        return (self.ends(now) - now).total_seconds()

    def room(self, now: datetime, limit: float, haste: float = 1.0, load: float = 0.0) -> float:
        """The mean import in W that keeps this window's mean at or below `limit`; 0 when that is lost, and infinite in
        hours that the component does not count. What is beyond it so far, or below, is made up for in no less than
        `haste` seconds. What nobody saw gives no room: it is taken to have drawn the limit at least, and the `load`
        of now or of when it was seen again, as batteries rest while nobody sees. What has been silent twice may be once
        more, and for that nothing may be left to make up in."""
        start = self._window(now)[0]
        if self.demand is not None and not counts(self.demand, start, self.zone):
            return float("inf")
        elapsed, unseen = (now - start).total_seconds(), self.unseen(now)
        saved = limit * elapsed / 3600 - self.imported(now)
        if unseen > 0.0:
            mean = self.imported(now) * 3600 / elapsed
            again = unseen / self.silences if self.silences > 1 else 0.0
            saved -= (unseen + again) * max(limit - mean, load - mean, self.returned - mean, 0.0) / 3600
        return max(limit + saved * 3600 / max(self.left(now), haste), 0.0)


ANY = Demand(price=0.0)
"""Quarters of an hour of any time of day."""
