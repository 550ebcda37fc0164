"""A step's policy, carried out now: its grid target, and the billing windows that must not pass what is meant. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from optimizer import grid_target
from optimizer.grid_target import SMALL, Target
from optimizer.running_quarter import RunningQuarter
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from optimizer.stored_worth import worth
from schemas.messages import Step

Held = Sequence[tuple[RunningWindow, float]]
"""Billing windows that run, each with the highest mean import in W that it may have."""
QUARTER = 15
"""Minutes of the windows that a policy is made for."""
NEAR = 0.98
"""Of a peak: a policy that gives as much as brings the grid there does it for the peak."""


@dataclass(frozen=True)
class Present:
    """What is measured and billed when a policy is carried out. Powers in W."""

    now: datetime
    net: float
    """The load less PV, with PV that is curtailed as if it were not."""
    quarter: RunningQuarter | None
    """What was seen of the quarter hour; None where `net` stands for all of it."""
    charging: float
    """Of batteries that nobody steers, beside `net`."""
    last: float
    """W wanted the last time."""
    most: float
    """What the battery can give."""
    billing: RunningWindow
    """Of the first demand, which the policy is made for."""
    billed: float
    """W of its peak that cost nothing more."""
    held: Held
    """The windows with the peaks of the plan."""

    @property
    def smooth(self) -> float:
        """W of the net load that are expected to stay."""
        return self.net if self.quarter is None or self.quarter.at is None else self.quarter.smooth

    def is_first(self, window: RunningWindow) -> bool:
        """It is of the first demand, and of quarter hours that do not slide."""
        one, first = window.demand, self.billing.demand
        same = first is not None and one is not None and one.name == first.name
        return same and first is not None and first.minutes == QUARTER and not first.sliding

    def peak(self, meant: Target, planned: float) -> float:
        """W the first demand's windows may have: what is billed, or what the policy means; no more than a contract."""
        first = self.billing.demand
        contract = first.contract if first else None
        most = 1000 * contract.power if contract and contract.limit else float("inf")
        return min(max(self.billed, planned if meant.peak is None else meant.peak), most)


def follow(step: Step, seen: Present, battery: Storage, currency: str) -> tuple[float, str]:
    """The power in W, before any limit of battery or grid, and why."""
    meant = grid_target.target(step, seen.net, seen.quarter, seen.now)
    wished = grid_target.power(step, meant, seen.net, seen.quarter, seen.now)
    if not (meant.sells or meant.buys):
        wished = grid_target.steady(wished, seen.last, worth(step, battery), seen.net, seen.now)
    least, window, peak = _least(seen, meant)
    if window is not None and meant.holds and meant.grid >= NEAR * peak:  # nothing else asks for it
        return min(max(least, 0.0), max(seen.net, 0.0)), _holds(window, peak, meant, seen.now, currency)
    if window is not None and least > wished + SMALL:
        return least, _holds(window, peak, meant, seen.now, currency)
    return wished, _why(step, meant)


def _least(seen: Present, meant: Target) -> tuple[float, RunningWindow | None, float]:
    """The least power in W that keeps every window at what is meant, whose window asks for it, and its peak."""
    found = (-float("inf"), None, 0.0)
    carried, smooth = seen.net + seen.charging, seen.smooth + seen.charging
    for window, peak in limits(seen, meant):
        least = grid_target.held_back(window, peak, seen.now, carried, smooth, seen.most)
        if least > found[0]:
            found = (least, window, peak)
    return found


def limits(seen: Present, meant: Target) -> Held:
    """Each window with the mean in W it may have: the first demand's by what is billed and what the policy means, every
    other by its planned peak, as are windows that are no quarter hours, or slide: a policy knows quarter hours only."""
    return [(window, seen.peak(meant, peak) if seen.is_first(window) else peak) for window, peak in seen.held]


def _holds(window: RunningWindow, peak: float, meant: Target, now: datetime, currency: str) -> str:
    words = grid_target.words(window, peak, now, currency)
    return f"{words}; it may rise, energy is worth more later" if meant.rises else words


def _why(step: Step, meant: Target) -> str:
    """In the plan's words where it foresaw what is done now."""
    same = step.power * meant.given > 0 or max(abs(step.power), abs(meant.given)) <= SMALL
    if same:
        return step.reason
    stored = f"{step.marginal_value:.2f} per kWh"
    if meant.sells:
        return f"sells at {step.price_export:.2f} per kWh: stored it is worth {stored}"
    if meant.buys:
        return f"buys at {step.price_import:.2f} per kWh: stored it is worth {stored}"
    if meant.given > SMALL:
        return f"covers the load: a kWh costs {step.price_import:.2f}, stored it is worth {stored}"
    if meant.given < -SMALL:
        return f"stores PV: worth {stored}, sold at {step.price_export:.2f}"
    return f"rests: stored energy is worth {stored}"
