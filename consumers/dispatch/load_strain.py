"""How near the grid connection and the billed windows are to what may be, for the loads that give way. Pure.

A meter that is late shows the site before the loads went and the batteries came: what they have done since, it will
show by itself, and no other load goes for it. What they have taken back does not count: a load goes too early then.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.billed_peaks import BilledPeaks
from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.load_shedding import Strain, consumption, strained
from consumers.dispatch.moment import Fold
from optimizer.net_load import Reading
from optimizer.situation.ages import METER_NOW
from schemas.messages import Plan
from schemas.site import Site

SETTLED = 60.0
"""Seconds before the end of a billing window from which no load is switched for it: its mean is as good as made."""
KEPT = 120.0
"""Seconds of the past; no meter of a site may be later."""


@dataclass
class LoadStrain:
    """At one site."""

    site: Site
    fold: Fold
    limits: GridLimits
    peaks: BilledPeaks
    _own: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))
    """W that the flexible loads draw less what the batteries give, as they were read."""

    def look(
        self,
        plan: Plan | None,
        batteries: Sequence[BatteryDesk],
        now: datetime,
        mono: float,
        *,
        most: float,
        loads: float,
    ) -> Strain:
        """`batteries`: those that are steered, which may give `most` W without what is kept in reserve; `loads`: W that
        all flexible loads draw."""
        self._own.append((mono, loads - sum(one.power or 0.0 for one in self.fold.batteries.values())))
        fresh = mono - self.fold.meter_heard <= self.site.named(self.site.grid.meter).stale_after(METER_NOW)
        powers = [(one.seen.power or 0.0, one.room(mono).high) for one in batteries]
        most = min(sum(max(one) for one in powers), most)
        spare = max(0.0, most - sum(power for power, _ in powers))
        limit = self.limits.bounds(now).import_limit
        whose, hard = consumption(self.limits.held(now), self.site.grid.import_limit, limit)
        each = self.peaks.windows(plan, now, limit)
        peaks = [(one.room(now, peak), f"the {one.how.per}'s peak") for one, peak in each if one.left(now) > SETTLED]
        grid = self.fold.billing.power if fresh else None
        return strained(grid, spare, [(limit, whose), *peaks], whose if hard else "", self._relieved(mono))

    def _relieved(self, mono: float) -> float:
        """W by which the grid carries less by now than the meter may show."""
        shown = self.fold.meter_heard - self.fold.load.load.late
        before = [power for at, power in self._own if at < shown][-1:]
        while self._own and self._own[0][0] < mono - KEPT:
            self._own.popleft()
        return max([*before, *(power for at, power in self._own if at >= shown)]) - self._own[-1][1]
