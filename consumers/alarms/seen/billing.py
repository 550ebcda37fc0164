"""What is billed by the kW, as alarms look at it: the peak, the window that runs, and the one that just closed. Pure.

Of several demand components the first is meant, as in the plan.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from optimizer.billing import least_seen
from schemas.billing import BilledComponent, Billing

END = 30.0
"""Seconds before its end at which a window must have been told of last, and after it in which the next one must be; it
is told of each 10 s."""


@dataclass
class BillingSeen:
    """Of one site. `poll`: seconds between two readings of the grid meter."""

    poll: float = 1.0
    now: BilledComponent | None = None
    at: datetime | None = None
    until: datetime | None = None
    closed: float | None = None
    """W, the mean of the window that closed last; None where it was not seen to its end, or is billed to nobody."""

    meant: float | None = None
    """W that was the target when the window that closed last began: a peak that was reached is the target since."""
    _aim: float | None = None
    """The same of the window that runs."""

    def hear(self, billing: Billing, target: float | None = None) -> None:
        """What is billed now. `target`: W that no window should pass, by what was known before."""
        new = next(iter(billing.components), None)
        if self.now is not None and new is not None and new.name == self.now.name:
            if new.window_start > self.now.window_start:
                self.closed, self.meant = self._mean(self.now, new), self._aim
                self._aim = target
        else:
            self.closed, self._aim = None, target
        self._aim = target if self._aim is None else self._aim
        self.now, self.at, self.until = new, billing.at, billing.until

    def _mean(self, one: BilledComponent, new: BilledComponent) -> float | None:
        """Of a window that is over; None where the one between it and the new one was missed."""
        seen_to_its_end = self.at is not None and (one.window_end - self.at).total_seconds() <= END
        if new.window_start != one.window_end or not seen_to_its_end or not one.counts:
            return None
        return one.mean if one.covered + END >= least_seen(one.minutes, self.poll) else None

    def peak(self, wall: datetime) -> float | None:
        """W that is billed of this period already, whatever comes; None while nothing is known."""
        one = self.now
        if one is None or wall >= one.period_end:
            return None
        if one.peak is None:
            return one.floor or None
        return max(one.peak, one.floor)

    def mean(self, wall: datetime) -> float | None:
        """W, of the window that runs so far."""
        if self.now is None or self.until is None or wall >= min(self.until, self.now.window_end):
            return None
        return self.now.mean

    def seen(self, wall: datetime) -> float | None:
        """Seconds of the window that runs of which its mean is known."""
        return None if self.mean(wall) is None or self.now is None else self.now.covered

    def length(self, zone: tzinfo) -> float | None:
        """Seconds of the window that runs, where it stands on the clock: one that slides may begin between."""
        if self.now is None:
            return None
        begin = self.now.window_start.astimezone(zone)
        return 60.0 * self.now.minutes if (begin.hour * 60 + begin.minute) % self.now.minutes == 0 else None

    def just_closed(self, wall: datetime) -> float | None:
        """W, of the window before the one that runs."""
        return self.closed if self.now is not None and wall < self.now.window_end + timedelta(seconds=END) else None
