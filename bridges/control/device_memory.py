"""What must be known of a device beyond a restart: what limits it, and which points stand away from their fallback."""

from dataclasses import dataclass, field

from bridges.control.grid_limit import GridLimit
from runtime.memory import Memory


@dataclass
class DeviceMemory:
    """In one file; without one it lasts as long as the process."""

    file: Memory | None
    limit: GridLimit
    away: set[str] = field(default_factory=set)
    """Points that a bridge has told something else than their fallback: they must be brought back to it. A point that
    no bridge ever moved is left as its installer set it."""

    def recall(self, now: float) -> None:
        """What the last bridge has left."""
        kept = {} if self.file is None else self.file.recall()
        limits, away = kept.get("limits"), kept.get("away")
        self.limit.recall(limits if isinstance(limits, dict) else {}, now)
        self.away |= {one for one in away if isinstance(one, str)} if isinstance(away, list) else set()

    def told(self, point: str, value: float, fallback: float | None) -> None:
        """A point was written."""
        if (value == fallback) == (point in self.away):
            (self.away.discard if value == fallback else self.away.add)(point)
            self.keep()

    def keep(self) -> None:
        """Write it down."""
        if self.file is not None:
            self.file.keep({"limits": self.limit.kept(), "away": sorted(self.away)})
