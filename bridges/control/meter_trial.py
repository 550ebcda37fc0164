"""A trial of the grid meter by a battery that stands still. Pure: `now` is the monotonic clock.

Only steps of the battery show which way round the meter is. A loop over a meter the wrong way round runs into its end,
often with one step, and makes no more of them. So a battery whose loop is at its end gives less for some seconds and
then all again, and the means of what the meter shows are compared. A trial only narrows, towards 0.

How long each lasts changes from one to the next: a machine with a rhythm of its own is in step with none. What is
restless takes more steps; what hides them (a storage of another make) shows nothing, and that names nobody.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean

from bridges.control.meter_polarity import (
    FEWEST,
    LATER,
    LEAST,
    MOST,
    STANDS,
    STEADY,
    STEP,
    WRONG,
    Reading,
    Step,
    slope_of,
)
from schemas.messages import Authority
from schemas.site_grid import Grid

FROM, SHARE = 2 * STEP, 4 * STEP
"""Of the rated power: a battery is tried from there on, and the step of a trial, as far as it gives so much."""
HOLD, JITTER, TURN = 4.0, 4.0, 0.618
"""Seconds of which a mean is taken, and up to so many more: the golden ratio comes near no rhythm."""
LONGEST = 120.0
"""Seconds until a step must have come to rest."""
VAIN = 24
"""Steps that have shown nothing: it is given up."""
PEACE, LONGEST_PEACE = 600.0, 4 * 3600.0
"""Seconds without a trial after one that has shown the right sign; doubled each time that one has shown nothing."""
SLACK = 2 * STEADY
"""Of the rated power: what the meter shows beyond a limit is more than its noise."""


class Loop(StrEnum):
    """Which loop over the meter moves a battery."""

    OPEN = "open"  # none: a person, the network operator, a schedule of somebody else
    LIMIT = "limit"  # a limit of the site moves it from what is wanted, or will: dispatch follows the meter
    END = "end"  # dispatch has followed the meter to the end of what the battery may do


LIMITS, NOTHING = 1.0, 0.0
"""Of the site's import and export limits: where what the grid carries is too much."""
LETS_BE: dict[Loop, dict[float, float]] = {
    Loop.OPEN: {},
    Loop.LIMIT: {LIMITS: 0.0},
    Loop.END: {LIMITS: 0.0, NOTHING: 3600.0},
}
"""What the grid carries when a loop wants more of the battery, and for how many seconds after a right step it is let be
all the same. Within the limits a wrong meter costs money, but a trial does, too, and nobody turns a meter each day."""


def loop_of(authority: Authority | None, *, closed: bool, by_site: bool, at_end: bool) -> Loop:
    """Of a battery that is steered with this authority; None: no command holds. `closed`: whoever steers follows the
    meter; `at_end`: the battery does all that itself may, whatever the network operator allows."""
    if authority is None or not closed:
        return Loop.LIMIT if by_site else Loop.OPEN
    return Loop.END if at_end else Loop.LIMIT


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of battery and meter."""

    stands: Reading
    """Since when all batteries stand still, and at which power."""
    shown: Reading
    """By the meter just now."""
    delay: float
    """Seconds until the meter shows what they do."""
    confirmed: float
    """When another step was shown last as it should be."""


@dataclass
class MeterTrial:
    """Of the batteries behind one meter, all together. Powers in W, positive discharging and importing."""

    rated: float
    """Of all batteries."""
    grid: Grid
    most: dict[str, float] = field(default_factory=dict)
    """What each may give or take now, by its PCS; empty while it may give all."""
    on: bool = False
    moved: float = -math.inf
    """When it told a step last."""
    proven: float = -math.inf
    """When it has shown the right sign last."""
    suspicion: str = ""
    """Why the meter is not believed; empty while it is."""
    _steps: list[Step] = field(default_factory=list)
    _readings: list[Reading] = field(default_factory=list)
    """Of the meter, while the battery stands and is shown."""
    _since: float = -math.inf
    """When the battery came to stand."""
    _before: tuple[float, float] | None = None
    """The battery and the mean of the meter before the last step."""
    _stood: float = 0.0
    """The battery's power where it is not narrowed."""
    _step: float = 0.0
    _kept: bool = True
    """What the grid carried was within its limit when it began."""
    _turns: int = 0
    _vain: int = 0
    """Trials in a row that have shown nothing."""
    _peace: float = -math.inf

    def look(self, now: float, seen: Seen, loops: Collection[Loop], powers: Mapping[str, float]) -> None:
        """Once for each reading of the meter. `powers`: of the batteries that may be tried, by their PCS."""
        since, power = seen.stands
        if since != self._since:
            self._since, self._readings = since, []
        if seen.shown[0] >= since + max(STANDS, seen.delay) and not (self.on and since <= self.moved):
            self._readings = [*self._readings, seen.shown][-200:]
        if self.on and (self._left(power) or self._breaks(seen) or all(one is Loop.OPEN for one in loops)):
            self._end(now)
        elif self.on and now - self.moved > LONGEST:
            self._give_up(now)
        elif self._rested():
            self._compare(now, power)
            if self.on or self._due(now, power, max(seen.confirmed, self.proven), loops):
                self._turn(now, power, powers)

    def forget(self) -> None:
        """The meter is trusted anew, or not at all."""
        self._end(-math.inf)
        self.proven, self._vain, self._peace, self.suspicion = -math.inf, 0, -math.inf, ""

    def _rested(self) -> bool:
        """For long enough to take a mean."""
        hold = HOLD + JITTER * (self._turns * TURN % 1.0) if self.on else LATER
        return bool(self._readings) and self._readings[-1][0] - self._readings[0][0] >= hold

    def _left(self, power: float) -> bool:
        """It moves by somebody else's will: what it was compared with is over."""
        given, slack = math.copysign(power, power * self._stood), SLACK * self.rated
        return not abs(self._stood) - self._step - slack <= given <= abs(self._stood) + slack

    def _breaks(self, seen: Seen) -> bool:
        """The load has moved: a limit of the site that was kept is kept no more."""
        grid = math.copysign(1.0, self._stood) * seen.shown[1]
        return self._kept and grid > self._limit(self._stood)

    def _due(self, now: float, power: float, confirmed: float, loops: Collection[Loop]) -> bool:
        """By what the meter shows, a loop wants more of what the batteries do already: it is at its end."""
        if now < self._peace or abs(power) < FROM * self.rated or confirmed >= self._since:
            return False
        beyond = self._beyond(power) - SLACK * self.rated
        limit = self._limit(power)
        let_be = [seconds for one in loops for share, seconds in LETS_BE[one].items() if beyond > share * limit]
        return bool(let_be) and now - confirmed >= min(let_be)

    def _beyond(self, power: float) -> float:
        """What the grid carries in the direction in which the batteries could help."""
        grid = fmean(one for _, one in self._readings)
        return grid if power > 0 else -grid

    def _limit(self, power: float) -> float:
        return self.grid.import_limit if power > 0 else self.grid.export_limit

    def _turn(self, now: float, power: float, powers: Mapping[str, float]) -> None:
        """Down, or up again."""
        if not self.on:
            room = self._limit(power) - self._beyond(power)
            self._kept = room >= 0
            most = room - SLACK * self.rated if self._kept else math.inf
            self._stood, self._step = power, min(abs(sum(powers.values())), SHARE * self.rated, most)
            if self._step < STEP * self.rated:
                return
            self.on, self._before = True, (power, fmean(one for _, one in self._readings))
        given = abs(sum(powers.values()))
        if self.most or given < self._step:
            self.most = {}
        else:
            self.most = {pcs: (1.0 - self._step / given) * abs(one) for pcs, one in powers.items()}
        self.moved, self._turns, self._readings = now, self._turns + 1, []

    def _compare(self, now: float, power: float) -> None:
        """One more step has come to rest."""
        if not self.on or self._before is None:
            return
        grid = fmean(one for _, one in self._readings)
        (was, showed), self._before = self._before, (power, grid)
        if abs(power - was) >= STEP * self.rated / 2:
            self._steps.append(Step(power - was, grid - showed, still=False))
        slope, unsure = slope_of(self._steps)
        if slope + unsure < -LEAST:
            self.proven, self._vain, self._peace = now, 0, now + PEACE
            self._end(now)
        elif len(self._steps) >= FEWEST and slope - unsure > LEAST and slope < MOST:
            self.suspicion = WRONG
        elif len(self._steps) >= VAIN:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        self._vain += 1
        self._peace = now + min(PEACE * 2**self._vain, LONGEST_PEACE)
        self._end(now)

    def _end(self, now: float) -> None:
        if self.on:
            self.moved = now
        self.on, self.most, self._steps, self._readings, self._before = False, {}, [], [], None
