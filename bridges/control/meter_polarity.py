"""Does a step of the battery appear at the grid meter, with the right sign? Pure.

What the battery gives more, the grid gives less: the slope of the grid's steps over the battery's is -1. A current
transformer the wrong way round makes it +1, a meter at the wrong place 0. A closed loop on such a meter runs away.

A step is told by us, so the meter's last reading before we told it is from before the step, and its first one after
both have come to rest is from after it. Only a step out of quiet counts: a battery that is told to move because the
meter has moved hides that load, and seems to make it. A meter that is late is waited for (`shows`).
"""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import fmean

STEADY, STEP = 0.01, 0.05
"""Of the rated power: a battery that moves less stands still; one that moves more has made a step."""
LONGEST = 8.0
"""Seconds from before a step to after it, beside the time until the meter shows it: in longer times the load moves."""
QUIET = 0.2
"""Of a step: the meter has moved less before it. Less than `STEADY` is noise."""
SOONER, LATER = 1.5, 5.0
"""Seconds for which the meter was quiet before a step. For the second of them it has stood still before one that may
show that the meter does not see the battery: a loop that hides the load in its step answers sooner."""
FEWEST, ENOUGH = 4, 10
"""Steps that show a wrong sign; steps that show that the meter does not see the battery at all. The load may follow
the same clock as the battery for a while, so the second takes more."""
LEAST, MOST = 0.3, 1.7
"""The slope of a wrong sign is 1, of a right one -1: a larger one is the load's, a smaller one is none."""
STANDS = 1.0
"""Seconds a battery stands still at least: along a ramp it stops for a control cycle."""
KEPT = 20
WRONG = "its sign is wrong: it shows the battery's steps with the same sign, it must be the opposite"

Reading = tuple[float, float]
"""Monotonic seconds and W."""


@dataclass(frozen=True, slots=True)
class Step:
    """W by which both have moved."""

    battery: float
    grid: float
    still: bool
    """The meter stood still before, for so long that nothing was answered by it."""

    @property
    def right(self) -> bool:
        """The meter showed it as it should."""
        return -MOST < self.grid / self.battery < -LEAST


@dataclass
class MeterPolarity:
    """Watches battery and meter. Powers in W, positive discharging and importing; times of the monotonic clock."""

    rated: float
    shows: float
    """Seconds after which the meter shows what the battery did, with whichever sign."""
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=KEPT))
    confirmed: float = -math.inf
    """When a step was shown last as it should be."""
    _stands: Reading | None = None
    """Since when, and at which power, the battery stands still."""
    _rest: deque[Reading] = field(default_factory=lambda: deque(maxlen=200))
    """What the meter has shown since then, lately."""
    _told: float | None = None
    _before: tuple[float, tuple[Reading, ...]] | None = None
    """The battery's power before a step that was told, and what the meter showed."""

    def told(self, power: float) -> None:
        """A setpoint was written: what was read until now is from before it."""
        if self._stands is None:
            return
        last, self._told = self._stands[1] if self._told is None else self._told, power
        if abs(power - last) > STEADY * self.rated and self._before is None and self._rest:
            self._before = self._stands[1], tuple(self._rest)

    def battery(self, at: float, power: float) -> None:
        """The PCS was read."""
        if self._stands is None or abs(power - self._stands[1]) > STEADY * self.rated:
            self._stands = at, power
            self._rest.clear()

    def meter(self, at: float, grid: float) -> None:
        """The meter was read."""
        if self._stands is None or at < self._stands[0] + max(STANDS, self.shows):
            return
        if self._before is not None:
            self._compare(at, grid, self._stands, *self._before)
        self._rest.append((at, grid))
        while self._rest[0][0] < at - LATER - 1.0:
            self._rest.popleft()

    def _compare(self, at: float, grid: float, stands: Reading, before: float, rest: tuple[Reading, ...]) -> None:
        """A reading of the meter after a step was told: has the battery moved, and does that show?"""
        (since, power), (then, mains) = stands, rest[-1]
        long, moved = at - then > LONGEST + self.shows, since > then
        if long or moved:
            self._before = None
        step, noise = power - before, STEADY * self.rated
        if long or not moved or abs(step) < STEP * self.rated:
            return
        if _quiet(rest, SOONER, max(QUIET * abs(step), noise)):
            self.steps.append(Step(step, grid - mains, still=_quiet(rest, LATER, noise)))
            if self.steps[-1].right:
                self.confirmed = at

    def forget(self) -> None:
        """A person says that it is right now."""
        self.steps.clear()
        self._rest.clear()
        self._before = self._stands = self._told = None
        self.confirmed = -math.inf

    @property
    def stands(self) -> Reading:
        """Since when, and at which power, the battery stands still; for ever at 0 while it was not read."""
        return self._stands or (-math.inf, 0.0)

    @property
    def suspicion(self) -> str:
        """Why the meter is not believed; empty while it is, or while nothing is known."""
        lately = [*self.steps][-2 * FEWEST :]  # one that is turned round in service is soon found, too
        slope, unsure = slope_of(lately)
        if len(lately) >= FEWEST and slope - unsure > LEAST and slope < MOST:
            return WRONG
        sure = [one for one in self.steps if one.still]
        slope, unsure = slope_of(sure)
        if len(sure) >= ENOUGH and abs(slope) + unsure < LEAST:
            return "it does not show the battery's steps: it measures somewhere else"
        return ""


def _quiet(rest: tuple[Reading, ...], seconds: float, least: float) -> bool:
    """For so long before its last reading the meter has moved by no more, as a mean."""
    last, mains = rest[-1]
    lately = [shown for at, shown in rest[:-1] if at >= last - seconds]
    return rest[0][0] <= last - seconds and abs(fmean(lately or [math.inf]) - mains) <= least


def slope_of(steps: Collection[Step]) -> tuple[float, float]:
    """The grid's steps over the battery's, by least squares through 0, and by how much that may be wrong: three
    standard errors, more where there are few steps (Student)."""
    square = sum(one.battery**2 for one in steps)
    if len(steps) < 2:
        return -1.0, math.inf
    slope = sum(one.battery * one.grid for one in steps) / square
    rest = sum((one.grid - slope * one.battery) ** 2 for one in steps)
    more = 3 * (1 + 4 / (len(steps) - 1))
    return slope, more * math.sqrt(rest / (len(steps) - 1) / square)
