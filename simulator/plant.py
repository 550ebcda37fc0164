"""The whole site: load, PV, batteries and the grid that makes up the difference. No clock: a step gets its length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simulator.battery import Battery
from simulator.bess import Bess
from simulator.driven import Driven
from simulator.pcs import Pcs
from simulator.pv import Pv
from simulator.states import Order, State

MEASURED = 0.4
"""Of the site's load: what the loads with a measurement of their own draw together, at most their ratings."""
OVERLOAD = 0.02
"""Of the rated power: an island that lacks more than that goes dark."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the site cannot choose."""

    load: float
    """W."""
    sun: float
    """Share of its rated power a PV plant could give, 0 to 1."""


@dataclass(slots=True)
class Plant:
    """Powers in W, positive out of the device into the site; energies in Wh since the beginning."""

    bess: dict[str, Bess]
    """Battery systems by the names of their PCS; any number."""
    pv: dict[str, Pv] = field(default_factory=dict)
    grid_lost: bool = False
    """The line to the site is dead: what is left is an island, or dark."""
    rated_loads: dict[str, float] = field(default_factory=dict)
    """W of the loads that are measured apart and told nothing."""
    driven: dict[str, Driven] = field(default_factory=dict)
    """The flexible loads: what they draw comes on top of the load around."""
    e_loads: dict[str, float] = field(default_factory=dict)
    load: float = 0.0
    e_load: float = 0.0
    e_import: float = 0.0
    e_export: float = 0.0
    _was_lost: bool = False

    @property
    def first(self) -> Bess:
        return next(iter(self.bess.values()))

    @property
    def battery(self) -> Battery:
        """Of the first battery system, as the three below."""
        return self.first.battery

    @property
    def pcs(self) -> Pcs:
        return self.first.pcs

    @property
    def connected(self) -> bool:
        """Its contactor conducts."""
        return self.first.contactor.closed

    @property
    def sun_power(self) -> float:
        return sum(pv.p for pv in self.pv.values())

    @property
    def battery_power(self) -> float:
        return sum(one.pcs.p for one in self.bess.values())

    @property
    def loads(self) -> dict[str, float]:
        """W of each that is measured apart: its part of the load, the rest is drawn by what nobody measures."""
        whole = sum(self.rated_loads.values())
        rest = self.load - sum(one.p for one in self.driven.values())
        part = min(1.0, MEASURED * max(0.0, rest) / whole) if whole else 0.0
        told = {name: one.p for name, one in self.driven.items()}
        return {name: part * rated for name, rated in self.rated_loads.items()} | told

    @property
    def grid(self) -> float:
        return 0.0 if self.grid_lost else self.load - self.sun_power - self.battery_power

    @property
    def lit(self) -> bool:
        """There is a voltage on the site: the grid's, or that of a PCS that makes its own."""
        return not self.grid_lost or bool(self._forming())

    def step(self, dt: float, around: Surroundings) -> None:
        """Lives on for `dt` seconds; 0 shows at once what a new setpoint does."""
        lit = self.lit and (self.grid_lost is self._was_lost or not self.grid_lost)
        self._was_lost = self.grid_lost
        for pv in self.pv.values():
            pv.step(around.sun, dt, lit=lit)
        for name in self.pv.keys() & self.bess.keys():
            self.bess[name].pcs.sun = self.pv[name].p
        for driven in self.driven.values():
            driven.step(dt, lit=lit)
        load = around.load + sum(one.p for one in self.driven.values())
        if self.grid_lost:
            self._island(dt, load, lit=lit)
        else:
            self.load = load
            for one in self.bess.values():
                one.step(dt)
        hours, grid = dt / 3600, self.grid
        self.e_load += self.load * hours
        for name, power in self.loads.items():
            self.e_loads[name] = self.e_loads.get(name, 0.0) + power * hours
        self.e_import += max(0.0, grid) * hours
        self.e_export += max(0.0, -grid) * hours

    def _forming(self) -> list[Bess]:
        return [one for one in self.bess.values() if one.pcs.forming and one.pcs.state is State.RUNNING]

    def _island(self, dt: float, load: float, *, lit: bool) -> None:
        """Those that form the grid carry what the others leave; `lit` is false in the moment the grid goes."""
        forming = self._forming()
        for one in self.bess.values():
            if one not in forming:
                one.step(dt, lit=lit)
        need = load if forming else 0.0
        need -= self.sun_power + sum(one.pcs.p for one in self.bess.values() if one not in forming)
        rated = sum(one.pcs.rated for one in forming)
        for one in forming:
            one.step(dt, balance=need * one.pcs.rated / rated)
        short = need - sum(one.pcs.p for one in forming)
        if forming and abs(short) > OVERLOAD * rated:
            for one in forming:
                one.pcs.order(Order.TRIP, "overload")
        # what was carried was used, to the last Wh, also in the moment it all breaks down
        self.load = self.sun_power + self.battery_power

    def remember(self) -> dict[str, float]:
        """What must outlive the process: devices do not forget their counters at a restart."""
        kept = {name: getattr(self, name) for name in _KEPT_SITE}
        for key, battery in self._cells():
            kept |= {f"battery.{key}.{name}": getattr(battery, name) for name in _KEPT_BATTERY}
        kept |= {f"load.{name}": energy for name, energy in self.e_loads.items()}
        return kept | {f"pv.{name}": pv.energy for name, pv in self.pv.items()}

    def recall(self, kept: Mapping[str, float]) -> None:
        """Goes on where `remember` stopped."""
        for name in _KEPT_SITE:
            setattr(self, name, kept.get(name, getattr(self, name)))
        for key, battery in self._cells():
            for name in _KEPT_BATTERY:  # before there could be several, the key named none
                before = kept.get(f"battery.{name}", getattr(battery, name))
                setattr(battery, name, kept.get(f"battery.{key}.{name}", before))
            battery.stored = min(battery.energy, max(0.0, battery.stored))
        for name, pv in self.pv.items():
            pv.energy = kept.get(f"pv.{name}", pv.energy)
        for name in [*self.rated_loads, *self.driven]:
            self.e_loads[name] = kept.get(f"load.{name}", self.e_loads.get(name, 0.0))

    def _cells(self) -> Iterator[tuple[str, Battery]]:
        """Those of each rack, by the name of the PCS that was built with them."""
        for pcs, one in self.bess.items():
            for number, rack in enumerate([] if one.led else one.racks):
                yield (f"{pcs}.{number}" if number else pcs), rack.battery


_KEPT_SITE = ("e_load", "e_import", "e_export")
_KEPT_BATTERY = ("stored", "temperature", "charged", "discharged", "lost")
