"""What a site did: the quarter-hour means that forecasts learn from. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Record:
    """Load and PV in W, one quarter of an hour after the other; nan where nothing is known."""

    start: datetime
    """Of the first, in UTC, on a quarter of an hour."""
    load: Vector
    pv: Vector

    def __len__(self) -> int:
        return len(self.load)

    @property
    def end(self) -> datetime:
        """When the last one ends."""
        return self.start + len(self.load) * QUARTER

    def until(self, at: datetime) -> "Record":
        """The quarters that were over at an instant: nothing later is seen through it."""
        over = max(0, min(len(self.load), int((at - self.start) // QUARTER)))
        return Record(self.start, self.load[:over], self.pv[:over])

    def last(self, span: timedelta) -> "Record":
        """The youngest quarters of it."""
        skipped = max(0, len(self.load) - int(span // QUARTER))
        return Record(self.start + skipped * QUARTER, self.load[skipped:], self.pv[skipped:])
