"""Telemetry folded into what a site is now: the newest good value of each power and of each battery's cells. Pure.

Dispatch and optimize both fold with it, so that they know the same of one site. How old a value may be each of them
says when it asks (`ages`); what is too old, not good or was never heard is not known, for both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from optimizer.situation.arrivals import Arrivals
from optimizer.situation.cells import CellsSeen
from optimizer.situation.heard import NEVER, Heard, Known, known, number
from schemas.messages import Telemetry
from schemas.site import Site

Source = tuple[str, str]
"""A device and its point."""


def sources(site: Site) -> list[Source]:
    """Where the powers are read that make the load, and those of the flexible loads."""
    plain = [site.grid.meter, *site.pcs, *(one.device for one in site.load)]
    return [*dict.fromkeys([*((name, "p") for name in plain), *site.pv_points])]


@dataclass
class SiteSeen:
    """The site as it was last heard. Only `hear` changes it, and never to something older."""

    site: Site
    cells: dict[str, CellsSeen]
    """By the name of their battery."""
    powers: dict[Source, Heard] = field(default_factory=dict)
    """W; a source that was never good is absent."""
    spoke: dict[str, float] = field(default_factory=dict)
    """When each device said anything."""
    arrivals: Arrivals = field(default_factory=Arrivals, compare=False)

    def __post_init__(self) -> None:
        self._devices = frozenset(one.name for one in self.site.devices)
        self._loads = {one.device: one for one in self.site.load}
        self._points: dict[str, list[str]] = {}
        for device, point in sources(self.site):
            self._points.setdefault(device, []).append(point)

    @classmethod
    def of(cls, site: Site) -> "SiteSeen":
        """Nothing is heard yet."""
        return cls(site, {one.name: CellsSeen.of(site, one) for one in site.battery})

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> bool:
        """The next message; whether it tells of now, of a device of this site. What is not good in it changes
        nothing."""
        if device not in self._devices or not self.arrivals.timely(device, telemetry, mono):
            return False
        self.spoke[device] = mono
        for point in self._points.get(device, ()):
            if (power := self._power(device, point, telemetry)) is not None:
                self.powers[device, point] = Heard(mono, power)
        battery = self.site.battery_of(device)
        if battery is not None and device in battery.racks:  # of a hybrid that is its PCS
            self.cells[battery.name].hear(device, telemetry, mono)
        return True

    def _power(self, device: str, point: str, telemetry: Telemetry) -> float | None:
        """W. A flexible load without a meter of its own draws its rating while it is on."""
        load = self._loads.get(device)
        if load is None:
            return number(telemetry, point)
        profile = self.site.profiles[device]
        shown = number(telemetry, load.shown_by(profile))
        return None if shown is None else load.drawn(shown, profile, self.site.named(device).rated_power or 0.0)

    def still(self) -> "SiteSeen":
        """As it is now, for who reckons with it while telemetry goes on."""
        cells = {name: one.still() for name, one in self.cells.items()}
        return replace(self, cells=cells, powers={**self.powers}, spoke={**self.spoke})

    def power(self, device: str, point: str = "p") -> float | None:
        """W, however old; None when it was never good."""
        heard = self.powers.get((device, point))
        return None if heard is None else heard.value

    def heard(self, device: str, point: str = "p") -> float:
        """When it was good last."""
        found = self.powers.get((device, point))
        return NEVER if found is None else found.at

    def known(self, device: str, point: str, mono: float, least: float) -> Known:
        """What is known of a power, or of a rack's `soc`, to who wants it no older than `least` seconds, or 2.5 cycles
        of a device that is read seldom."""
        battery = self.site.battery_of(device)
        rack = self.cells[battery.name].racks.get(device) if battery is not None and point == "soc" else None
        value = rack.soc if rack is not None else self.powers.get((device, point))
        return known(value, self.spoke.get(device, NEVER), mono, self.site.named(device).stale_after(least))

    def lacking(self, wanted: Iterable[Source], mono: float, least: float) -> dict[str, Known]:
        """Of these devices those of which a point is not known, and what is wrong with it."""
        found = dict[str, Known]()
        for name, point in wanted:
            if (what := self.known(name, point, mono, least)) is not Known.GOOD:
                found.setdefault(name, what)
        return found
