"""Whose value a register holds. Pure: a table of what a reading may say.

A foreign hand is named only after our own write was seen in the register: before that, the device may simply not
have taken it. A register that went to 0, or was out of sight, may have been through a power cycle; an enable that fell,
through the device's own timer: nobody is accused.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a reading of a register says."""

    UNKNOWN = "unknown"  # nothing was written yet
    HOLDS = "holds"
    NEVER_HELD = "never_held"  # our write did not arrive in it
    FORGOTTEN = "forgotten"  # it was there, and the device has lost it
    FOREIGN = "foreign"  # it was there, and somebody else wrote


@dataclass
class ReadBack:
    """One register."""

    value: float | None = None
    at: float = 0.0
    """Monotonic time of our last write: only a reading that began later counts."""
    proven: bool = False
    """Our value was seen in it."""
    holds: float | None = None
    """What it was last seen to hold, before our last write or after."""
    maybe: float | None = None
    """A write of ours whose answer was lost: it may stand there."""
    astray: bool = False
    """It holds something else now: it is written again whatever the deadband says."""

    def wrote(self, value: float, now: float) -> None:
        """We wrote, and the device confirmed."""
        self.value, self.at, self.proven, self.astray = value, now, False, False
        self.maybe = None

    def lost(self, value: float) -> None:
        """We wrote, and nobody knows whether it arrived: whatever is wanted next is written."""
        self.maybe, self.proven, self.astray = value, False, True

    def out_of_sight(self) -> None:
        """The device was silent: whatever it holds now may come from a power cycle."""
        self.proven = False

    def judge(self, holds: float, step: float) -> Verdict:
        """A reading that began after our write. Equal means within the `step` of the register; infinite, that
        its enable has fallen; not a number, that it is in another mode."""
        if self.value is None:
            return Verdict.UNKNOWN
        was_proven = self.proven
        self.astray = not abs(holds - self.value) <= step
        self.proven = not self.astray
        if not self.astray:
            return Verdict.HOLDS
        if not was_proven:
            return Verdict.NEVER_HELD
        return Verdict.FORGOTTEN if abs(holds) <= step or math.isinf(holds) else Verdict.FOREIGN
