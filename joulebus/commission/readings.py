"""The newest values of every device of a site that is commissioned."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.fieldbus.contract import FieldDevice
from schemas.messages import Value

TURNS = 8
"""Readings that bring nothing new before a point counts as one the device does not have."""
SLOWLY = 60.0
"""Seconds a value counts as known here: slow points are read in turns."""


@dataclass
class Readings:
    """All walks of one commissioning share them."""

    devices: Mapping[str, FieldDevice]
    values: dict[str, dict[str, tuple[float, Value]]] = field(default_factory=dict)
    """When a point was read (monotonic), and what it was."""

    async def read_all(self, name: str) -> dict[str, Value]:
        """Every point a device has. Raises Unreachable or Declined."""
        device, found, idle = self.devices[name], dict[str, Value](), 0
        while idle < TURNS and len(found) < len(device.points):
            values = await self.read(name)
            idle = 0 if values.keys() - found.keys() else idle + 1
            found |= values
        return found

    async def read(self, name: str) -> dict[str, Value]:
        """One cycle. Raises Unreachable or Declined."""
        return self._note(name, (await self.devices[name].read()).values)

    async def glance(self, name: str, *points: str) -> dict[str, Value]:
        """Some points of one device, now. Raises Unreachable or Declined."""
        return self._note(name, (await self.devices[name].look(*points)).values)

    async def power(self, name: str) -> float | None:
        """W at the AC side of a device, now. Raises Unreachable or Declined."""
        power = (await self.glance(name, "p")).get("p")
        return power if isinstance(power, float) else None

    def _note(self, name: str, values: dict[str, Value]) -> dict[str, Value]:
        now = time.monotonic()
        self.values.setdefault(name, {}).update({point: (now, value) for point, value in values.items()})
        return values

    def seen(self, device: str) -> dict[str, Value]:
        """All that was read of a device so far."""
        return {point: value for point, (_, value) in self.values.get(device, {}).items()}

    def said(self, device: str, point: str) -> Value | None:
        """What is known of a point."""
        at, value = self.values.get(device, {}).get(point, (float("-inf"), None))
        return value if time.monotonic() - at <= SLOWLY else None

    def number(self, device: str, point: str) -> float | None:
        """The same where it is a number."""
        said = self.said(device, point)
        return said if isinstance(said, float) else None
