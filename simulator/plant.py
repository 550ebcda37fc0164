"""The whole site: load, PV, battery and the grid that makes up the difference. No clock: a step gets its length."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.site import Site
from schemas.units import Kind
from simulator.battery import Battery
from simulator.pcs import Order, Pcs


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the site cannot choose."""

    load: float
    """W."""
    sun: float
    """Share of its rated power a PV plant could give, 0 to 1."""


@dataclass(slots=True)
class Pv:
    """A PV plant with its curtailment."""

    rated: float
    apparent: float
    limit_pct: float = 100.0
    limited: bool = False
    available: float = 0.0
    p: float = 0.0
    energy: float = 0.0
    """Wh produced since the beginning."""

    @property
    def curtailed(self) -> bool:
        return self.p < self.available

    def step(self, sun: float, dt: float) -> None:
        self.available = self.rated * sun
        self.p = min(self.available, self.rated * self.limit_pct / 100) if self.limited else self.available
        self.energy += self.p * dt / 3600


@dataclass(slots=True)
class Plant:
    """Powers in W, positive out of the device into the site; energies in Wh since the beginning."""

    battery: Battery
    pcs: Pcs
    pv: dict[str, Pv] = field(default_factory=dict)
    connected: bool = True
    """The battery's contactor is closed."""
    timeout: float = 0.0
    """Seconds without a request until the BMS opens it; 0 never."""
    unheard: float = 0.0
    load: float = 0.0
    e_load: float = 0.0
    e_import: float = 0.0
    e_export: float = 0.0

    @property
    def sun_power(self) -> float:
        return sum(pv.p for pv in self.pv.values())

    @property
    def grid(self) -> float:
        return self.load - self.sun_power - self.pcs.p

    def step(self, dt: float, around: Surroundings) -> None:
        """Lives on for `dt` seconds; 0 shows at once what a new setpoint does."""
        self.load = around.load
        self.unheard += dt
        if self.timeout and self.unheard > self.timeout:
            self.connected = False
        for pv in self.pv.values():
            pv.step(around.sun, dt)
        if not self.connected:
            self.pcs.order(Order.STOP)  # no DC, no inverter
        wanted = self.pcs.wanted(dt)
        self.pcs.carry(self.battery.step(self.pcs.dc_of(wanted), dt), wanted)
        hours = dt / 3600
        self.e_load += self.load * hours
        self.e_import += max(0.0, self.grid) * hours
        self.e_export += max(0.0, -self.grid) * hours

    def remember(self) -> dict[str, float]:
        """What must outlive the process: devices do not forget their counters at a restart."""
        kept = {name: getattr(self, name) for name in _KEPT_SITE}
        kept |= {f"battery.{name}": getattr(self.battery, name) for name in _KEPT_BATTERY}
        return kept | {f"pv.{name}": pv.energy for name, pv in self.pv.items()}

    def recall(self, kept: Mapping[str, float]) -> None:
        """Goes on where `remember` stopped."""
        for name in _KEPT_SITE:
            setattr(self, name, kept.get(name, getattr(self, name)))
        for name in _KEPT_BATTERY:
            setattr(self.battery, name, kept.get(f"battery.{name}", getattr(self.battery, name)))
        self.battery.stored = min(self.battery.energy, max(0.0, self.battery.stored))
        for name, pv in self.pv.items():
            pv.energy = kept.get(f"pv.{name}", pv.energy)


_KEPT_SITE = ("e_load", "e_import", "e_export")
_KEPT_BATTERY = ("stored", "temperature", "charged", "discharged", "lost")


def build(site: Site, *, soc: float = 50.0, ramp: float | None = None) -> Plant:
    """The plant a site file describes."""
    device = site.named(site.battery.pcs)
    rated = device.rated_power or 0.0
    return Plant(
        Battery(site.battery.energy, rated, site.battery.energy * soc / 100),
        Pcs(rated, device.rated_apparent_power or rated, ramp),
        {
            pv.name: Pv(pv.rated_power or 0.0, pv.rated_apparent_power or pv.rated_power or 0.0)
            for pv in site.of_kind(Kind.PV)
        },
    )
