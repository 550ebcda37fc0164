"""The closed loop over a span of quarters: what is known, what is decided, and what physically happens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan

import numpy as np

from consumers.dispatch.plans import binding, held, peak, planned
from joulebus.backtest.before import HALF, Before
from joulebus.backtest.data import Quarters
from joulebus.backtest.meters import meters
from joulebus.backtest.planner import Planner
from joulebus.backtest.prices import Prices
from joulebus.backtest.score import HOUR, Played, flow
from joulebus.backtest.site import Terms
from optimizer.demand import charged
from optimizer.dispatch import Moment, Ratings, decide
from optimizer.record import QUARTER, Vector
from optimizer.rivals import price_rule, self_consumption
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from schemas.messages import ControlMode, Mode
from schemas.tariff_demand import Demand

PLANNED = ("lp", "plan")
AS_IT_RAN = "as-it-ran"
SAME = 0.001
"""Of the rated power: two powers that are nearer are one, told by other registers."""
DAY = 96
"""Quarters: a rule on prices looks so far."""


@dataclass(frozen=True)
class Span:
    """All that a run is played with; a decision at a quarter looks at nothing after it."""

    terms: Terms
    found: Quarters
    """With the history before, and with gaps."""
    played: Played
    prices: Prices
    before: Before = field(default_factory=Before)


@dataclass
class Trace:
    """What a strategy did."""

    strategy: str
    battery: Vector
    """W, positive discharging."""
    soc: Vector
    """% at the end of each quarter."""
    reasons: list[str]
    begin: float = HALF
    """% before the first."""
    milliseconds: list[float] = field(default_factory=list)
    """Of each plan."""
    refused: int = 0

    def gained(self, battery: Storage | None) -> float:
        """Wh at the end beyond the start."""
        return 0.0 if battery is None else (float(self.soc[-1]) - self.begin) / 100 * battery.energy


@dataclass
class Cell:
    """The battery's energy in Wh, within what its owner allows."""

    battery: Storage
    rated: float
    energy: float
    own_supply: float = 0.0
    """W that it loses while it rests."""

    @property
    def soc(self) -> float:
        return 100 * self.energy / self.battery.energy

    def charge(self) -> float:
        """W that can be charged through a quarter."""
        room = self.battery.energy * self.battery.soc_max / 100 - self.energy
        return min(self.rated, max(0.0, room) / HOUR / self.battery.efficiency)

    def discharge(self) -> float:
        """W that can be discharged through a quarter."""
        left = self.energy - self.battery.energy * self.battery.soc_min / 100
        return min(self.rated, max(0.0, left) / HOUR * self.battery.efficiency)

    def turn(self, wanted: float) -> float:
        """A quarter at a power in W, as far as it is possible; the power that was."""
        power = min(max(wanted, -self.charge()), self.discharge())
        self.energy += self.through(power)
        return power

    def through(self, power: float) -> float:
        """Wh that the cells gain in a quarter at a power in W."""
        cells = power / self.battery.efficiency if power > 0 else power * self.battery.efficiency
        return -(cells or self.own_supply) * HOUR

    def as_lived(self, power: float, lived: float, gained: float) -> float:
        """The power that is played of a quarter whose `power` was taken, when the battery did `lived`: that, where both
        are the same to a meter. What the cells gained then, and what they should have by this model, differs by what it
        does not know: that comes to whatever they do. All in W; nan: nothing is known."""
        if isnan(lived) or isnan(gained):
            return power
        if abs(power - lived) <= SAME * self.rated:
            self.energy += self.through(lived) - self.through(power)
            power = lived
        self.energy = min(max(self.energy + gained * HOUR - self.through(lived), 0.0), self.battery.energy)
        return power


Tick = Callable[[int], None]
"""Called with the number of each quarter that is over."""


def idle(count: int) -> Trace:
    """A battery that rests, or none."""
    return Trace("none", np.zeros(count), np.full(count, HALF), ["rests"] * count)


def follow(span: Span, power: Vector, strategy: str, reason: str) -> Trace:
    """A schedule in W, carried out."""
    battery = span.terms.battery
    if battery is None:
        return idle(len(power))
    cell = Cell(battery, span.terms.rated, battery.energy * span.before.soc / 100)
    trace = Trace(strategy, np.zeros(len(power)), np.zeros(len(power)), [reason] * len(power), span.before.soc)
    for i, wanted in enumerate(power.tolist()):
        trace.battery[i], trace.soc[i] = cell.turn(wanted), cell.soc
    return trace


def as_it_ran(span: Span) -> Trace | None:
    """What the battery did, where the file tells it. Where it was silent it is taken to have rested, as the ledger of
    the archive compares nothing there."""
    lived = span.played.lived
    if lived is None or np.isnan(lived.battery).all():
        return None
    soc, known = np.concatenate(([span.before.soc], lived.soc)), np.arange(len(lived.soc) + 1)
    soc = soc[np.maximum.accumulate(np.where(np.isnan(soc), 0, known))][1:]  # the last one that was told
    count = len(soc)
    return Trace(AS_IT_RAN, np.nan_to_num(lived.battery), soc, ["as it ran"] * count, span.before.soc)


def walk(span: Span, strategy: str, tick: Tick) -> Trace:
    """One strategy through the span."""
    battery, count = span.terms.battery, len(span.played)
    if battery is None or strategy == "none":
        return idle(count)
    before = span.before
    cell = Cell(battery, span.terms.rated, battery.energy * before.soc / 100, before.own_supply)
    mind = Planned(span, strategy, battery) if strategy in PLANNED else _Rule(span, strategy)
    trace = Trace(strategy, np.zeros(count), np.zeros(count), [""] * count, span.before.soc)
    lived = span.played.lived
    for i, net in enumerate(span.played.net.tolist()):
        wanted, trace.reasons[i] = mind.decide(i, net, cell)
        power = cell.turn(within(wanted, net, span.terms))
        if lived is not None:
            power = cell.as_lived(power, float(lived.battery[i]), float(lived.gained[i]))
        trace.battery[i], trace.soc[i] = power, cell.soc
        mind.turn(i, flow(span.terms, span.played, i, power).drawn)
        tick(i)
    if isinstance(mind, Planned):
        trace.milliseconds, trace.refused = mind.planner.milliseconds, mind.planner.refused
    return trace


def within(wanted: float, net: float, terms: Terms) -> float:
    """Within the limits of the grid connection, as far as they are the battery's to keep."""
    low, high = net - terms.grid.import_limit, net + terms.grid.export_limit
    return min(max(wanted, min(low, terms.rated)), max(high, -terms.rated))


class _Rule:
    """A rule that knows the net load and the prices."""

    def __init__(self, span: Span, strategy: str) -> None:
        self.span, self.strategy = span, strategy
        self.first = (span.played.start - span.prices.start) // QUARTER

    def decide(self, i: int, net: float, cell: Cell) -> tuple[float, str]:
        if self.strategy == "self-consumption":
            return self_consumption(net), "stores PV" if net < 0 else "covers the load"
        known = min(DAY, self.span.prices.known_until(self.first + i) - self.first - i)
        prices = self.span.prices.seen(self.first + i, known)[0]
        wanted = price_rule(net, prices.tolist(), cell.rated, cell.battery)
        return wanted, f"the price is {prices[0]:.3f} per kWh"

    def turn(self, i: int, drawn: float) -> None:
        pass


class Planned:
    """Plans by the hour, carried out by dispatch's own decision."""

    def __init__(self, span: Span, strategy: str, battery: Storage) -> None:
        terms = span.terms
        self.span, self.terms = span, terms
        self.planner = Planner(terms, battery, span.found, span.prices, certain=strategy == "lp")
        self.meters = meters(terms.charged, terms.zone, span.played.start, span.before.made)
        self.peak: float | None = None
        self.others = dict[str, float | None]()
        """Of the demands beside the first, by their names."""
        self.mode = ControlMode(at=span.played.start, mode=Mode.AUTO, who="backtest")
        self.ratings = Ratings(battery, terms.grid, terms.rated)

    def decide(self, i: int, net: float, cell: Cell) -> tuple[float, str]:
        at = self.span.played.start + i * QUARTER
        if not i or self._due(at):  # live the first comes at once
            self.planner.renew(at, cell.soc, self.meters)
        step = self.planner.step(at, cell.soc, self.meters)
        running = [one.running(at) for one in self.meters]
        peaks = self._peaks(at)
        most = self.terms.grid.import_limit
        each = held(peaks, most)
        windows = [
            (window, each[one.component.name])
            for one, window in zip(self.meters, running, strict=True)
            if one.component.name in each
        ]
        found = decide(
            self.ratings,
            Moment(at, net, 0.0, cell.soc, cell.charge(), cell.discharge()),
            self.mode,
            billing=running[0] if running else RunningWindow(self.terms.zone, None),
            step=step,
            peak=binding(peaks, at, self.terms.zone, most),
            held=windows,
        )
        return found.power, found.reason

    def turn(self, i: int, drawn: float) -> None:
        """A quarter is over: W that the meter drew in the mean."""
        at = self.span.played.start + i * QUARTER
        for one in self.meters:
            one.turn(at, drawn * HOUR)

    def _due(self, at: datetime) -> bool:
        """Whether a plan comes in this quarter: at its begin, or at a minute past the begin of the one before."""
        every, phase = self.terms.replan.total_seconds(), self.terms.phase.total_seconds()
        return (at.timestamp() - phase) % every < QUARTER.total_seconds()

    def _peaks(self, at: datetime) -> list[tuple[Demand, float | None]]:
        """W of each demand that no window should pass, as dispatch has them."""
        found = list[tuple[Demand, float | None]]()
        for number, one in enumerate(self.meters):
            billed = one.peak(at)
            if number == 0:
                self.peak = peak(self.planner.latest, self.peak, billed, at, self.terms.zone, charged(one.component))
                found.append((one.component, self.peak))
            else:
                demand, last = one.component, self.others.get(one.component.name)
                self.others[demand.name] = planned(self.planner.latest, demand, last, billed, at, self.terms.zone)
                found.append((demand, self.others[demand.name]))
        return found
