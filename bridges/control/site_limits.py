"""The limits of the grid connection as dispatch says them, for the guard: they only ever narrow the site file's. Pure;
`runtime.memory` keeps them on disk.

What was heard last holds, whether dispatch lives or not, and also when the broker has forgotten it: who may widen it
says so by another word. Where the site file says what is safe while a signal is not known, dispatch says its word again
and again: without dispatch nobody hears the signal, and after `dso_hold` what is safe narrows the last word.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic

from optimizer.grid_bounds import safe
from runtime.memory import Memory
from schemas.messages import ControlLimits
from schemas.site import Site


@dataclass
class SiteLimits:
    """Powers in W."""

    site: Site
    file: Memory | None = None
    said: ControlLimits | None = None
    lost: bool = False
    """What was kept cannot be read: what is declared safe holds until dispatch speaks."""
    clock: Callable[[], float] = monotonic
    heard: float = field(init=False)
    """When dispatch has said anything new, or this bridge began."""

    def __post_init__(self) -> None:
        self.heard = self.clock()

    def recall(self) -> None:
        """What the last bridge has kept."""
        kept = {} if self.file is None else self.file.recall()
        try:
            self.said = ControlLimits.model_validate(kept, strict=False) if kept else None
        except ValueError:
            self.lost = True
        self.lost = self.lost or (self.file is not None and self.file.damaged)

    def hear(self, said: ControlLimits | None) -> None:
        """The next word; None is none: the broker was cleared, or it could not be read."""
        if said is None:
            return
        if said != self.said:  # the broker repeats what it has kept, also of a dispatch that is gone
            self.heard = self.clock()
        self.said, self.lost = said, False
        if self.file is not None:
            self.file.write(said.model_dump_json())

    @property
    def unknown(self) -> bool:
        """Nobody says what the network operator wants, or not any more."""
        return self.lost or self.clock() - self.heard >= self.site.grid.dso_hold

    @property
    def export_limit(self) -> float:
        """That may be fed in."""
        most, declared = self.site.grid.export_limit, safe(self.site, "feed_in")
        if self.unknown and declared is not None:
            most = min(most, declared)
        return most if self.said is None else min(most, self.said.export_limit)

    @property
    def pv_limit(self) -> float:
        """That PV may give."""
        return inf if self.said is None or self.said.pv_limit is None else self.said.pv_limit

    def import_limit(self, net: float | None) -> float:
        """That may be drawn. `net`: what the site would carry without batteries, which may draw so much beside it."""
        most, declared = self.site.grid.import_limit, safe(self.site, "consumption")
        if self.unknown and declared is not None:
            most = min(most, declared)
        if self.said is None:
            return most
        draw = inf if self.said.draw_limit is None else self.said.draw_limit + max(net or 0.0, 0.0)
        return min(most, self.said.import_limit, draw)
