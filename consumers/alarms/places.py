"""What the alarms need to know of a site's devices beside their rules. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from consumers.alarms.first_out import groups
from consumers.alarms.reading import SPREADS
from schemas.site import Site
from schemas.site_device import POLLS
from schemas.units import Kind

SLOW = 60.0
"""Seconds for which a point that is read in turn with others is believed at least."""
SHORTEST_GAP = 2.5
"""Seconds. Of a device that is read twice a second, two lost readings are no gap."""

Point = tuple[str, str]
"""A device and its point."""


@dataclass(frozen=True)
class Places:
    """Empty where nothing is known: of a test, or of joulebus' own parts."""

    polls: Mapping[str, float] = field(default_factory=dict)
    """Seconds between two readings of a device."""
    units: Mapping[Point, str] = field(default_factory=dict)
    slow: frozenset[Point] = frozenset()
    """What is read in turn with others."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """The battery of a device."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @classmethod
    def of(cls, site: Site) -> Self:
        profiles = {device.name: site.profiles[device.name] for device in site.devices}
        points = {(name, point): spec for name, one in profiles.items() for point, spec in one.points.items()}
        return cls(
            polls={device.name: device.poll for device in site.devices},
            units={place: spec.unit for place, spec in points.items()},
            slow=frozenset(place for place, spec in points.items() if spec.rate == "slow"),
            groups=groups(site.battery),
            kinds={name: one.kind for name, one in profiles.items()},
        )

    def gap(self, device: str, point: str) -> float:
        """Seconds without a believed reading after which nobody knows how it was meanwhile."""
        least = SLOW if (device, SPREADS.get(point, (point,))[0]) in self.slow else SHORTEST_GAP
        return max(least, POLLS * self.polls.get(device, 0.0))

    def unit(self, device: str, point: str) -> str:
        return self.units.get((device, SPREADS.get(point, (point,))[0]), "")
