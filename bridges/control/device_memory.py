"""What must be known of a device beyond a restart: what limits it, and which points stand away from their fallback."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from bridges.control.grid_limit import GridLimit
from runtime.memory import Memory
from schemas.messages import Authority


@dataclass
class DeviceMemory:
    """In one file; without one it lasts as long as the process."""

    file: Memory | None
    limit: GridLimit
    sources: Collection[Authority] = ()
    """Who commands on this site."""
    away: set[str] = field(default_factory=set)
    """Points that a bridge has told something else than their fallback: they must be brought back to it. A point that
    no bridge ever moved is left as its installer set it."""
    waits: float | None = None
    """Until when a bridge that has just begun leaves what it finds to its sender; None once one was heard. Of the
    monotonic clock, which goes on from process to process: who is killed again and again has no new patience."""

    def recall(self, now: float) -> None:
        """What the last bridge has left."""
        kept = {} if self.file is None else self.file.recall()
        limits, away, lost = kept.get("limits"), kept.get("away"), kept.get("lost")
        self.limit.recall(limits if isinstance(limits, dict) else {}, now)
        if isinstance(lost, list):  # nobody has spoken since
            self.limit.lose([one for one in self.limit.signals if one.value in lost], now)
        self.away |= {one for one in away if isinstance(one, str)} if isinstance(away, list) else set()
        waits = kept.get("waits")
        self.waits = float(waits) if isinstance(waits, float | int) and math.isfinite(waits) else None
        if (self.file is not None and self.file.damaged) or not isinstance(limits, dict | None):
            self.limit.lose(self.sources, now)
            self.keep()  # it is set aside: the next start must not find nothing

    def wait(self, until: float) -> float:
        """A bridge begins and would wait until then; gives until when it does."""
        self.waits = until if self.waits is None else min(self.waits, until)
        self.keep()
        return self.waits

    def heard(self) -> None:
        """A sender has said what he wants."""
        if self.waits is not None:
            self.waits = None
            self.keep()

    @property
    def trouble(self) -> str:
        """Why it is limited by more than anybody has said."""
        who = " and ".join(sorted(self.limit.lost))
        return who and f"what {who} limited it to was kept in a file that cannot be read: 0 % until {who} says anew"

    def told(self, point: str, value: float, fallback: float | None) -> None:
        """A point was written."""
        if (value == fallback) == (point in self.away):
            (self.away.discard if value == fallback else self.away.add)(point)
            self.keep()

    def keep(self) -> None:
        """Write it down."""
        if self.file is not None:
            facts = {"limits": self.limit.kept(), "away": sorted(self.away), "lost": sorted(self.limit.lost)}
            self.file.keep(facts | {"waits": self.waits})
