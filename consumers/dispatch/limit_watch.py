"""Whether the limits at the connection point are held, by the grid meter. Pure: `mono` is the monotonic clock."""

from dataclasses import dataclass, field

from optimizer.grid_bounds import Bounds
from optimizer.situation.ages import METER_NOW
from optimizer.situation.heard import number
from schemas.messages import Telemetry
from schemas.site import Site

PATIENCE = 60.0
"""Seconds beyond a limit until it is said: a battery that trips, a motor that starts and an answer that comes late are
over by then, and the network operator counts means of 15 minutes."""
SHARE, LEAST = 0.02, 1000.0
"""Of the limit, and W at least: so far beyond it the meter may stand, by its own error and the dead bands of many."""


@dataclass
class LimitWatch:
    """Of one site."""

    site: Site
    words: str = ""
    """Which limit is not held, and what is measured; empty while all are, or nobody knows."""
    _power: tuple[float, float] | None = None
    """W at the grid meter, positive drawn, and when."""
    _since: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limited = {one.name for one in self.site.pv_limited}
        free = [name for name in dict.fromkeys(name for name, _ in self.site.pv_points) if name not in limited]
        self._free = f"; nobody can limit the PV of {', '.join(free)}" if free else ""

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time."""
        if device == self.site.grid.meter and (power := number(telemetry, "p")) is not None:
            self._power = power, mono

    def look(self, bounds: Bounds, mono: float) -> None:
        """`bounds`: what holds now. A silent meter proves nothing: it has an alarm of its own."""
        fresh = self.site.named(self.site.grid.meter).stale_after(METER_NOW)
        if self._power is None or mono - self._power[1] > fresh:
            self._since.clear()
            return
        power = self._power[0]
        flows = {"consumption": (power, bounds.import_limit), "feed-in": (-power, bounds.export_limit)}
        said = list[str]()
        for name, (flow, most) in flows.items():
            if flow <= most + max(SHARE * most, LEAST):
                self._since.pop(name, None)
            elif mono - self._since.setdefault(name, mono) >= PATIENCE:
                words = f"{name} is {flow / 1000:.0f} kW, at most {most / 1000:g} kW may be"
                said.append(words + (self._free if name == "feed-in" else ""))
        self.words = "; ".join(said)
