"""Telemetry folded into what a plan begins with: SoC, load and PV now, each with its age."""

import math
from dataclasses import dataclass, field
from datetime import datetime

from optimizer.billing import Billing
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.units import Kind

SMOOTH = 120.0
"""Seconds: a plan for quarter hours wants no lift motors and no single clouds."""
OLDEST = 60.0
"""Seconds by the devices' poll: what is older says nothing of now."""


@dataclass(frozen=True)
class Value:
    at: datetime
    value: float


@dataclass
class Situation:
    """The site as it was last heard."""

    site: Site
    billing: Billing
    powers: dict[str, Value] = field(default_factory=dict)
    """W by device, smoothed."""
    soc: Value | None = None

    @classmethod
    def of(cls, site: Site) -> "Situation":
        demand = site.demand
        return cls(site, Billing(site.zone, demand.minutes if demand else 15))

    def fold(self, device: str, telemetry: Telemetry) -> None:
        """The next message; an older one than the last changes nothing."""
        if telemetry.historical:
            return
        if device == self.site.battery.bms:
            soc = telemetry.number("soc")
            if soc is not None and (self.soc is None or telemetry.at > self.soc.at):
                self.soc = Value(telemetry.at, soc)
        power = telemetry.number("p")
        if device in self.devices and power is not None:
            self._fold_power(device, telemetry.at, power)

    def _fold_power(self, device: str, at: datetime, power: float) -> None:
        if device == self.site.grid.meter:
            self.billing = self.billing.fold(at, power)
        before = self.powers.get(device)
        if before is None:
            self.powers[device] = Value(at, power)
        elif at > before.at:
            share = 1 - math.exp(-(at - before.at).total_seconds() / SMOOTH)
            self.powers[device] = Value(at, before.value + share * (power - before.value))

    @property
    def devices(self) -> list[str]:
        """Whose powers make the load: grid + battery + PV."""
        return [self.site.grid.meter, self.site.battery.pcs, *self.pvs]

    @property
    def pvs(self) -> list[str]:
        return [device.name for device in self.site.of_kind(Kind.PV)]

    def ages(self, now: datetime) -> dict[str, float]:
        """Seconds since each input was measured; what was never heard is absent."""
        known = dict(self.powers) | ({self.site.battery.bms: self.soc} if self.soc else {})
        return {name: max(0.0, (now - value.at).total_seconds()) for name, value in known.items()}

    def missing(self, now: datetime) -> list[str]:
        """The devices without which there is no plan, as far as they are silent. PV may sleep at night."""
        ages = self.ages(now)
        needed = (self.site.grid.meter, self.site.battery.pcs, self.site.battery.bms)
        return [name for name in needed if ages.get(name, math.inf) > self._oldest(name)]

    def _oldest(self, device: str) -> float:
        return OLDEST * max(1.0, self.site.named(device).poll)

    def pv(self, now: datetime) -> float:
        """W of all PV; a silent inverter counts as dark."""
        ages = self.ages(now)
        return sum(self.powers[name].value for name in self.pvs if ages.get(name, math.inf) <= self._oldest(name))

    def load(self, now: datetime) -> float:
        """W; call it when nothing is missing."""
        grid, battery = self.powers[self.site.grid.meter].value, self.powers[self.site.battery.pcs].value
        return max(0.0, grid + battery + self.pv(now))
