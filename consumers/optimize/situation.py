"""Telemetry folded into what a plan begins with: SoC, load and PV now, each with its age. Ages run on the monotonic
clock from the arrival: no step of a wall clock makes an old value young. Pure: both clocks are arguments."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from statistics import fmean

from optimizer.billing import MOST
from optimizer.racks import Rack, together
from optimizer.site_billing import SiteBilling
from optimizer.storage import soc
from optimizer.tariff import Series
from runtime.arrivals import Arrivals
from schemas.messages import ControlDispatch, HeldLimit, LoadState, Telemetry
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_parts import Battery
from schemas.units import Kind

SMOOTH = 120.0
"""Seconds: a plan for quarter hours wants no lift motors and no single clouds."""
OLDEST = 60.0
"""Seconds, or 2.5 cycles of a slow device: what is older says nothing of now."""


def named(device: str, point: str) -> str:
    """What an input is called: the power of a device by its name, that of the PV of a hybrid with its point."""
    return device if point == "p" else f"{device}.{point}"


@dataclass(frozen=True)
class Value:
    """What was heard at a monotonic time."""

    at: float
    value: float


@dataclass
class Situation:
    """The site as it was last heard."""

    site: Site
    billing: SiteBilling
    """What is billed by the kW."""
    powers: dict[str, Value] = field(default_factory=dict)
    """W by device, smoothed."""
    charges: dict[str, Value] = field(default_factory=dict)
    """SoC in % by BMS."""
    held: list[HeldLimit] = field(default_factory=list)
    """Limits of the grid connection beside the site file's."""
    allowed_by: dict[str, tuple[float, tuple[float, float]]] = field(default_factory=dict)
    """When each BMS was heard, and what its cells allow: W that may be charged and discharged."""
    loads: dict[str, LoadState] = field(default_factory=dict)
    """What dispatch says that each flexible load does."""
    ruled: tuple[datetime, dict[str, datetime | None]] | None = None
    """When dispatch said which rules of the site hold, and each with its own end where it has one."""
    worn: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Wh and efficiency by battery, where they are known better than in the site file."""
    reserves: dict[str, float] = field(default_factory=dict)
    """What each reserve costs a day."""
    intensity: Series | None = None
    """g of CO2 per kWh, of the site's file."""
    arrivals: Arrivals = field(default_factory=Arrivals, compare=False)

    @classmethod
    def of(cls, site: Site) -> "Situation":
        situation = cls(site, SiteBilling(site.zone, site.named(site.grid.meter).poll, fault=site.tariff_fault))
        situation.bill()
        return situation

    def bill(self) -> None:
        """By the tariff, as soon as it can be read."""
        fault = self.site.tariff_fault
        self.billing = replace(self.billing, fault=fault) if fault else self.billing.of(self.site.prices)

    def fold(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message; one that does not tell of now changes nothing."""
        battery = device in self.site.racks
        if not (battery or device in self.devices or device in self.loaded) or not self.arrivals.timely(
            device, telemetry, mono
        ):
            return
        soc, power = telemetry.number("soc"), telemetry.number("p")
        if battery and soc is not None and 0 <= soc <= 100:
            self.charges[device] = Value(mono, soc)
        if battery and (cells := RackMap.of(self.site.profiles[device]).allowed(telemetry.number)) is not None:
            self.allowed_by[device] = mono, cells
        if device in self.loaded and power is not None and 0 <= power <= MOST:
            self._smooth(device, power, mono)
        if device in self.devices and power is not None and abs(power) <= MOST:
            self._fold_power(device, power, now, mono)
        for point in self.site.profiles[device].pv_points:
            sun = telemetry.number(point)
            if sun is not None and abs(sun) <= MOST:
                self._smooth(named(device, point), sun, mono)

    def _fold_power(self, device: str, power: float, now: datetime, mono: float) -> None:
        if device == self.site.grid.meter:
            self.billing = self.billing.fold(now, power)
        self._smooth(device, power, mono)

    def _smooth(self, device: str, power: float, mono: float) -> None:
        before = self.powers.get(device)
        share = 1.0 if before is None else 1 - math.exp(-(mono - before.at) / SMOOTH)
        old = power if before is None else before.value
        self.powers[device] = Value(mono, old + share * (power - old))

    def hear_loads(self, dispatch: ControlDispatch) -> None:
        """What dispatch says of the flexible loads, and of the rules of the site."""
        self.ruled = dispatch.at, dispatch.rules_hold
        self.loads = {name: one.state for name, one in dispatch.loads.items() if one.state is not None}

    def holding(self, now: datetime) -> dict[str, datetime | None]:
        """The rules that hold now; none while dispatch is silent."""
        at, each = self.ruled or (now, {})
        return each if abs((now - at).total_seconds()) <= OLDEST else {}

    def still(self, held: list[HeldLimit], intensity: Series | None) -> "Situation":
        """As it is now, for a plan: telemetry goes on meanwhile."""
        return replace(
            self,
            held=held,
            intensity=intensity,
            powers=dict(self.powers),
            charges=dict(self.charges),
            allowed_by=dict(self.allowed_by),
        )

    @property
    def devices(self) -> list[str]:
        """Whose powers make the load: grid + battery + PV."""
        return [self.site.grid.meter, *self.site.pcs, *self.pvs]

    @property
    def loaded(self) -> list[str]:
        """The flexible loads: they are planned, and so no part of the load that is forecast."""
        return [one.device for one in self.site.load]

    @property
    def pvs(self) -> list[str]:
        return [device.name for device in self.site.of_kind(Kind.PV)]

    def ages(self, mono: float) -> dict[str, float]:
        """Seconds since each input was heard; what was never heard is absent."""
        known = self.powers | self.charges
        return {name: max(0.0, mono - value.at) for name, value in known.items()}

    def missing(self, mono: float) -> list[str]:
        """The devices without which there is no plan, as far as they are silent. PV may sleep at night."""
        ages = self.ages(mono)
        silent = [name for name in self._needed() if ages.get(name, math.inf) > self._oldest(name)]
        # without one of several the others are planned for
        return silent if self.site.grid.meter in silent or not self.batteries(mono) else []

    def _needed(self) -> list[str]:
        return [
            self.site.grid.meter,
            *(name for one in self.site.battery for name in dict.fromkeys((*one.pcs, *one.racks))),
        ]

    def batteries(self, mono: float) -> list[Battery]:
        """Those that are heard: one of their PCS, and one of their racks."""
        return [one for one in self.site.battery if self._heard(one.pcs, self.powers, mono) and self._charge(one, mono)]

    def _heard(self, names: Sequence[str], known: Mapping[str, Value], mono: float) -> list[float]:
        """What of these was heard lately."""
        return [known[name].value for name in names if name in known and mono - known[name].at <= self._oldest(name)]

    def _charge(self, one: Battery, mono: float) -> list[float]:
        return self._heard(one.racks, self.charges, mono)

    def soc(self, mono: float) -> float:
        """% of the batteries that are heard, together."""
        heard = self.batteries(mono)
        return soc(heard, [fmean(self._charge(one, mono)) for one in heard]) if heard else 0.0

    def _oldest(self, device: str) -> float:
        return self.site.named(device).stale_after(OLDEST)

    def pv(self, mono: float) -> float:
        """W of all PV; a silent inverter counts as dark."""
        return sum(
            self.powers[key].value
            for device, point in self.site.pv_points
            if (key := named(device, point)) in self.powers
            if mono - self.powers[key].at <= self._oldest(device)
        )

    def soc_of(self, one: Battery, mono: float) -> float:
        """% of one battery; half of what it may, while it is not heard."""
        heard = self._charge(one, mono)
        return fmean(heard) if heard else (one.soc_min + one.soc_max) / 2

    def allowed(self, mono: float) -> tuple[float, float]:
        """W at the meter that the cells of the batteries that are heard allow now, charging and discharging; inf while
        one does not say it."""
        charge = discharge = 0.0
        for one in self.batteries(mono) or self.site.battery:
            racks = [
                Rack(
                    found[1]
                    if (found := self.allowed_by.get(name)) and mono - found[0] <= self._oldest(name)
                    else None,
                    None,
                )
                for name in one.racks
            ]
            cells = together(racks, len(racks), one.charge_limit, one.discharge_limit)
            charge += inf if cells.charge is None else cells.charge / one.efficiency
            discharge += inf if cells.discharge is None else cells.discharge * one.efficiency
        return charge, discharge

    def as_worn(self, batteries: Sequence[Battery]) -> list[Battery]:
        """With the energy and the efficiency that they have by now."""
        return [
            one.model_copy(update=dict(zip(("energy", "efficiency"), self.worn[one.name], strict=True)))
            if one.name in self.worn
            else one
            for one in batteries
        ]

    def rest(self, mono: float) -> float:
        """W of the load that is no flexible one; call it when nothing is missing."""
        planned = sum(max(0.0, power) for power in self._heard(self.loaded, self.powers, mono))
        return max(0.0, self.load(mono) - planned)

    def load(self, mono: float) -> float:
        """W; call it when nothing is missing."""
        # what a silent battery still does, the meter shows as load
        powers = [power for one in self.batteries(mono) for power in self._heard(one.pcs, self.powers, mono)]
        return max(0.0, self.powers[self.site.grid.meter].value + sum(powers) + self.pv(mono))
