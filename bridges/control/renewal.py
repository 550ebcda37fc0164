"""A setpoint that its device takes back by a timer of its own is written again before that ends. Pure.

The time is what the device or its profile says; of one that says nothing it is learned, when what enables the setpoint
falls. A register with a budget of writes is renewed as late as it must be, and what the budget cannot hold is told.
"""

from dataclasses import dataclass

from bridges.control.write_budget import DAY, counted
from bridges.fieldbus.contract import Writable

LOOK = 60.0
"""Seconds between two looks at the time that the device says."""
EARLY, LATE = 1 / 3, 0.8
"""Of its time: when it is renewed, and when at the latest."""
SHARE = 0.5
"""Of the writes of a day that renewals may take."""
SHORTEST, SEVERAL = 2.0, 3
"""Seconds: what falls sooner was not taken back by a timer, unless it does so several times in a row."""


@dataclass
class Renewal:
    """One setpoint. Times of the monotonic clock."""

    allowed: Writable
    told: float | None = None
    """Seconds after which it is taken back, as the device says; None for never."""
    learned: float | None = None
    """The shortest after which it was seen to fall."""
    looked: float = float("-inf")
    _soon: int = 0
    """Times in a row that it fell sooner than a timer would."""

    def look_due(self, now: float) -> bool:
        """The time that the device says may have been changed."""
        return now - self.looked >= LOOK

    def says(self, seconds: float | None, now: float) -> None:
        """What the device says of it."""
        self.told, self.looked = seconds, now

    @property
    def reverts(self) -> float | None:
        """Seconds after which it is taken back."""
        known = [one for one in (self.told, self.learned) if one is not None]
        return min(known, default=None)

    @property
    def every(self) -> float | None:
        """Seconds from a write to its renewal; None where it needs none, or where its budget does not allow it."""
        if (reverts := self.reverts) is None:
            return None
        pause = max(reverts * EARLY, self._spares)
        return pause if pause <= reverts * LATE else None

    @property
    def trouble(self) -> str:
        """Why it cannot be renewed, in words."""
        if self.reverts is None or self.every is not None:
            return ""
        often = f"{self.allowed.per_day} times a day" if counted(self.allowed) else f"each {self.allowed.interval:g} s"
        return f"is taken back by the device after {self.reverts:g} s, and may only be written {often}"

    def due(self, written: float, now: float) -> bool:
        """It is time; `written` is when it was written last."""
        return self.every is not None and now - written >= self.every

    def fell(self, written: float, now: float, *, seen_each: float) -> bool:
        """What enables it has fallen; gives whether that was somebody else: no timer ends that early. `seen_each`:
        seconds between two readings."""
        after = now - written
        if self.told is not None:
            return after < self.told * LATE
        self._soon = self._soon + 1 if after < SHORTEST else 0
        if after >= SHORTEST or self._soon >= SEVERAL:
            lasted = max(after - seen_each, EARLY * after)
            self.learned = lasted if self.learned is None else min(self.learned, lasted)
        return False

    def forget(self) -> None:
        """It may be another device."""
        self.told, self.learned, self.looked, self._soon = None, None, float("-inf"), 0

    @property
    def _spares(self) -> float:
        share = DAY / (SHARE * self.allowed.per_day) if counted(self.allowed) else 0.0
        return max(self.allowed.interval, share)
