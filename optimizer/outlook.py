"""What a plan is made from: the next hours in steps, with forecasts, prices, limits and what is billed already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.storage import Storage
from optimizer.tariff import month, window
from schemas.site_parts import Grid

Vector = NDArray[np.float64]

QUARTER = timedelta(minutes=15)
SHORTEST = timedelta(seconds=1)


def step_starts(now: datetime, hours: float) -> list[datetime]:
    """Now, then every quarter hour; the first step is the rest of the current one, if any is left."""
    begun = datetime.fromtimestamp((now + SHORTEST).timestamp() // 900 * 900, UTC)
    starts = [begun + i * QUARTER for i in range(round(hours * 4))]
    return [max(begun, now.astimezone(UTC)), *starts[1:]]


@dataclass(frozen=True)
class Outlook:
    """Powers in W, prices per kWh, one entry a step."""

    starts: Sequence[datetime]
    load: Vector
    pv: Vector
    buy: Vector
    sell: Vector
    soc: float
    """% now."""
    battery: Storage
    grid: Grid
    rated: float
    """W of all PCS."""
    zone: ZoneInfo
    currency: str = "EUR"
    demand: float = 0.0
    """Price per kW and month of the highest mean import."""
    minutes: int = 15
    """Length of a billing window."""
    billed: float = 0.0
    """W, this month's peak so far."""
    floor: float = 0.0
    """W of peak that each month is billed at least."""
    imported: float = 0.0
    """Wh, in the billing window of the first step before it."""
    inside: Vector | float = 0.0
    """W of the PV of hybrids in each step: it goes through the same inverters, and leaves so much less to discharge."""

    @property
    def now(self) -> datetime:
        return self.starts[0]

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(self.starts[-1].timestamp() // 900 * 900 + 900, UTC)

    @cached_property
    def hours(self) -> Vector:
        """The length of each step."""
        edges = [*self.starts, self.end]
        return np.array([(b - a).total_seconds() / 3600 for a, b in pairwise(edges)])

    @cached_property
    def months(self) -> list[int]:
        """The calendar month of each step, counted from the present one."""
        firsts = [month(at, self.zone)[0] for at in self.starts]
        known = sorted(set(firsts))
        return [known.index(first) for first in firsts]

    @cached_property
    def due(self) -> Vector:
        """W of peak by month that are billed whatever the plan does."""
        peaks = np.full(self.months[-1] + 1, self.floor)
        peaks[0] = max(self.billed, self.floor)
        return peaks

    @cached_property
    def windows(self) -> list[int]:
        """The billing window of each step, counted from the present one."""
        begins = [window(at, self.zone, self.minutes)[0] for at in self.starts]
        known = sorted(set(begins))
        return [known.index(begin) for begin in begins]

    @cached_property
    def stored_value(self) -> float:
        """What a kWh left in the battery is worth: what it saves later, at the mean of the prices that bind.

        The wear is not taken off: later it will be used in hours dearer than the mean.
        """
        binding = np.where(self.load > self.pv, self.buy, self.sell)
        mean = float(np.average(binding, weights=self.hours))
        return max(0.0, mean * self.battery.efficiency)
