"""The device's own watchdog: armed, looked at, fed, and left to bite when we can no longer command the device. Pure.

Where reading feeds the watchdog, a bridge that can read and cannot write would keep a setpoint alive for ever.
"""

from dataclasses import dataclass
from enum import StrEnum

from bridges.fieldbus.contract import Watchdog
from schemas.register import BITES

LOOK = 30.0
"""Seconds between two looks whether it still holds its time: a reset of the device puts it back to its default."""
FIRST_AGAIN, LONGEST_AGAIN = 2.0, 60.0
"""Seconds until it is armed again when it does not hold."""
LEFT_ALONE = "it cannot be written: it is left alone, not even read, so that its own watchdog takes its power away"
"""Said of it meanwhile."""


class Care(StrEnum):
    """What is due."""

    NOTHING = "nothing"
    ARM = "arm"
    LOOK = "look"
    FEED = "feed"  # by the setpoint, written again


@dataclass
class WatchdogCare:
    """One device. Times are of the monotonic clock."""

    dog: Watchdog | None
    holds: bool | None = None
    """None: not known yet, or it cannot be read back."""
    trouble: str = ""
    """Why it is not armed."""
    tries: int = 0
    next: float = float("-inf")
    fed: float = float("-inf")
    silent_since: float = float("-inf")
    silent_until: float = float("-inf")
    """The device is neither read nor written in between."""

    def due(self, now: float) -> Care:
        """The next thing to do about it."""
        if self.dog is None:
            return Care.NOTHING
        if now >= self.next:
            return Care.LOOK if self.holds else Care.ARM
        if self.dog.fed_by != "any" and now - self.fed >= self.dog.seconds / 3:
            return Care.ARM if self.dog.fed_by == "write" else Care.FEED
        return Care.NOTHING

    def armed(self, now: float, holds: bool | None) -> None:
        """It was written, or looked at; `holds` as the device reads back, None where it cannot be read."""
        self.fed = now
        if holds is False:
            self.failed(now, "it reads back another time than it was given")
            return
        self.holds, self.trouble, self.tries = True, "", 0
        self.next = now + LOOK

    def looked(self, now: float, holds: bool | None) -> None:
        """It was only read."""
        if holds is False:
            self.holds, self.next = False, now  # armed again at once
        else:
            self.next = now + LOOK

    def failed(self, now: float, why: str) -> None:
        """It could not be armed, or does not hold."""
        self.holds, self.trouble, self.fed = False, why, now
        self.next = now + min(FIRST_AGAIN * 2**self.tries, LONGEST_AGAIN)
        self.tries = min(self.tries + 1, 10)

    def lost(self) -> None:
        """The device was out of sight: its setting may be gone."""
        self.holds, self.next = None, float("-inf")

    def let_it_bite(self, now: float) -> bool:
        """What must be written cannot be: leave the device alone until its watchdog has acted, whatever feeds it.
        False: it has none."""
        if self.dog is None or self.holds is False:
            return False
        if now >= self.silent_until:
            self.silent_since, self.silent_until = now, now + BITES * self.dog.seconds
        return True

    def bites(self, now: float) -> bool:
        """The device is left alone now."""
        return now < self.silent_until
