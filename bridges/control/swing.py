"""Does the closed loop swing by itself? Pure.

A battery that goes up and down at constant load answers its own power, seen late: the delays that were assumed are
wrong. They are measured again all the time, so a loop that comes to rest by that is left alone.
"""

from collections import deque
from dataclasses import dataclass, field

SWING = 0.05
"""Of the rated power: a smaller to and fro is noise."""
TURNS, SPAN = 8, 60.0
"""So many turns within so many seconds, at constant load, are a swing."""


@dataclass
class SwingWatch:
    """The setpoint of one battery. Powers in W, times of the monotonic clock."""

    rated: float
    turns: deque[float] = field(default_factory=lambda: deque(maxlen=TURNS))
    """When it turned round last."""
    _extreme: float | None = None
    _direction: int = 0

    def see(self, now: float, setpoint: float, *, closed: bool, alone: bool) -> str:
        """What speaks against the loop, in words; empty while it is quiet.

        `closed`: it is a loop over the meter that moves the setpoint; `alone`: nothing but the battery moves the meter.
        """
        if self._extreme is None:
            self._extreme = setpoint
        step = setpoint - self._extreme
        direction = (step > 0) - (step < 0)
        if abs(step) >= SWING * self.rated and direction == -self._direction and closed:
            self.turns.append(now)
        if direction and (direction == self._direction or abs(step) >= SWING * self.rated):
            self._extreme, self._direction = setpoint, direction
        if not alone:
            return ""
        if len(self.turns) == TURNS and now - self.turns[0] <= SPAN:
            return f"the battery turned round {TURNS} times in {now - self.turns[0]:.0f} s while the load stood still"
        return ""

    def forget(self) -> None:
        """A person has looked."""
        self.turns.clear()
