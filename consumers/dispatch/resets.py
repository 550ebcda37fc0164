"""A PCS that has tripped: one automatic reset after a minute, then a person. Pure: the clock is an argument."""

from dataclasses import dataclass
from enum import StrEnum

PAUSE = 60.0
"""Seconds from a trip to its reset, and from the reset to the verdict."""
TRUST = 3600.0
"""Seconds without a trip after which the next one is a new story."""


class Advice(StrEnum):
    FINE = "fine"
    WAIT = "wait"
    RESET = "reset"
    LOCK = "lock"


@dataclass
class Resets:
    """Times are of the monotonic clock."""

    since: float | None = None
    """When it tripped, or was reset last."""
    tried: float | None = None
    """When it was reset last, by us or for a person."""

    def advise(self, state: str, mono: float) -> Advice:
        """What to do at this state of the PCS."""
        if self.tried is not None and mono - self.tried > TRUST:
            self.tried = None
        if state != "fault":
            self.since = None
            return Advice.FINE
        self.since = mono if self.since is None else self.since
        if mono - self.since < PAUSE:
            return Advice.WAIT
        if self.tried is not None:
            return Advice.LOCK
        self.done(mono)
        return Advice.RESET

    def done(self, mono: float) -> None:
        """A reset is sent, for whomever."""
        self.tried = self.since = mono
