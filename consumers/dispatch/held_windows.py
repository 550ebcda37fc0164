"""The billing windows that run beside those of the first demand, so that each demand is held in its own. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from consumers.dispatch.kept import KeptWindow
from optimizer.billing import MOST
from optimizer.running_window import RunningWindow
from optimizer.site_billing import told
from schemas.billing import Billing
from schemas.site import Site
from schemas.tariff import Demand
from schemas.units import EARLIEST

LONGEST = timedelta(hours=1)
"""Of all windows there are."""


@dataclass(frozen=True)
class HeldWindows:
    """Folded from the same readings as the first."""

    others: tuple[RunningWindow, ...] = ()
    """Of each demand but the first."""
    parts: Mapping[str, RunningWindow] | None = None
    """By the name of a demand whose windows slide, the parts they are made of: where no part passes a mean, no window
    does, wherever it begins."""

    @classmethod
    def of(cls, site: Site) -> Self:
        """Of the demands of the tariff; none while it cannot be read."""
        zone, poll = site.zone, site.named(site.grid.meter).poll
        parts = {
            one.name: RunningWindow(zone, one.model_copy(update={"minutes": one.sliding, "sliding": None}), poll)
            for one in site.demands
            if one.sliding
        }
        return cls(tuple(RunningWindow(zone, one, poll) for one in site.demands[1:]), parts)

    def fold(self, at: datetime, power: float) -> "HeldWindows":
        """The next reading of the meter, in W."""
        parts = {name: one.fold(at, power) for name, one in (self.parts or {}).items()}
        return HeldWindows(tuple(one.fold(at, power) for one in self.others), parts)

    def filled(self, billing: Billing, now: datetime) -> "HeldWindows":
        """With what others saw of the windows that run."""
        return replace(self, others=tuple(filled(one, billing, now) for one in self.others))

    def begun(self, kept: Mapping[str, KeptWindow]) -> "HeldWindows":
        """With what the last run saw of them."""
        parts = {name: begun(one, kept) for name, one in (self.parts or {}).items()}
        return HeldWindows(tuple(begun(one, kept) for one in self.others), parts)

    def keep(self, first: RunningWindow, load: float, now: datetime) -> dict[str, KeptWindow]:
        """What the next run must know of all of them. `load`: W beside the batteries."""
        found = dict[str, KeptWindow]()
        for one in (first, *self.others):
            if one.demand is not None:
                held = (self.parts or {}).get(one.demand.name, one)
                had = held.so_far(now)
                beside = min(max(load, held.returned), MOST)
                found[one.demand.name] = KeptWindow(
                    start=max(had.start, EARLIEST), imported=had.imported, seen=had.seconds, silences=held.silences,
                    load=beside,
                )  # fmt: skip
        return found

    def measured(self, demand: Demand) -> float:
        """W: the highest window of a demand beside the first that was seen here."""
        return next((one.peak for one in self.others if one.demand == demand), 0.0)

    def held(self, first: RunningWindow, peaks: Mapping[str, float]) -> list[tuple[RunningWindow, float]]:
        """Each window with the mean in W that it is held at. `peaks`: by the name of the demand."""
        running = [one for one in (first, *self.others) if one.demand is not None and one.demand.name in peaks]
        return [*self._each(running, peaks)]

    def _each(
        self, running: Iterable[RunningWindow], peaks: Mapping[str, float]
    ) -> Iterable[tuple[RunningWindow, float]]:
        for one in running:
            name = one.demand.name if one.demand else ""
            yield (self.parts or {}).get(name, one), peaks[name]


def begun(one: RunningWindow, kept: Mapping[str, KeptWindow]) -> RunningWindow:
    """A window with what the last run saw of it: nothing where another one runs by now."""
    had = None if one.demand is None else kept.get(one.demand.name)
    found = one if had is None else one.filled(had.start, had.imported, had.seen)
    if had is None or found is one:
        return one
    return replace(found, silences=one.silences + had.silences, returned=max(one.returned, had.load))


def unended(kept: Mapping[str, KeptWindow], at: datetime | None, demands: Iterable[Demand]) -> Mapping[str, KeptWindow]:
    """Those that were not over when the meter was read last."""
    lengths = {one.name: timedelta(minutes=one.minutes) for one in demands}
    return {name: one for name, one in kept.items() if at is None or at < one.start + lengths.get(name, LONGEST)}


def filled(one: RunningWindow, billing: Billing | None, now: datetime) -> RunningWindow:
    """A window with what was said of it. An old word covers less of it, and is true all the same."""
    said = None if one.demand is None else told(billing, one.demand, now)
    return one if said is None else one.filled(said.window_start, said.imported, said.covered)
