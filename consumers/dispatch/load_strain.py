"""How near the grid connection and the billed windows are to what may be, for the loads that give way. Pure.

A meter that is late shows the site before the loads went and the batteries came: what they have done since, it will
show by itself, and no other load goes for it. What they have taken back does not count: a load goes too early then.
Nor does what happened while nobody heard them: when that was, and whether the meter has shown it, is not known.
"""

from collections import deque
from collections.abc import Mapping, Sequence
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
    """W that the flexible loads draw more, and the batteries give less, than in the beginning, as they were read."""
    _read: Mapping[str, float] = field(default_factory=dict)
    """W that each of them took when it was looked last; without those that were silent."""

    def look(
        self,
        plan: Plan | None,
        batteries: Sequence[BatteryDesk],
        now: datetime,
        mono: float,
        *,
        most: float,
        loads: Mapping[str, float],
    ) -> Strain:
        """`batteries`: those that are steered, which may give `most` W without what is kept in reserve; `loads`: W that
        each flexible load draws which is read."""
        self._note(loads, mono)
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

    def _note(self, loads: Mapping[str, float], mono: float) -> None:
        given = {
            pcs: one.power
            for pcs, one in self.fold.batteries.items()
            if one.power is not None and mono - self.fold.seen.heard(pcs) <= one.pcs_silent
        }
        read = {**loads, **{pcs: -power for pcs, power in given.items()}}
        more = sum(power - self._read[name] for name, power in read.items() if name in self._read)
        self._own.append((mono, (self._own[-1][1] if self._own else 0.0) + more))
        self._read = read

    def _relieved(self, mono: float) -> float:
        """W by which the grid carries less by now than the meter may show."""
        shown = self.fold.meter_heard - self.fold.load.load.late
        before = [power for at, power in self._own if at < shown][-1:]
        while self._own and self._own[0][0] < mono - KEPT:
            self._own.popleft()
        return max([*before, *(power for at, power in self._own if at >= shown)]) - self._own[-1][1]
