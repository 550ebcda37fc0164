"""The peaks that are billed, as dispatch holds them: what a plan means to let pass, or what is billed already. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.held_windows import begun, filled, unended
from consumers.dispatch.kept import Kept, KeptWindow
from consumers.dispatch.moment import Fold
from consumers.dispatch.plans import binding, held, peak, planned
from optimizer.demand import charged
from optimizer.running_window import RunningWindow
from optimizer.site_billing import billed_peak
from schemas.billing import Billing
from schemas.messages import Plan
from schemas.site import Site
from schemas.tariff import Demand


@dataclass
class BilledPeaks:
    """Of one site."""

    site: Site
    fold: Fold
    """Whose windows run."""
    demand: Demand | None = field(init=False)
    """Why a peak costs something; None also while the tariff cannot be read."""
    peak: float | None = None
    """W, the peak of the month or year as it was planned or billed last."""
    others: dict[str, float] = field(default_factory=dict)
    """The same of the demands beside the first, by their names."""
    told: Billing | None = None
    """What the site is billed so far, by the last word of it: its peaks hold until their periods end."""

    before: Mapping[str, KeptWindow] = field(default_factory=dict)
    """What the last run saw of the windows, by the names of the demands, until they have ended: after a clock that is
    set back another one has the same name."""

    def __post_init__(self) -> None:
        self.demand = self.site.demand

    def bill(self, demand: Demand | None) -> None:
        """The tariff can be read now."""
        self.demand = demand
        self.fold.bill(demand)

    def hear(self, billing: Billing | None, now: datetime) -> None:
        """What is billed so far, as the archive has it. Of a window that runs it may know more than was heard here."""
        self.told = billing
        self.fill(now)

    def fill(self, now: datetime) -> None:
        """The windows that run, with what was said of them, or known before the last restart."""
        if self.before:
            self.fold.billing = begun(self.fold.billing, self.before)
            self.fold.windows = self.fold.windows.begun(self.before)
            self.before = unended(self.before, self.fold.billing.at, self.site.demands)
        if self.told is not None:
            self.fold.billing = filled(self.fold.billing, self.told, now)
            self.fold.windows = self.fold.windows.filled(self.told, now)

    def begin(self, kept: Kept) -> None:
        """What the last run has kept."""
        self.peak, self.others, self.before = kept.peak, dict(kept.peaks), kept.windows

    def keep(self, now: datetime) -> dict[str, KeptWindow]:
        """What the next run must know of the windows: what the last one knew, as long as this one has read nothing."""
        if self.fold.billing.at is None:
            return dict(self.before)
        return self.fold.windows.keep(self.fold.billing, self.fold.running.smooth, now)

    def lowest(self, plan: Plan | None, now: datetime) -> float | None:
        """W that no billing window should pass: of the demands that count now, the lowest."""
        return binding(self.each(plan, now), now, self.site.zone, self.site.grid.import_limit)

    def billed(self, now: datetime) -> float:
        """W of the first demand's peak that cost nothing more."""
        if self.demand is None:
            return 0.0
        billed = max(self.fold.billing.peak, billed_peak(self.told, self.demand, now, self.site.zone))
        return held([(self.demand, billed)], self.site.grid.import_limit)[self.demand.name]

    def each(self, plan: Plan | None, now: datetime) -> list[tuple[Demand, float | None]]:
        """W of each demand."""
        if self.demand is None:
            return []
        zone, how = self.site.zone, charged(self.demand)
        billed = max(self.fold.billing.peak, billed_peak(self.told, self.demand, now, zone))
        self.peak = peak(plan, self.peak, billed, now, zone, how)
        found: list[tuple[Demand, float | None]] = [(self.demand, self.peak)]
        for one in self.site.demands[1:]:
            billed = max(self.fold.windows.measured(one), billed_peak(self.told, one, now, zone))
            peak_of_it = planned(plan, one, self.others.get(one.name), billed, now, zone)
            if peak_of_it is not None:
                self.others[one.name] = peak_of_it
            found.append((one, peak_of_it))
        return found

    def windows(self, plan: Plan | None, now: datetime, most: float) -> list[tuple[RunningWindow, float]]:
        """Each window that runs with the mean in W that it is held at; `most` may be drawn at all."""
        return self.fold.windows.held(self.fold.billing, held(self.each(plan, now), most))
