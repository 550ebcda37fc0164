"""The counters of a bridge's devices, kept on disk: at a restart at dawn the old value tells that 0 is none.

Times are of the wall clock, for no other one outlives the process. A clock that was set back, or that nobody has set
yet, tells no age: then a day may have passed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridges.telemetry.energy_counter import DAY, EnergyCounter
from runtime.memory import Memory

Counters = Mapping[str, Mapping[str, EnergyCounter]]
"""By device and point."""


@dataclass
class CounterMemory:
    """In one file. `wall` is in seconds since 1970."""

    file: Memory
    counters: Counters
    profiles: Mapping[str, str]
    """By device: with another profile it is another device."""
    _seen: dict[tuple[str, str], tuple[float | None, float]] = field(default_factory=dict)
    """When each was read last, by its own clock and by the wall's."""

    def recall(self, wall: float) -> None:
        """What was believed last."""
        kept = self.file.recall()
        for device, points in self.counters.items():
            values = _dict(kept.get(device))
            if values.get("profile") != self.profiles.get(device):
                continue
            for point, counter in points.items():
                value, waits, at = _numbers(values.get(point))
                if math.isfinite(value + waits + at):
                    counter.recall(value, waits, wall - at if at <= wall else DAY)
                    self._seen[device, point] = (None, at)

    def keep(self, wall: float) -> None:
        """Write down what is believed now; nothing where no counter was read."""
        facts = {
            device: {"profile": self.profiles.get(device)} | known
            for device, points in self.counters.items()
            if (known := dict(self._known(device, points, wall)))
        }
        if facts:
            self.file.keep(facts)

    def _known(self, device: str, points: Mapping[str, EnergyCounter], wall: float) -> list[tuple[str, list[float]]]:
        found = []
        for point, counter in points.items():
            if counter.value is None:
                continue
            seen = self._seen.get((device, point))
            if seen is None or seen[0] != counter.at:
                seen = self._seen[device, point] = (counter.at, wall)
            found.append((point, [counter.value, counter.waits, seen[1]]))
        return found


def _dict(found: object) -> dict[str, Any]:
    return dict(found) if isinstance(found, dict) else {}


def _numbers(found: object) -> tuple[float, float, float]:
    if not isinstance(found, list) or len(found) != 3 or not all(type(one) in (float, int) for one in found):
        return math.nan, math.nan, math.nan
    value, waits, at = map(float, found)
    return value, waits, at
