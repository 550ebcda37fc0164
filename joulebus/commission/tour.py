"""Leads an integrator through a whole site: every device is read, then each battery walked, then the PV limited. One
after the other: while one is stepped all others stand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Unreachable
from joulebus.commission.devices import field_devices
from joulebus.commission.findings import GOOD, WRONG, Finding, agreement, line, plausible
from joulebus.commission.lookout import Lookout
from joulebus.commission.pv_step import PvStep
from joulebus.commission.readings import Readings
from joulebus.commission.surroundings import beside
from joulebus.commission.walk import Walk, alone
from schemas.site import Site
from schemas.site_battery import Unit


@dataclass
class Tour:
    """One commissioning of a site, of some of its batteries."""

    site: Site
    units: list[Unit]
    ask: Callable[[str], bool]
    say: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readings = Readings(field_devices(self.site))
        self.walks = [
            Walk(alone(self.site, unit), Lookout(self.site, unit, self.readings), self.ask, self.say)
            for unit in self.units
        ]

    def close(self) -> None:
        """Let go of the lines."""
        for one in self.readings.devices.values():
            one.close()

    def find(self, *found: Finding) -> None:
        """Keep and say them."""
        self.findings += found
        for one in found:
            self.say(line(one))

    async def read_all(self) -> None:
        """Identity, points, ranges, ratings of every device, and how they fit together. Nothing is written."""
        for device in self.site.devices:
            try:
                seen = await self.readings.read_all(device.name)
            except (Unreachable, Declined) as wrong:
                self.find(Finding(device.name, "connection", WRONG, str(wrong), "it answers"))
                continue
            model = f"{seen.get('model_name', '')} {seen.get('serial', '')}".strip()
            self.find(Finding(device.name, "connection", GOOD, model or "it answers", "it answers"))
            self.find(*plausible(device, self.site.profiles[device.name], seen))
        seen_all = {device.name: self.readings.seen(device.name) for device in self.site.devices}
        self.find(*agreement(self.site, seen_all), *beside(self.site, seen_all))
        for walk in self.walks:
            self.find(*walk.interlocks())

    def pv_steps(self) -> Iterator[PvStep]:
        """One for each inverter."""
        for device in self.site.pv:
            yield PvStep(self.site, self.readings, device.name, self.ask, self.say)

    def of(self, walk: Walk) -> list[Finding]:
        """What belongs into the report of one battery: of its devices, of the meter, and its own."""
        return [
            *(one for one in self.findings if one.device in (*walk.lookout.needed, walk.cells.name)),
            *walk.findings,
        ]
