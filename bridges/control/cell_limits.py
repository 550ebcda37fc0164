"""What the cells of a battery allow one of its PCS now, from what its racks and the other PCS said last. Pure."""

from dataclasses import dataclass

from bridges.control.grid_connection import GridConnection
from bridges.control.limits import DC_TO_AC
from bridges.telemetry.latest_values import LatestValues, lasts
from optimizer.racks import Cells, Neighbour, Rack, left_out, part, together
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_battery import Unit

RUNS = ("running", "throttled")
"""States of a PCS in which a setpoint works."""
PCS_AGE = 5.0
"""Seconds after which what a PCS said is too old, at usual polls."""
EVER = float("inf")


@dataclass
class CellLimits:
    """Of one PCS and the battery behind it."""

    site: Site
    unit: Unit
    latest: LatestValues
    connection: GridConnection

    def __post_init__(self) -> None:
        self._maps = {name: RackMap.of(self.site.profiles[name]) for name in self.unit.racks}
        self._tells = {name for name in self.unit.beside if "state" in self.site.profiles[name].points}

    def age(self, rack: str) -> float:
        """Seconds after which what a rack said is too old."""
        return lasts(self.site.named(rack).poll, self.unit.ccl_stale_after)

    def left_out(self) -> frozenset[str]:
        """Racks that are not connected by their last word, whatever they say or do not say since."""
        return left_out({name: self._is_out(name) for name in self._maps}) if len(self._maps) > 1 else frozenset()

    def _is_out(self, name: str) -> bool:
        return self._maps[name].is_out(lambda point: self.latest.said(name, point, EVER, EVER))

    def now(self, now: float) -> Cells:
        """What all connected racks allow together."""
        out = self.left_out()
        racks = [self._rack(name, now) for name in self._maps if name not in out]
        return together(racks, len(self._maps), self.unit.charge_limit, self.unit.discharge_limit)

    def _rack(self, name: str, now: float) -> Rack:
        age = self.age(name)
        allowed = self._maps[name].allowed(lambda point: self.latest.number(name, point, now, age))
        return Rack(allowed, self.latest.number(name, "soc", now, age))

    def part(self, cells: Cells, now: float) -> tuple[float | None, float | None]:
        """W at the cells that this PCS may charge and discharge; None while nobody knows."""
        if cells.charge is None or cells.discharge is None or not self.unit.beside:
            return cells.charge, cells.discharge
        beside = [self._neighbour(name, now) for name in self.unit.beside]
        rated = self.site.rated(self.unit)
        return (
            part(cells.charge, rated, [(one, max(0.0, -low)) for one, low, _ in beside]),
            part(cells.discharge, rated, [(one, max(0.0, high) / DC_TO_AC) for one, _, high in beside]),
        )

    def _neighbour(self, name: str, now: float) -> tuple[Neighbour, float, float]:
        """With the W it gives at least and at most."""
        device = self.site.named(name)
        age = lasts(device.poll, PCS_AGE)
        takes_part = self._takes_part(name, now, age)
        return Neighbour(device.rated_power or 0.0, takes_part), *self.connection.reach(name, now, silent=age)

    def _takes_part(self, name: str, now: float, age: float) -> bool:
        """It follows what it is told. One that is silent may not."""
        if self.latest.number(name, "p", now, age) is None:
            return False
        if self.latest.said(name, "control_loc", now, age) == "local":
            return False
        return name not in self._tells or self.latest.said(name, "state", now, age) in RUNS
