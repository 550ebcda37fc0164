"""What a plan begins with: SoC, load and PV now, each with its age. What is known of the site is folded by
`optimizer.situation`, for dispatch and for us; here are the means that a plan of quarter hours wants of it, and what
else it must know. Pure: both clocks are arguments."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf

from optimizer.site_billing import SiteBilling
from optimizer.situation.ages import PLANNED, SMOOTH
from optimizer.situation.heard import Heard, Known, number
from optimizer.situation.site_seen import SiteSeen
from optimizer.storage import soc
from optimizer.tariff import Series
from schemas.messages import ControlDispatch, HeldLimit, LoadState, Telemetry
from schemas.site import Site
from schemas.site_battery import Battery
from schemas.site_loads import FlexibleLoad


def named(device: str, point: str) -> str:
    """What an input is called: the power of a device by its name, that of the PV of a hybrid with its point."""
    return device if point == "p" else f"{device}.{point}"


@dataclass
class Situation:
    """The site as it was last heard."""

    site: Site
    billing: SiteBilling
    """What is billed by the kW."""
    seen: SiteSeen
    """What is known of its devices, as dispatch knows it."""
    means: dict[str, Heard] = field(default_factory=dict)
    """W of each power, smoothed, by `named`."""
    held: list[HeldLimit] = field(default_factory=list)
    """Limits of the grid connection beside the site file's."""
    told_loads: tuple[float, dict[str, LoadState]] = (-inf, {})
    """When dispatch said last what each flexible load does, and what."""
    ruled: tuple[float, dict[str, datetime | None]] = (-inf, {})
    """When dispatch said last which rules of the site hold, and each with its own end where it has one."""
    worn: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Wh and efficiency by battery, where they are known better than in the site file."""
    reserves: dict[str, float] = field(default_factory=dict)
    """What each reserve costs a day."""
    intensity: Series | None = None
    """g of CO2 per kWh, of the site's file."""

    @classmethod
    def of(cls, site: Site) -> "Situation":
        billing = SiteBilling(site.zone, site.named(site.grid.meter).poll, fault=site.tariff_fault)
        situation = cls(site, billing, SiteSeen.of(site))
        situation.bill()
        return situation

    def bill(self) -> None:
        """By the tariff, as soon as it can be read."""
        fault = self.site.tariff_fault
        self.billing = replace(self.billing, fault=fault) if fault else self.billing.of(self.site.prices)

    def fold(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message; one that does not tell of now changes nothing."""
        if not self.seen.hear(device, telemetry, mono):
            return
        if device == self.site.grid.meter and (power := number(telemetry, "p")) is not None:
            self.billing = self.billing.fold(now, power)
        for (name, point), heard in self.seen.powers.items():
            if name == device:
                self._smooth(named(name, point), heard)

    def _smooth(self, name: str, heard: Heard) -> None:
        """One that was not heard anew moves nothing."""
        before = self.means.get(name, heard)
        share = 1 - math.exp(-(heard.at - before.at) / SMOOTH)
        self.means[name] = Heard(heard.at, before.value + share * (heard.value - before.value))

    def hear_dispatch(self, dispatch: ControlDispatch, mono: float) -> None:
        """What dispatch says of the flexible loads, and of the rules of the site."""
        states = {name: one.state for name, one in dispatch.loads.items() if one.state is not None}
        self.told_loads = mono, {name: state for name, state in states.items() if name in self.loaded}
        self.ruled = mono, dict.fromkeys(dispatch.rules_endless) | dispatch.rules_hold

    def holding(self, mono: float) -> dict[str, datetime | None]:
        """The rules that hold now; of a dispatch that is silent nothing is known."""
        when, each = self.ruled
        return each if mono - when <= PLANNED else {}

    def still(self, held: list[HeldLimit], intensity: Series | None) -> "Situation":
        """As it is now, for a plan: telemetry goes on meanwhile."""
        return replace(
            self,
            held=held,
            intensity=intensity,
            seen=self.seen.still(),
            means=dict(self.means),
        )

    @property
    def loaded(self) -> list[str]:
        """The flexible loads that are planned, and so no part of the load that is forecast."""
        return [one.device for one in self.site.load if one.planned]

    def loads(self, mono: float) -> dict[str, LoadState]:
        """What each flexible load does; of a dispatch that is silent nothing is known."""
        when, states = self.told_loads
        return states if mono - when <= PLANNED else {}

    def ages(self, mono: float) -> dict[str, float]:
        """Seconds since each input was heard; what was never heard is absent."""
        found = {name: heard.at for name, heard in self.means.items()}
        for cells in self.seen.cells.values():
            for name, rack in cells.racks.items():
                if rack.soc is not None:  # of a hybrid the older of its two
                    found[name] = min(rack.soc.at, found.get(name, inf))
        return {name: max(0.0, mono - at) for name, at in found.items()}

    def missing(self, mono: float) -> list[str]:
        """The devices without which there is no plan, as far as nothing is known of them now. PV may sleep at night."""
        return [*self._missing(mono)]

    def lacks(self, mono: float) -> str:
        """The same with what is wrong with each, in words."""
        found = self._missing(mono)
        each = {what: ", ".join(name for name, one in found.items() if one is what) for what in found.values()}
        return "; ".join(f"{names} {what}" for what, names in each.items())

    def _missing(self, mono: float) -> dict[str, Known]:
        found = self.seen.lacking(self._needed(), mono, PLANNED)
        # without one of several the others are planned for
        return found if self.site.grid.meter in found or not self.batteries(mono) else {}

    def _needed(self) -> list[tuple[str, str]]:
        each = [(one.pcs, self.seen.cells[one.name].connected) for one in self.site.battery]
        batteries = [[*((pcs, "p") for pcs in several), *((rack, "soc") for rack in racks)] for several, racks in each]
        return [(self.site.grid.meter, "p"), *(one for battery in batteries for one in battery)]

    def batteries(self, mono: float) -> list[Battery]:
        """Those of which the SoC and one PCS are known, with the PCS that are heard and the energy of the racks that
        are connected."""
        found = list[Battery]()
        for one in self.site.battery:
            cells, pcs = self.seen.cells[one.name].within(mono, PLANNED), self._heard(one.pcs, mono)
            if pcs and cells.soc is not None:
                found.append(one.model_copy(update={"pcs": [*pcs], "energy": one.energy * cells.connected}))
        return found

    def _heard(self, devices: Sequence[str], mono: float) -> dict[str, float]:
        """W of those that are known, smoothed."""
        known = {one: self.seen.known(one, "p", mono, PLANNED) for one in devices}
        return {one: self.means[one].value for one, what in known.items() if what is Known.GOOD}

    def soc(self, mono: float) -> float:
        """% of the batteries that are heard, together."""
        heard = self.batteries(mono)
        return soc(heard, [self.soc_of(one, mono) for one in heard]) if heard else 0.0

    def pv(self, mono: float) -> float:
        """W of all PV; a silent inverter counts as dark: what it gives all the same the meter shows as less load."""
        return sum(
            self.means[named(device, point)].value
            for device, point in self.site.pv_points
            if self.seen.known(device, point, mono, PLANNED) is Known.GOOD
        )

    def soc_of(self, one: Battery, mono: float) -> float:
        """% of one battery; half of what it may, while that is not known."""
        found = self.seen.cells[one.name].within(mono, PLANNED).soc
        return (one.soc_min + one.soc_max) / 2 if found is None else found

    def allowed(self, mono: float) -> tuple[float, float]:
        """W at the meter that the cells of the batteries that are heard allow now, charging and discharging: 0 of one
        that does not say it, as dispatch lets it rest; inf while there is none to plan for."""
        heard = self.batteries(mono)
        cells = [(one, self.seen.cells[one.name].within(mono, PLANNED)) for one in heard]
        charge = sum((found.charge or 0.0) / one.efficiency for one, found in cells)
        discharge = sum((found.discharge or 0.0) * one.efficiency for one, found in cells)
        return (charge, discharge) if heard else (inf, inf)

    def as_worn(self, batteries: Sequence[Battery]) -> list[Battery]:
        """With the energy and the efficiency that they have by now, as far as their racks are connected."""
        whole = {one.name: one.energy for one in self.site.battery}
        return [
            one.model_copy(update={"energy": energy * one.energy / whole[one.name], "efficiency": efficiency})
            for one in batteries
            for energy, efficiency in [self.worn.get(one.name, (whole[one.name], one.efficiency))]
        ]

    def rest(self, mono: float) -> float:
        """W of the load that is no flexible one; call it when nothing is missing."""
        return max(0.0, self.load(mono) - sum(self._draws(one, mono) for one in self.site.load if one.planned))

    def _draws(self, load: FlexibleLoad, mono: float) -> float:
        """W of a flexible load. A silent one is at its fallback, as it is for the plan."""
        safe = (self.site.named(load.device).rated_power or 0.0) * (load.fallback == "on")
        return max(0.0, self._heard([load.device], mono).get(load.device, safe))

    def load(self, mono: float) -> float:
        """W; call it when nothing is missing."""
        # what a silent battery still does, the meter shows as load
        pcs = [name for one in self.batteries(mono) for name in one.pcs]
        grid = self.means[self.site.grid.meter].value
        return max(0.0, grid + sum(self._heard(pcs, mono).values()) + self.pv(mono))
