"""Does a step of the battery appear at the grid meter, with the right sign? Pure.

What the battery gives more, the grid gives less: the slope of the grid's steps over the battery's is -1. A current
transformer the wrong way round makes it +1, a meter at the wrong place 0. A closed loop on such a meter runs away.
"""

import math
from collections import deque
from dataclasses import dataclass, field

STEADY, STEP = 0.01, 0.05
"""Of the rated power: a battery that moves less stands still; one that moves more has made a step."""
LONGEST = 10.0
"""Seconds from before a step to after it: in longer times the load moves, too."""
FEWEST, ENOUGH = 4, 10
"""Steps that show a wrong sign; steps that show that the meter does not see the battery at all. The load may follow
the same clock as the battery for a while, so the second takes more."""
KEPT = 20


@dataclass
class MeterPolarity:
    """Watches battery and meter. Powers in W, positive discharging and importing."""

    rated: float
    settle: float
    """Seconds a battery stands still until the meter must show it."""
    steps: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    """(battery, grid) of each step."""
    _last: float | None = None
    _still: float = 0.0
    """Since when the battery stands still."""
    _before: tuple[float, float, float] | None = None
    """Time, battery and grid when it last stood still."""

    def wait(self, settle: float) -> None:
        """The meter was found to be later than it seemed: what was compared too early does not count."""
        if settle > self.settle + 0.5:
            self.forget()
        self.settle = settle

    def see(self, now: float, battery: float, grid: float) -> None:
        """A reading of both, at a monotonic time."""
        if self._last is None or abs(battery - self._last) > STEADY * self.rated:
            self._still = now
        self._last = battery
        if now - self._still < self.settle:
            return
        if self._before is not None:
            then, power, mains = self._before
            if now - then <= LONGEST and abs(battery - power) >= STEP * self.rated:
                self.steps.append((battery - power, grid - mains))
        self._before = now, battery, grid

    def forget(self) -> None:
        """A person says that it is right now."""
        self.steps.clear()
        self._before = self._last = None

    @property
    def slope(self) -> tuple[float, float]:
        """The grid's steps over the battery's, by least squares through 0, and three times its standard error."""
        square = sum(battery**2 for battery, _ in self.steps)
        if len(self.steps) < 2:
            return -1.0, math.inf
        slope = sum(battery * grid for battery, grid in self.steps) / square
        rest = sum((grid - slope * battery) ** 2 for battery, grid in self.steps)
        return slope, 3 * math.sqrt(rest / (len(self.steps) - 1) / square)

    @property
    def suspicion(self) -> str:
        """Why the meter is not believed; empty while it is, or while nothing is known."""
        slope, unsure = self.slope
        if len(self.steps) >= FEWEST and slope - unsure > 0.3:
            return "its sign is wrong: it shows the battery's steps with the same sign, it must be the opposite"
        if len(self.steps) >= ENOUGH and abs(slope) + unsure < 0.3:
            return "it does not show the battery's steps: it measures somewhere else"
        return ""
