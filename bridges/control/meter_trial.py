"""A trial of the grid meter by a battery that stands still. Pure: `now` is the monotonic clock.

Only steps of the battery show which way round the meter is. A loop over a meter the wrong way round runs into its end,
often with one step, and makes no more of them. So a battery whose loop is at its end gives a fifth of its rating less
for a few seconds and then goes back: two steps of its own, out of quiet. A trial only narrows, towards 0.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bridges.control.meter_polarity import LATER, LONGEST, SOONER, STEADY, STEP, MeterPolarity
from schemas.messages import Authority
from schemas.site_parts import Grid

FROM, SHARE = 2 * STEP, 4 * STEP
"""Of the rated power: a battery is tried from there on, and the step of a trial, as far as it gives so much. Six steps
are enough beside a load that is restless by 3 % of the rating; a tenth would take fifteen."""
PEACE = 600.0
"""Seconds without a trial after one that has shown the right sign, or after `MOST` in a row that have shown nothing."""
MOST = 12
"""More than it takes to show that a meter does not see the battery at all."""
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


@dataclass
class MeterTrial:
    """Of the batteries behind one meter, all together. Powers in W, positive discharging and importing."""

    rated: float
    """Of all batteries."""
    grid: Grid
    most: dict[str, float] = field(default_factory=dict)
    """What each may give or take while a trial lasts, by its PCS; empty while there is none."""
    moved: float = -math.inf
    """When a trial began or ended last."""
    _began: float = -math.inf
    _stood: float = 0.0
    """Where all of them stood before."""
    _showed: float = 0.0
    """What the meter did."""
    _step: float = 0.0
    _vain: int = 0
    """Trials in a row that have shown nothing."""
    _peace: float = -math.inf

    def look(
        self, now: float, polarity: MeterPolarity, shown: float, loops: Collection[Loop], powers: Mapping[str, float]
    ) -> None:
        """Once a cycle. `shown`: by the meter just now; `powers`: of the batteries that may be tried."""
        if self.most:
            if self._over(now, polarity, shown) or all(one is Loop.OPEN for one in loops):
                self.most, self.moved = {}, now
        elif self._due(now, polarity, loops):
            self._begin(now, polarity, powers)

    def forget(self) -> None:
        """The meter is trusted anew, or not at all."""
        self.most, self._vain, self._began, self._peace = {}, 0, -math.inf, -math.inf

    def _due(self, now: float, polarity: MeterPolarity, loops: Collection[Loop]) -> bool:
        if polarity.confirmed > self._began > -math.inf:
            self._vain, self._began, self._peace = 0, -math.inf, polarity.confirmed + PEACE
        since, power = polarity.stands
        if now < self._peace or abs(power) < FROM * self.rated or polarity.confirmed >= since:
            return False
        return polarity.quiet(LATER, min(abs(power), SHARE * self.rated)) and self._wants_more(now, polarity, loops)

    def _wants_more(self, now: float, polarity: MeterPolarity, loops: Collection[Loop]) -> bool:
        """By what the meter shows, a loop wants more of what the batteries do already: it is at its end."""
        _, power = polarity.stands
        limit = self.grid.import_limit if power > 0 else self.grid.export_limit
        beyond = math.copysign(polarity.rests_at, polarity.rests_at * power) - SLACK * self.rated
        let_be = [seconds for one in loops for share, seconds in LETS_BE[one].items() if beyond > share * limit]
        return bool(let_be) and now - polarity.confirmed >= min(let_be)

    def _begin(self, now: float, polarity: MeterPolarity, powers: Mapping[str, float]) -> None:
        power = abs(sum(powers.values()))
        step = min(power, SHARE * self.rated)
        if self._vain >= MOST:
            self._vain, self._peace = 0, now + PEACE
        elif power >= FROM * self.rated:
            left = 1.0 - step / power
            self.most = {pcs: left * abs(one) for pcs, one in powers.items()}
            self._began, self.moved, self._step = now, now, step
            self._stood, self._showed, self._vain = polarity.stands[1], polarity.rests_at, self._vain + 1

    def _over(self, now: float, polarity: MeterPolarity, shown: float) -> bool:
        """The step is shown and the meter quiet again; or the load has moved; or it takes too long to tell anything."""
        step = self._step
        stepped = abs(polarity.stands[1] - self._stood) >= STEP * self.rated and polarity.quiet(SOONER, step)
        late = now - self._began > LONGEST + polarity.shows + SOONER
        return stepped or late or abs(shown - self._showed) > 2 * step
