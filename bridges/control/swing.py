"""Does the closed loop swing by itself? Pure.

A battery that goes up and down at constant load answers its own power, seen late: the delays that the loop reckons with
are wrong. They are measured all the time, and a swing makes that easy: so the first one ends by itself, and only one
that goes on is named. A load that swings is followed by the battery, too: then it is not alone at the meter.
"""

from dataclasses import dataclass

SWING = 0.05
"""Of the rated power: a smaller to and fro is noise."""
TURNS, LASTS, OVER = 3, 30.0, 20.0
"""So many turns, the first and the last so many seconds apart, are a swing. Without one for so long it is over."""


@dataclass
class SwingWatch:
    """The setpoint of one battery. Powers in W, times of the monotonic clock."""

    rated: float
    turns: int = 0
    """How often it has turned round."""
    _first: float = 0.0
    """When it turned round for the first time."""
    _last: float = 0.0
    _alone: bool = False
    """The load stood still at some time since it turned round last."""
    _extreme: float | None = None
    _direction: int = 0

    def see(self, now: float, setpoint: float, *, closed: bool, alone: bool) -> str:
        """What speaks against the loop, in words; empty while it is quiet.

        `closed`: it is a loop over the meter that moves the setpoint; `alone`: nothing but the battery moves the meter.
        """
        if now - self._last > OVER:
            self.turns = 0
        self._alone |= alone
        if self._turned(setpoint):
            if closed and self._alone:
                self._first = self._first if self.turns else now
                self.turns, self._last = self.turns + 1, now
            self._alone = False
        lasted = self._last - self._first
        if self.turns < TURNS or lasted < LASTS:
            return ""
        return f"the battery turned round {self.turns} times in {lasted:.0f} s while the load stood still"

    def forget(self) -> None:
        """A person has looked."""
        self.turns = 0

    def _turned(self, setpoint: float) -> bool:
        """It has left its last extreme in the other direction, by more than noise."""
        if self._extreme is None:
            self._extreme = setpoint
        step = setpoint - self._extreme
        direction = (step > 0) - (step < 0)
        far = abs(step) >= SWING * self.rated
        if direction and (direction == self._direction or far):
            turned = self._direction == -direction
            self._extreme, self._direction = setpoint, direction
            return turned
        return False
