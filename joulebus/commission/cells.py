"""The cells behind one PCS, as a commissioning reads them: one rack or several, or a hybrid that speaks for its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from joulebus.commission.readings import Readings
from optimizer.racks import Cells as Allowed
from optimizer.racks import Rack, left_out, together
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_battery import Unit


@dataclass(frozen=True)
class Cells:
    """Of one unit. Powers in W at the cells' terminals, positive discharging."""

    unit: Unit
    maps: Mapping[str, RackMap]
    readings: Readings

    @classmethod
    def of(cls, site: Site, unit: Unit, readings: Readings) -> "Cells":
        return cls(unit, {name: RackMap.of(site.profiles[name]) for name in unit.racks}, readings)

    @property
    def name(self) -> str:
        """In a report."""
        return "+".join(self.unit.racks)

    @property
    def apart(self) -> bool:
        """Devices of their own see what flows; a hybrid's own words prove nothing of it."""
        return self.unit.pcs not in self.unit.racks

    async def power(self) -> dict[str, float]:
        """Of each rack that is measured, now. Raises Unreachable or Declined."""
        found = dict[str, float]()
        for name, points in self.maps.items():
            if points.current:
                dc = await self.readings.glance(name, points.voltage, points.current)
                u, i = dc.get(points.voltage), dc.get(points.current)
                found |= {name: u * i} if isinstance(u, float) and isinstance(i, float) else {}
        return found

    def last_power(self) -> float | None:
        """Of all racks together, by what was read last. None: one is not known."""
        pairs = [(self.readings.number(n, one.voltage), self.readings.number(n, one.current))
                 for n, one in self.maps.items()]  # fmt: skip
        return sum(u * i for u, i in pairs if u is not None and i is not None) if _whole(pairs) else None

    def allowed(self) -> Allowed:
        """What they take and give, and how full they are, by what was read last. Racks that are out are left out."""
        said = {name: partial(self.readings.said, name) for name in self.maps}
        out = left_out({n: one.is_out(said[n]) for n, one in self.maps.items()}) if len(self.maps) > 1 else frozenset()
        racks = [
            Rack(one.allowed(partial(self.readings.number, name)), self.readings.number(name, "soc"))
            for name, one in self.maps.items()
            if name not in out
        ]
        return together(racks, len(self.maps), self.unit.charge_limit, self.unit.discharge_limit)


def _whole(pairs: list[tuple[float | None, float | None]]) -> bool:
    return bool(pairs) and all(None not in pair for pair in pairs)
