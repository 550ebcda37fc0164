"""Whether what comes into the site is enough for the loads that are measured. Pure: `mono` is the monotonic clock.

It is not: a meter is the wrong way round, has a wrong ratio or stands behind another one, or something that produces is
read by nobody.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from optimizer.situation.heard import number
from schemas.flows import Rest, rest
from schemas.messages import Telemetry
from schemas.site import Site

PATIENCE = 300.0
"""Seconds it must last: devices are not read at the same instant, and some tell means."""
SMOOTH, SLOW = 60.0, 180.0
"""Seconds of the mean that is judged, and of one that shows how far it moved lately: a meter that tells means of a
minute shows a cloud front when it has passed."""
FRESH = 10.0
"""Seconds a reading tells of now, where the device is read each 4 s or more often."""

Source = tuple[str, str]
"""A device and its point."""


class Mean(NamedTuple):
    """W, over SMOOTH and over SLOW, and when it was read."""

    power: float
    slow: float
    read: float

    def on(self, power: float, mono: float) -> "Mean":
        """With the next reading."""
        fast, slow = (1.0 - math.exp(-max(0.0, mono - self.read) / seconds) for seconds in (SMOOTH, SLOW))
        return Mean(self.power + fast * (power - self.power), self.slow + slow * (power - self.slow), mono)


@dataclass
class BalanceWatch:
    """Of one site."""

    site: Site
    words: str = ""
    """What does not add up; empty while it does, or nobody knows."""
    _means: dict[Source, Mean] = field(default_factory=dict)
    _since: float | None = None

    def __post_init__(self) -> None:
        plain = [(name, "p") for name in (self.site.grid.meter, *self.site.pcs)]
        self._brings: list[Source] = [*plain, *self.site.pv_points]
        self._loads: list[Source] = [(name, "p") for name in self.site.loads_apart]
        self._wanted: dict[str, list[str]] = {}
        for device, point in (*self._brings, *self._loads):
            self._wanted.setdefault(device, []).append(point)

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time."""
        for point in self._wanted.get(device, ()):
            if (power := number(telemetry, point)) is None:
                self._means.pop((device, point), None)
                continue
            before = self._means.get((device, point), Mean(power, power, mono))
            self._means[device, point] = before.on(power, mono)

    def look(self, mono: float) -> None:
        """A device that is silent proves nothing: it has an alarm of its own."""
        found = self._rest(mono)
        if found is None or not found.doubted:
            self._since, self.words = None, ""
            return
        self._since = mono if self._since is None else self._since
        if mono - self._since >= PATIENCE and not self.words:  # the numbers move on, the trouble is the same
            self.words = self._in_words(-found.power, self._powers(self._loads))

    def _rest(self, mono: float) -> Rest | None:
        """None while one of them is silent."""
        for source in (*self._brings, *self._loads):
            mean, patience = self._means.get(source), self.site.named(source[0]).stale_after(FRESH)
            if mean is None or mono - mean.read > patience:
                return None
        moved = sum(abs(one.power - one.slow) for one in self._means.values())
        return rest(self._powers(self._brings), self._powers(self._loads), moved=moved)

    def _powers(self, sources: list[Source]) -> list[float]:
        return [self._means[source].power for source in sources]

    def _in_words(self, missing: float, loads: list[float]) -> str:
        if not loads:
            return f"grid, batteries and PV come to {-missing / 1000:.1f} kW: no load gives power"
        named = zip(self._loads, loads, strict=True)
        each = ", ".join(f"{device} {power / 1000:.1f} kW" for (device, _), power in named)
        return f"the measured loads ({each}) draw {missing / 1000:.1f} kW more than grid, batteries and PV bring"
