"""How the batteries of a demo were steered before it began: by the plan and the decision that run live, as a backtest
plays them."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

import numpy as np

from joulebus.backtest.data import Quarters
from joulebus.backtest.prices import of as prices_of
from joulebus.backtest.score import HOUR, Played
from joulebus.backtest.site import AS_LIVE, Flags, of_site
from joulebus.backtest.walk import Cell, Planned, Span, within
from optimizer.plan import plan
from optimizer.record import QUARTER
from optimizer.split import Room, split
from optimizer.storage import Storage
from schemas.messages import Plan
from schemas.site import Site
from schemas.site_battery import Battery
from simulator.past import EDGE, METERED, by_rule, lived
from simulator.roles.cast import image_of
from simulator.world import World

KEPT = timedelta(hours=13)
"""So much of the past has its plans: as far back as the page's charts look at first. Each takes 10 ms."""


class PlannedPast:
    """A `simulator.past.Steer`: the simple rule at first, then the plan."""

    def __init__(self, span: Span, battery: Storage, takes_over: datetime, plans: list[Plan]) -> None:
        """`takes_over`: when the plan does."""
        self.span, self.battery, self.takes_over = span, battery, takes_over
        self.mind = Planned(span, "plan", battery)
        self._end = span.played.start + len(span.played) * QUARTER
        self._carried: tuple[datetime, float] | None = None
        self._last = dict[str, float]()
        self._socs = dict[str, float]()
        """% of each battery, as it was read last before the quarter of an hour began."""
        self._metered = 0.0
        """Wh drawn less fed in, as the meter showed it then."""
        self._off: float | None = None
        """Wh by which that was off when the quarter before began."""
        self.plans = plans
        """Takes those of its last hours, one each quarter of an hour: as the archive of a site that runs has them."""

    def __call__(self, world: World) -> None:
        """Each step; a decision each quarter, by what was read just before it."""
        begins = world.at.timestamp() % QUARTER.total_seconds() == 0
        if (world.at.timestamp() + EDGE) % QUARTER.total_seconds() == 0 or not self._socs:
            self._socs = {one.name: _soc(world, one) for one in world.batteries}
            self._metered = _metered(world)
        if begins:
            self._count(world)
        if world.at < self.takes_over:
            by_rule(world)
        elif begins:
            self._tell(world, self._decide(world, (world.at - self.span.played.start) // QUARTER))
            self._keep(world.at)

    def _keep(self, at: datetime) -> None:
        """The plan that is carried out from now on, in full: of the whole past that would take as long as all else."""
        policy = self.mind.planner.policy
        if policy is not None and policy.outlook.now == at and at >= self._end - KEPT:
            self.plans.append(plan(policy.outlook, policy=policy))

    def _count(self, world: World) -> None:
        """What the meter has counted in the quarter that is over."""
        begun, self._carried = self._carried, (world.at, world.plant.e_import)
        if begun is not None and begun[0] >= self.span.played.start:
            number = (begun[0] - self.span.played.start) // QUARTER
            self.mind.turn(number, (world.plant.e_import - begun[1]) / HOUR)
            self._learn(world, number)

    def _learn(self, world: World, number: int) -> None:
        """The load is known as the meter counts it, in the steps of its register: so the archive has it."""
        before, self._off = self._off, self._metered - world.plant.e_import + world.plant.e_export
        if before is not None:
            load = self.span.found.load
            load[number] = max(0.0, load[number] + (self._off - before) / HOUR)

    def _decide(self, world: World, number: int) -> float:
        stored = sum(one.energy * self._socs[one.name] / 100 for one in world.batteries)
        cell = Cell(self.battery, self.span.terms.rated, stored)
        net = float(self.span.played.net[number])
        wanted, _ = self.mind.decide(number, net, cell)
        return cell.turn(within(wanted, net, self.span.terms))

    def _tell(self, world: World, power: float) -> None:
        """Shared among the batteries as dispatch does it."""
        self._last = split(power, [_room(world, one, self._socs[one.name]) for one in world.batteries], self._last)
        for one in world.batteries:
            rated = world.site.rated(one)
            for pcs in one.pcs:
                bess = world.plant.bess[pcs]
                bess.pcs.p_set = self._last[one.name] * bess.pcs.rated / rated


def _room(world: World, one: Battery, soc: float) -> Room:
    rated = world.site.rated(one)
    low = -rated if soc < one.soc_max else 0.0
    return Room(one.name, low, rated if soc > one.soc_min else 0.0, rated, one.energy, soc)


def _soc(world: World, one: Battery) -> float:
    """% as its BMS show it: nobody sees more of it, neither live nor in the archive."""
    racks = world.plant.bess[one.pcs[0]].racks
    return fmean(
        _read(world, name, {"soc": rack.battery.soc})["soc"] for name, rack in zip(one.racks, racks, strict=True)
    )


def _metered(world: World) -> float:
    """Wh drawn less fed in, as the meter shows it; several share the connection."""
    meters, plant = world.site.grid.meters, world.plant
    true = {"e_import": plant.e_import / len(meters), "e_export": plant.e_export / len(meters)}
    each = [_read(world, name, true) for name in meters]
    return sum(one["e_import"] - one["e_export"] for one in each)


def _read(world: World, name: str, true: dict[str, float]) -> dict[str, float]:
    """In the steps of its registers; what it does not show is as it is."""
    shown = image_of(world.site, world.site.named(name)).seen(true)
    return true | {point: value for point, value in shown.items() if isinstance(value, float)}


def _energies(world: World) -> tuple[float, float]:
    """Wh of load and PV so far."""
    return world.plant.e_load, sum(one.energy for one in world.plant.pv.values())


def span_of(site: Site, path: Path, env: Mapping[str, str], begin: datetime, end: datetime) -> Span:
    """Load and PV of the simulated site, which do not ask what its batteries do; known from `begin` on. Raises
    Trouble."""
    rested = lived(site, begin, end + QUARTER, METERED, steer=lambda _: None)  # the last quarter is begun
    seen = [(one.at, *_energies(one)) for one in rested if one.at.timestamp() % QUARTER.total_seconds() == 0]
    seen = seen[max(0, -(-(begin - seen[0][0]) // QUARTER)) :]  # as the archive begins: also to learn from
    start, count = seen[0][0], len(seen) - 1
    load, pv = (np.diff(np.array([counters for _, *counters in seen]), axis=0) / HOUR).T
    found = Quarters(start, load.copy(), pv, None, None)
    terms, prices = prices_of(of_site(path, Flags(replan_minutes=AS_LIVE), env), found, 0, count, Counter())
    return Span(terms, found, Played(start, load, pv, prices.buy[:count], prices.sell[:count]), prices)
