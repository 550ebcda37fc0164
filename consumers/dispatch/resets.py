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
    AGAIN = "again"
    IN_VAIN = "in_vain"
    REFUSED = "refused"
    CANNOT = "cannot"


LOCKOUTS: dict[Advice, str] = {
    Advice.AGAIN: "the PCS has tripped again after its reset",
    Advice.IN_VAIN: "the PCS has tripped and its reset did not help",
    Advice.REFUSED: "the PCS has tripped and its reset was refused",
    Advice.CANNOT: "the PCS has tripped and cannot be reset from here",
}
"""The advice that ends in a lockout, and what is said then."""


class Tried(StrEnum):
    """What became of the last reset."""

    SENT = "sent"
    HELPED = "helped"
    REFUSED = "refused"


AFTER: dict[Tried, Advice] = {
    Tried.SENT: Advice.IN_VAIN,
    Tried.HELPED: Advice.AGAIN,
    Tried.REFUSED: Advice.REFUSED,
}


@dataclass
class Resets:
    """Times are of the monotonic clock."""

    since: float | None = None
    """When it tripped, or was reset last."""
    tried: float | None = None
    """When it was reset last, by us or for a person."""
    outcome: Tried = Tried.SENT

    def advise(self, state: str, mono: float, *, able: bool = True) -> Advice:
        """What to do at this state of the PCS; an empty one is silence and tells nothing. `able`: it can be reset."""
        if self.tried is not None and mono - self.tried > TRUST:
            self.tried = None
        if state == "":
            return Advice.FINE if self.since is None else Advice.WAIT
        if state != "fault":
            self.since, self.outcome = None, Tried.HELPED
            return Advice.FINE
        self.since = mono if self.since is None else self.since
        if mono - self.since < PAUSE:
            return Advice.WAIT
        if self.tried is not None:
            return AFTER[self.outcome]
        return Advice.RESET if able else Advice.CANNOT

    def done(self, mono: float) -> None:
        """A reset is sent, for whomever."""
        self.tried = self.since = mono
        self.outcome = Tried.SENT

    def refused(self) -> None:
        """The bridge or the PCS did not take it."""
        self.outcome = Tried.REFUSED
