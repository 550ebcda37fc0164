"""A site with its surroundings, its faults and its time. Pure: the clock is an argument."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import sin
from typing import Protocol

from schemas.site import Site
from schemas.site_battery import Battery as SiteBattery
from schemas.site_device import Device
from simulator.bess import Rack
from simulator.build import Condition, build
from simulator.faults import Faults, known
from simulator.plant import Plant, Surroundings
from simulator.recent import Recent
from simulator.states import INSTANT, Times
from simulator.weather_load import surroundings

LONGEST = 10.0
"""Seconds of one step of the physics at most."""
BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""Since then the counters have been running."""
MEAN_IMPORT, MEAN_EXPORT, MEAN_BATTERY = 1_000.0, 500.0, 4_000.0
"""W they ran with, so that a counter never begins at 0; and so little that the 32-bit float of a meter still has its
Wh: in steps of 64 Wh a quarter of an hour is off by half a kW."""
PF_LOAD = 0.25
"""var per W: the reactive power of the load."""
ISLAND = 50.0, (230.0, 230.0, 230.0)
"""Hz and V that a PCS makes."""


Around = Callable[[datetime], Surroundings]
"""Load and sun at a moment."""


class Sufferer(Protocol):
    """Who suffers from the faults of a device."""

    device: Device

    def suffer(self, on: Mapping[str, float]) -> None:
        """These are on, each with its size."""


@dataclass
class World:
    """`advance` before you look."""

    site: Site
    batteries: Sequence[SiteBattery]
    at: datetime
    plant: Plant
    faults: Faults
    around: Around
    seed: int = 0
    roles: Sequence[Sufferer] = ()
    recent: Recent = field(default_factory=Recent)
    _suffered: int = 0

    def advance(self, now: datetime, *, told: bool = False) -> None:
        """Lives on until `now`. `told`: it was told something, and shows at the same instant what that does."""
        changed = self._suffered != self.faults.changes
        if now <= self.at and not told and not changed:
            return
        if self.faults.active or changed:
            self._suffer()
        while (left := (now - self.at).total_seconds()) > LONGEST:
            self.step(LONGEST if left < 600 * LONGEST else left / 600)
        self.step(max(0.0, left))

    def step(self, dt: float) -> None:
        """One step of the physics, however long."""
        self.plant.step(dt, self.around(self.at))
        at = self.at.timestamp() + dt
        self.at = datetime.fromtimestamp(at, UTC)
        self.recent.step(at, dt, self.plant.grid, self.reactive)

    def _suffer(self) -> None:
        self.plant.grid_lost = any("grid_lost" in self.faults.of(meter) for meter in self.site.grid.meters)
        for one in self.roles:
            one.suffer(self.faults.of(one.device.name))
        self._suffered = self.faults.changes

    def of_bms(self, bms: str) -> Rack:
        """The rack of a BMS."""
        battery = next(one for one in self.batteries if bms in one.bms)
        return self.plant.bess[battery.pcs[0]].racks[battery.bms.index(bms)]

    @property
    def reactive(self) -> float:
        """var at the grid connection."""
        if self.plant.grid_lost:
            return 0.0
        given = sum(one.pcs.q for one in self.plant.bess.values()) + sum(one.q for one in self.plant.pv.values())
        return PF_LOAD * self.plant.load - given

    @property
    def frequency(self) -> float:
        """Hz on the site, while there is a voltage; the grid breathes."""
        if self.plant.grid_lost:
            return ISLAND[0]
        seconds = self.at.timestamp()
        return 50 + 0.012 * sin(seconds / 11) + 0.008 * sin(seconds / 47)

    @property
    def voltages(self) -> tuple[float, float, float]:
        """V on the site, each phase to neutral: it sinks a little with the import."""
        if self.plant.grid_lost:
            return ISLAND[1]
        seconds = self.at.timestamp()
        mean = 231 + 0.8 * sin(seconds / 61) - 5e-6 * self.plant.grid
        return mean + 0.4, mean, mean - 0.5


def new_world(
    site: Site,
    at: datetime,
    *,
    batteries: Sequence[SiteBattery] = (),
    conditions: Mapping[str, Condition] | None = None,
    ramp: float | None = None,
    times: Times = INSTANT,
    around: Around | None = None,
    seed: int = 0,
) -> World:
    """A world that begins at `at`, with counters that look as if it had been there since `BORN`.

    `batteries`: those of the site file, when none are given. `conditions` of them by the names of their PCS. `around`
    in place of the recorded load and sun.
    """
    batteries = batteries or site.battery
    plant = build(site, batteries, conditions or {}, ramp=ramp, times=times)
    hours = max(0.0, (at - BORN).total_seconds() / 3600)
    plant.e_import, plant.e_export = MEAN_IMPORT * hours, MEAN_EXPORT * hours
    for one in plant.bess.values():
        for rack in one.racks:
            rack.battery.charged, rack.battery.discharged = MEAN_BATTERY * hours, 0.97 * MEAN_BATTERY * hours
    for pv in plant.pv.values():
        pv.energy = 0.12 * pv.rated * hours
    recorded = partial(surroundings, zone=site.zone, seed=seed)
    return World(site, batteries, at, plant, Faults(known(site)), around or recorded, seed)
