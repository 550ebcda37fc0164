"""Whether the grid meter shows reactive power the right way round, by what it shows of our own. Pure.

More var fed in is as much less drawn. Where the meter shows more instead, step after step, the loop over it drives all
inverters to the end of their S-circle: such a meter is not followed any more.
"""

from dataclasses import dataclass

STEP = 0.1
"""Of the apparent powers together: what was given has moved by so much since it was looked at last."""
SHOWS = 0.5
"""Of such a step: more of it the wrong way is no noise. A load that goes on as we follow it shows none."""
STEPS = 3
"""So many on end: one may be a load that has begun to draw."""


@dataclass
class ReactiveSign:
    """Powers in var: what the inverters feed in, and what the meter shows drawn."""

    wrong: int = 0
    """Steps on end that were shown the wrong way round."""
    _last: tuple[float, float] | None = None

    @property
    def suspect(self) -> bool:
        return self.wrong >= STEPS

    def see(self, given: float, shown: float | None, apparent: float) -> None:
        """The next moment. `apparent`: VA of all inverters together."""
        if shown is None or self.suspect:
            return
        if self._last is None:
            self._last = given, shown
            return
        step, moved = given - self._last[0], shown - self._last[1]
        if apparent <= 0 or abs(step) < STEP * apparent:
            return
        against = moved / step >= SHOWS
        self.wrong = self.wrong + 1 if against else 0
        self._last = given, shown

    def pause(self) -> None:
        """Others give it from now on: what moves with that is no step."""
        self._last = None

    def forget(self) -> None:
        """A person has looked."""
        self.wrong, self._last = 0, None
