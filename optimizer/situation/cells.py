"""What was heard of the cells of one battery, from each of its racks. Ages run on the monotonic clock from the
arrival. Pure."""

from dataclasses import dataclass, field, replace

from optimizer.racks import Cells, Rack, left_out, together
from optimizer.situation.heard import NEVER, Heard, number
from schemas.messages import Telemetry, Value
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_battery import Battery
from schemas.site_device import Device

AGAIN = 0.2
"""Of the seconds for which a word holds: after a silence a second one must come so much later than the first."""


@dataclass
class RackSeen:
    """Its newest good words."""

    device: Device
    map: RackMap
    soc: Heard | None = None
    """%."""
    allowed: tuple[float, tuple[float, float]] | None = None
    """When it came, and W at the cells that may be charged and discharged."""
    words: dict[str, Value] = field(default_factory=dict)
    """Whether it is connected."""
    back: float = NEVER
    """When it first spoke again after it was silent."""

    def hear(self, telemetry: Telemetry, mono: float) -> None:
        """A limit without its voltage is no limit."""
        for point in (self.map.says, self.map.current):
            if (word := telemetry.good(point)) is not None:
                self.words[point] = word
        soc, allowed = number(telemetry, "soc"), self.map.allowed(lambda point: number(telemetry, point))
        if soc is not None and 0 <= soc <= 100:
            self.soc = Heard(mono, soc)
        if allowed is not None:
            self.allowed = mono, allowed

    @property
    def heard(self) -> float:
        """When the older of its SoC and its limits came."""
        return NEVER if self.soc is None or self.allowed is None else min(self.soc.at, self.allowed[0])

    @property
    def rack(self) -> Rack:
        """However old."""
        return Rack(self.allowed[1] if self.allowed else None, self.soc.value if self.soc else None)

    def rack_now(self, mono: float, least: float) -> Rack:
        """Without what is too old: see `Device.stale_after`."""
        fresh, whole = self.device.stale_after(least), self.rack
        soc = whole.soc if self.soc and self.soc.holds(mono, fresh) else None
        return Rack(whole.allowed if self.allowed and mono - self.allowed[0] <= fresh else None, soc)


@dataclass
class CellsSeen:
    """Of one battery, shared by its PCS."""

    battery: Battery
    racks: dict[str, RackSeen]

    @classmethod
    def of(cls, site: Site, battery: Battery) -> "CellsSeen":
        """Nothing is heard yet."""
        devices = [site.named(name) for name in battery.racks]
        return cls(battery, {one.name: RackSeen(one, RackMap.of(site.profiles[one.name])) for one in devices})

    def still(self) -> "CellsSeen":
        """As it is now, while telemetry goes on."""
        return replace(self, racks={name: replace(one, words={**one.words}) for name, one in self.racks.items()})

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """One of its racks says something. The first word after a silence is not acted on: with each word of a BMS that
        says its limits each half minute the battery would go to full power and back."""
        one = self.racks[device]
        before = one.heard
        one.hear(telemetry, mono)
        if before != NEVER and one.heard - before > self._fresh(one):
            one.back = one.heard

    @property
    def connected(self) -> dict[str, RackSeen]:
        """All but those that say they are out."""
        out = left_out({name: one.map.is_out(one.words.get) for name, one in self.racks.items()})
        return {name: one for name, one in self.racks.items() if name not in out}

    @property
    def now(self) -> Cells:
        """Of all that are connected, however old."""
        return self._together([one.rack for one in self.connected.values()])

    def within(self, mono: float, least: float) -> Cells:
        """The same; what one of them said longer ago than that is not known of the whole."""
        return self._together([one.rack_now(mono, least) for one in self.connected.values()])

    def _together(self, racks: list[Rack]) -> Cells:
        return together(racks, len(self.racks), self.battery.charge_limit, self.battery.discharge_limit)

    @property
    def heard(self) -> float:
        """When the one was heard that was heard longest ago."""
        return min(one.heard for one in self.connected.values())

    @property
    def fresh(self) -> float:
        """Seconds after which dispatch does not believe them."""
        return max(self._fresh(one) for one in self.racks.values())

    def _fresh(self, one: RackSeen) -> float:
        return one.device.stale_after(self.battery.ccl_stale_after)

    def unknown(self, mono: float) -> str:
        """Why nobody knows what they may give or take in this second; empty when they say so."""
        who, may = ("BMS", "it allows") if self.battery.bms else ("PCS", "its cells allow")
        racks = self.connected.values()
        if any(one.heard == NEVER for one in racks):
            return f"the {who} does not say what {may}"
        old = any(mono - one.heard > self._fresh(one) for one in racks)
        if old:
            return f"the {who} has been silent for more than {self.fresh:.0f} s"
        if self.once:
            return f"the {who} was silent for more than {self.fresh:.0f} s, and has spoken but once since"
        return ""

    @property
    def once(self) -> bool:
        """One of them has spoken but once since it was silent."""
        back = [(one.heard - one.back, one) for one in self.connected.values() if one.back != NEVER]
        return any(spoke < AGAIN * self._fresh(one) for spoke, one in back)
