"""Telemetry folded into what a plan begins with: SoC, load and PV now, each with its age. Ages run on the monotonic
clock from the arrival: no step of a wall clock makes an old value young. Pure: both clocks are arguments."""

import math
from dataclasses import dataclass, field
from datetime import datetime

from optimizer.billing import Billing
from runtime.arrivals import Arrivals
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.units import Kind

SMOOTH = 120.0
"""Seconds: a plan for quarter hours wants no lift motors and no single clouds."""
OLDEST = 60.0
"""Seconds, or 2.5 cycles of a slow device: what is older says nothing of now."""
MOST = 1e12
"""W: what is beyond no plant has, and its sums would overflow."""


@dataclass(frozen=True)
class Value:
    """What was heard at a monotonic time."""

    at: float
    value: float


@dataclass
class Situation:
    """The site as it was last heard."""

    site: Site
    billing: Billing
    powers: dict[str, Value] = field(default_factory=dict)
    """W by device, smoothed."""
    soc: Value | None = None
    arrivals: Arrivals = field(default_factory=Arrivals, compare=False)

    @classmethod
    def of(cls, site: Site) -> "Situation":
        demand = site.demand
        return cls(site, Billing(site.zone, demand.minutes if demand else 15))

    def fold(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message; one that does not tell of now changes nothing."""
        battery = device == self.site.battery.bms
        if not (battery or device in self.devices) or not self.arrivals.timely(device, telemetry, mono):
            return
        soc, power = telemetry.number("soc"), telemetry.number("p")
        if battery and soc is not None and 0 <= soc <= 100:
            self.soc = Value(mono, soc)
        if device in self.devices and power is not None and abs(power) <= MOST:
            self._fold_power(device, power, now, mono)

    def _fold_power(self, device: str, power: float, now: datetime, mono: float) -> None:
        if device == self.site.grid.meter:
            self.billing = self.billing.fold(now, power)
        before = self.powers.get(device)
        share = 1.0 if before is None else 1 - math.exp(-(mono - before.at) / SMOOTH)
        old = power if before is None else before.value
        self.powers[device] = Value(mono, old + share * (power - old))

    @property
    def devices(self) -> list[str]:
        """Whose powers make the load: grid + battery + PV."""
        return [self.site.grid.meter, self.site.battery.pcs, *self.pvs]

    @property
    def pvs(self) -> list[str]:
        return [device.name for device in self.site.of_kind(Kind.PV)]

    def ages(self, mono: float) -> dict[str, float]:
        """Seconds since each input was heard; what was never heard is absent."""
        known = dict(self.powers) | ({self.site.battery.bms: self.soc} if self.soc else {})
        return {name: max(0.0, mono - value.at) for name, value in known.items()}

    def missing(self, mono: float) -> list[str]:
        """The devices without which there is no plan, as far as they are silent. PV may sleep at night."""
        ages = self.ages(mono)
        needed = (self.site.grid.meter, self.site.battery.pcs, self.site.battery.bms)
        return [name for name in needed if ages.get(name, math.inf) > self._oldest(name)]

    def _oldest(self, device: str) -> float:
        return self.site.named(device).stale_after(OLDEST)

    def pv(self, mono: float) -> float:
        """W of all PV; a silent inverter counts as dark."""
        ages = self.ages(mono)
        return sum(self.powers[name].value for name in self.pvs if ages.get(name, math.inf) <= self._oldest(name))

    def load(self, mono: float) -> float:
        """W; call it when nothing is missing."""
        grid, battery = self.powers[self.site.grid.meter].value, self.powers[self.site.battery.pcs].value
        return max(0.0, grid + battery + self.pv(mono))
