"""A step's policy, carried out now: its grid target, and the billing windows that must not pass what is meant. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import NamedTuple

from optimizer import grid_target
from optimizer.grid_target import SMALL, Load, Target
from optimizer.running_step import RunningStep
from optimizer.running_window import RunningWindow
from optimizer.setpoint_whys import of_peak, of_policy
from optimizer.storage import Storage
from optimizer.stored_worth import worth
from optimizer.why_words import minus
from schemas.messages import Step, Why
from schemas.why import WhyCode, way

Held = Sequence[tuple[RunningWindow, float]]
"""Billing windows that run, each with the highest mean import in W that it may have."""
QUARTER = 15
"""Minutes of the windows that a policy is made for."""
NEAR = 0.98
"""Of a peak: a policy that gives as much as brings the grid there does it for the peak."""

ALIKE = 0.2
"""Of the planned power: so much apart it is what the plan foresaw."""


@dataclass(frozen=True)
class Present:
    """What is measured and billed when a policy is carried out. Powers in W."""

    now: datetime
    net: float
    """The load less PV, with PV that is curtailed as if it were not."""
    running: RunningStep | None
    """What was seen of the step; None where `net` stands for all of it."""
    charging: float
    """Of batteries that nobody steers, beside `net`."""
    last: float
    """W wanted the last time."""
    most: float
    """What the battery can give."""
    rated: float
    billing: RunningWindow
    """Of the first demand, which the policy is made for."""
    billed: float
    """W of its peak that cost nothing more."""
    held: Held
    """The windows with the peaks of the plan."""
    unsure: float = 0.0
    """W by which the mean of a window may be off."""

    @property
    def load(self) -> Load:
        """As the grid carries it."""
        one = self.running
        quick, smooth = (self.net, self.net) if one is None or one.at is None else (one.quick, one.smooth)
        return Load(self.net + self.charging, quick + self.charging, smooth + self.charging)

    def is_first(self, window: RunningWindow) -> bool:
        """It is of the first demand, and of quarter hours that do not slide."""
        one, first = window.demand, self.billing.demand
        same = first is not None and one is not None and one.name == first.name
        return same and first is not None and first.minutes == QUARTER and not first.sliding


class Asks(NamedTuple):
    """A billing window, and what it asks for."""

    window: RunningWindow
    peak: float
    """W that its mean may have."""
    mean: float
    """W it comes to if the policy is carried out; of a window that is held at its planned peak nobody asks."""
    least: float
    """W of the battery that keep it there."""


class Followed(NamedTuple):
    """What a policy comes to."""

    power: float
    """W, before any limit of battery or grid."""
    why: str
    least: float
    """W: less is not even taken for the same, at the end of a window."""
    needed: float
    """W that keep each window at what is meant, whatever else is wished instead of the policy."""
    whys: tuple[Why, ...]
    """The same as `why`, for programs."""


def follow(step: Step, seen: Present, battery: Storage, currency: str) -> Followed:
    """A step's policy, now."""
    meant = grid_target.target(step, seen.net, seen.running, seen.now, seen.rated)
    wished = grid_target.power(step, meant, seen.net, seen.running, seen.now)
    if not (meant.sells or meant.buys):
        wished = grid_target.steady(wished, seen.last, worth(step, battery), seen.net, seen.now)
    asks = max((_asks(step, seen, meant, *one) for one in seen.held), key=lambda one: one.least, default=None)
    words, whys = _why(step, meant, wished, currency)
    if asks is None or asks.least == -inf:  # no window counts now
        return Followed(wished, words, -inf, -inf, whys)
    floor = asks.least if asks.window.left(seen.now) < grid_target.ENDING else -inf
    if meant.holds and (
        asks.mean >= NEAR * asks.peak or _caps_longer(step, seen, meant, asks)
    ):  # nothing else wants the energy
        power = grid_target.between(max(asks.least, 0.0), seen.net)
        if _foreseen(step, meant):
            return Followed(power, step.reason, min(floor, power), asks.least, (*step.why,))
        return Followed(
            power, _holds(asks, step, seen.now, currency), min(floor, power), asks.least, _peak_of(asks, seen)
        )
    if asks.least > wished + SMALL:
        return Followed(asks.least, _holds(asks, step, seen.now, currency), floor, asks.least, _peak_of(asks, seen))
    return Followed(wished, words, min(floor, wished), asks.least, whys)


def _peak_of(asks: Asks, seen: Present) -> tuple[Why, ...]:
    return (of_peak(asks.window, asks.peak, seen.now, several=len(seen.held) > 1),)


def _caps_longer(step: Step, seen: Present, meant: Target, asks: Asks) -> bool:
    """The policy holds a quarter of an hour at its cap, for windows that are longer, or slide: these make up for it."""
    first, one = seen.billing.demand, asks.window.demand
    same = first is not None and one is not None and one.name == first.name and not seen.is_first(asks.window)
    return same and step.cap is not None and meant.grid >= NEAR * step.cap


def _asks(step: Step, seen: Present, meant: Target, window: RunningWindow, planned: float) -> Asks:
    """What a window asks for. That of the first demand is held at what is billed and what the policy means; every other
    at its planned peak, as are windows that are no quarter hours, or slide: a policy knows quarter hours only."""
    mean, peak = -inf, planned
    if seen.is_first(window):
        mean = grid_target.mean(window, meant, seen.running, seen.now, step)
        peak = _peak(step, meant, mean, planned, seen)
    last = inf if seen.running is None or seen.running.at is None else seen.last  # a moment that stands for all
    return Asks(
        window, peak, mean, grid_target.held_back(window, peak - seen.unsure, seen.now, seen.load, seen.most, last)
    )


def _peak(step: Step, meant: Target, mean: float, planned: float, seen: Present) -> float:
    """W the windows of the first demand may have: no more than a contract, where that is to be a limit."""
    first = seen.billing.demand
    contract = first.contract if first else None
    most = 1000 * contract.power if contract and contract.limit else inf
    if step.cap is None:
        means = mean if meant.holds else planned
    elif mean > step.cap and meant.given >= seen.most - meant.near:
        means = mean  # it gives all it can, and that does not hold the cap
    else:
        means = min(mean, step.cap) if meant.holds else step.cap
    return min(max(seen.billed, means), most)


def _foreseen(step: Step, meant: Target) -> bool:
    """The plan gives about as much for the load it forecast, for its price and for no peak: a policy has corners, and
    between two of them it leaves some of the load to the grid."""
    about = abs(meant.given - step.power) <= meant.near + ALIKE * abs(step.power)
    return about and bool(step.why) and step.why[0].code == WhyCode.COVERS_LOAD


def _holds(asks: Asks, step: Step, now: datetime, currency: str) -> str:
    words = grid_target.words(asks.window, asks.peak, now, currency)
    return f"{words}; more cannot be given" if step.cap is not None and asks.peak > step.cap + SMALL else words


def _why(step: Step, meant: Target, power: float, currency: str) -> tuple[str, tuple[Why, ...]]:
    """In the plan's words where it foresaw what is done now, `power` in W."""
    same = way(step.power) == way(meant.given) or way(step.power) == way(power)
    if same:
        return step.reason, (*step.why,)
    return _unforeseen(step, meant, currency), of_policy(step, meant)


def _unforeseen(step: Step, meant: Target, currency: str) -> str:
    def price(amount: float) -> str:
        return f"{minus(f'{amount:.2f}')} {currency}/kWh"

    stored, bought, sold = price(step.marginal_value), price(step.price_import), price(step.price_export)
    if meant.sells:
        return f"sells at {sold}: stored it is worth {stored}"
    if meant.buys:
        dear = step.price_import > step.marginal_value
        why = ", for a load that may be higher than forecast" if dear else f": stored it is worth {stored}"
        return f"buys at {bought}{why}"
    if meant.given > meant.near:
        return f"covers the load: bought it costs {bought}, stored it is worth {stored}"
    if meant.given < -meant.near:
        return f"stores PV: worth {stored}, sold at {sold}"
    return f"rests: stored energy is worth {stored}"
