"""A site with its surroundings, its faults and its time. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import sin

from schemas.site import Site
from simulator.faults import Faults, known
from simulator.pcs import Order
from simulator.plant import Plant, build
from simulator.weather_load import surroundings

LONGEST = 10.0
"""Seconds of one step of the physics at most."""
BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""Since then the counters have been running: a meter's 32-bit float soon loses its Wh."""
FOREIGN = 5000.0
"""W that somebody else wants of the battery."""
MEAN_IMPORT, MEAN_EXPORT, MEAN_BATTERY = 85_000.0, 3_000.0, 4_000.0
"""W they ran with, so that a counter never begins at 0."""


@dataclass
class World:
    """`advance` before you look."""

    site: Site
    at: datetime
    plant: Plant
    faults: Faults
    seed: int = 0

    def advance(self, now: datetime) -> None:
        """Lives on until `now`; at the same instant it shows what a new setpoint does."""
        self._suffer()
        while (left := (now - self.at).total_seconds()) > LONGEST:
            self.step(LONGEST if left < 600 * LONGEST else left / 600)
        self.step(max(0.0, left))

    def step(self, dt: float) -> None:
        """One step of the physics, however long."""
        around = surroundings(self.at, self.site.zone, self.seed)
        self.plant.step(dt, around)
        self.at = datetime.fromtimestamp(self.at.timestamp() + dt, UTC)

    def _suffer(self) -> None:
        pcs, bms, plant = self.site.battery.pcs, self.site.battery.bms, self.plant
        plant.pcs.deaf = self.faults.has(pcs, "ignores_setpoint")
        plant.battery.extra_kelvin = 35.0 * self.faults.has(bms, "hot")
        plant.battery.extra_volts = 0.4 * self.faults.has(bms, "cell_high")
        if self.faults.has(pcs, "foreign_write"):
            plant.pcs.p_set = FOREIGN
        if self.faults.has(pcs, "forgets"):
            plant.pcs.p_set = plant.pcs.q_set = 0.0
            self.faults.off(f"{pcs}:forgets")
        if self.faults.has(pcs, "trip"):
            plant.pcs.order(Order.TRIP)

    @property
    def frequency(self) -> float:
        """Hz; the grid breathes."""
        seconds = self.at.timestamp()
        return 50 + 0.012 * sin(seconds / 11) + 0.008 * sin(seconds / 47)

    @property
    def voltages(self) -> tuple[float, float, float]:
        """V, each phase to neutral: it sinks a little with the import."""
        seconds = self.at.timestamp()
        mean = 231 + 0.8 * sin(seconds / 61) - 5e-6 * self.plant.grid
        return mean + 0.4, mean, mean - 0.5


def new_world(site: Site, at: datetime, *, soc: float = 50.0, ramp: float | None = None, seed: int = 0) -> World:
    """A world that begins at `at`, with counters that look as if it had been there since `BORN`."""
    plant = build(site, soc=soc, ramp=ramp)
    hours = max(0.0, (at - BORN).total_seconds() / 3600)
    plant.e_import, plant.e_export = MEAN_IMPORT * hours, MEAN_EXPORT * hours
    plant.battery.charged, plant.battery.discharged = MEAN_BATTERY * hours, 0.97 * MEAN_BATTERY * hours
    for pv in plant.pv.values():
        pv.energy = 0.12 * pv.rated * hours
    return World(site, at, plant, Faults(known(site)), seed)
