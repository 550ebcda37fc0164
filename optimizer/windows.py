"""The billing windows of a demand over the steps of a plan, and what their peaks cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.charge import Highest, Piece, pieces, worth
from optimizer.demand import charged, counts, period
from optimizer.lowest_peak import Alone
from optimizer.tariff import window
from schemas.tariff_demand import Demand

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Charge:
    """A demand of the tariff, and what is known of it when a plan begins."""

    component: Demand
    peaks: Highest = field(default_factory=dict)
    """W that are measured or known, by the begin of their period; the present one and those a ratchet looks back at."""
    expected: float = 0.0
    """W of peak that a period will reach whatever is done: the plan keeps its energy for less, but none is spent."""
    imported: float = 0.0
    """Wh, in the billing window of the first step before it."""
    daily: Sequence[float] = ()
    """W: of each of the last days (28 at most) the lowest peak the battery could have held on it; the rest of the
    period is taken to bring days like these."""
    alone: Alone | None = None
    """What the site drew of itself; None where four weeks are known."""


@dataclass(frozen=True)
class Windows:
    """Those of one charge that count, by the steps they are made of.

    A window that slides is taken to begin with a step: the mean of any other lies between those of two that do, as
    long as a step's power is one number. What was imported before the first step is spread
    evenly.
    """

    charge: Charge
    starts: Sequence[datetime]
    """Of the steps."""
    zone: ZoneInfo
    minutes: int = 15
    """Of a step."""

    @cached_property
    def begins(self) -> list[datetime]:
        """Of the windows that count, in their order."""
        minutes, zone = self.charge.component.minutes, self.zone
        if sliding := self.charge.component.sliding:
            found = {self._first, *(window(at, zone, max(sliding, self.minutes))[0] for at in self.starts)}
        else:
            found = {window(at, zone, minutes)[0] for at in self.starts}
        return [at for at in sorted(found) if counts(self.charge.component, at, zone)]

    @cached_property
    def _first(self) -> datetime:
        return window(self.starts[0], self.zone, self.charge.component.minutes)[0]

    @cached_property
    def of(self) -> Vector:
        """1 where a step (column) lies in a window (row)."""
        steps = np.array([at.timestamp() for at in self.starts])
        begins = np.array([at.timestamp() for at in self.begins], dtype=float)[:, np.newaxis]
        return np.asarray((begins <= steps) & (steps < begins + 60 * self.charge.component.minutes), dtype=float)

    @cached_property
    def before(self) -> Vector:
        """Wh imported in each window before the first step."""
        now, whole = self.starts[0], self.starts[0] - self._first
        shares = [max(now - begin, timedelta()) / whole if whole else float(begin == now) for begin in self.begins]
        return self.charge.imported * np.array(shares, dtype=float)

    @cached_property
    def _of_period(self) -> list[datetime]:
        """The begin of the period of each window."""
        how, found = charged(self.charge.component), list[datetime]()
        end = datetime.min.replace(tzinfo=UTC)
        for at in self.begins:
            if at >= end:
                begin, end = period(at, self.zone, how)
            found.append(begin)
        return found

    @cached_property
    def firsts(self) -> list[datetime]:
        """The begins of the periods that the windows touch, the present one first."""
        present = period(self.starts[0], self.zone, charged(self.charge.component))[0]
        return sorted({present, *self._of_period})

    @cached_property
    def periods(self) -> list[int]:
        """The period each window lies in, counted from the present one."""
        return [self.firsts.index(begin) for begin in self._of_period]

    @cached_property
    def pieces(self) -> list[tuple[Piece, ...]]:
        """What a peak of each period costs. At the end of a month both months have their ratchet: a peak that would be
        made in either is dearer then by the part that both count."""
        one = self.charge
        return [pieces(one.component, one.peaks, begin, self.zone, one.expected) for begin in self.firsts]

    @cached_property
    def stands(self) -> Vector:
        """W by period that cost nothing more: billed whatever the plan does, or free."""
        made = [self.charge.peaks.get(begin, 0.0) for begin in self.firsts]
        return np.array([max(peak, found[0].above) for peak, found in zip(made, self.pieces, strict=True)])

    def means(self, grid: Vector, hours: Vector) -> Vector:
        """W by window, for powers of the grid by step; hours are those of the steps."""
        energy = self.of @ (np.maximum(grid, 0) * hours) + self.before
        return np.asarray(energy * 60 / self.charge.component.minutes)

    def peaks(self, grid: Vector, hours: Vector) -> Vector:
        """W by period: what stands, or the highest mean."""
        found = self.stands.copy()
        np.maximum.at(found, np.array(self.periods, dtype=int), self.means(grid, hours))
        return found

    def cost(self, peaks: Vector) -> float:
        """What peaks in W cost beyond what stands."""
        each = zip(self.pieces, peaks.tolist(), self.stands.tolist(), strict=True)
        return sum(worth(found, peak) - worth(found, stands) for found, peak, stands in each)
