"""What dispatch has heard of the cells of one battery, from each of its racks. Ages run on the monotonic clock from the
arrival. Pure."""

from dataclasses import dataclass, field

from optimizer.racks import Cells, Rack, left_out, together
from schemas.messages import Telemetry, Value
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_battery import Battery

MOST = 1e12
"""W, V, A: what is beyond no plant has, and its sums would overflow."""
NEVER = float("-inf")


@dataclass
class RackSeen:
    """Its last believable words."""

    map: RackMap
    fresh: float
    """Seconds after which they are not believed."""
    rack: Rack = field(default_factory=lambda: Rack(None, None))
    heard: float = NEVER
    """Monotonic seconds of the last limits and SoC."""
    words: dict[str, Value] = field(default_factory=dict)

    def hear(self, telemetry: Telemetry, mono: float) -> None:
        """All or nothing: a limit without its voltage is no limit, and dispatch rests when it gets old."""
        for point in (self.map.says, self.map.current):
            if (word := telemetry.good(point)) is not None:
                self.words[point] = word
        soc, allowed = number(telemetry, "soc"), self.map.allowed(lambda point: number(telemetry, point))
        if soc is not None and allowed is not None and 0 <= soc <= 100:
            self.rack, self.heard = Rack(allowed, soc), mono


@dataclass
class CellsSeen:
    """Shared by the PCS of a battery."""

    battery: Battery
    racks: dict[str, RackSeen]

    @classmethod
    def of(cls, site: Site, battery: Battery) -> "CellsSeen":
        """Nothing is heard yet."""
        devices = [site.named(name) for name in battery.racks]
        return cls(battery, {
            one.name: RackSeen(RackMap.of(site.profiles[one.name]), one.stale_after(battery.ccl_stale_after))
            for one in devices
        })  # fmt: skip

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """One of its racks says something."""
        self.racks[device].hear(telemetry, mono)

    @property
    def _connected(self) -> list[RackSeen]:
        out = left_out({name: one.map.is_out(one.words.get) for name, one in self.racks.items()})
        return [one for name, one in self.racks.items() if name not in out]

    @property
    def now(self) -> Cells:
        """Of all that are connected, however old."""
        one, racks = self.battery, [each.rack for each in self._connected]
        return together(racks, len(self.racks), one.charge_limit, one.discharge_limit)

    @property
    def heard(self) -> float:
        """When the one was heard that was heard longest ago."""
        return min(one.heard for one in self._connected)

    @property
    def fresh(self) -> float:
        return max(one.fresh for one in self.racks.values())

    def unknown(self, mono: float) -> str:
        """Why nobody knows what they may give or take; empty when they say so."""
        who, may = ("BMS", "it allows") if self.battery.bms else ("PCS", "its cells allow")
        if any(one.rack.allowed is None for one in self._connected):
            return f"the {who} does not say what {may}"
        old = any(mono - one.heard > one.fresh for one in self._connected)
        return f"the {who} has been silent for more than {self.fresh:.0f} s" if old else ""


def number(telemetry: Telemetry, point: str) -> float | None:
    """A power, a voltage, a current, a SoC that a plant can have."""
    value = telemetry.number(point)
    return value if value is not None and abs(value) <= MOST else None
