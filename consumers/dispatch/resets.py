"""A PCS that has tripped: one automatic reset after a minute, then a person. Pure: the clock is an argument."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.messages import OutcomeState

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
    FAILED = "failed"
    CANNOT = "cannot"


LOCKOUTS: dict[Advice, str] = {
    Advice.AGAIN: "the PCS has tripped again after its reset",
    Advice.IN_VAIN: "the PCS has tripped and its reset did not help",
    Advice.REFUSED: "the PCS has tripped and its reset was refused",
    Advice.FAILED: "the PCS has tripped and its reset failed",
    Advice.CANNOT: "the PCS has tripped and cannot be reset from here",
}
"""The advice that ends in a lockout, and what is said then."""


class Tried(StrEnum):
    """What became of the last reset."""

    SENT = "sent"
    HELPED = "helped"
    REFUSED = "refused"
    FAILED = "failed"


AFTER: dict[Tried, Advice] = {
    Tried.SENT: Advice.IN_VAIN,
    Tried.HELPED: Advice.AGAIN,
    Tried.REFUSED: Advice.REFUSED,
    Tried.FAILED: Advice.FAILED,
}

BECAME: dict[OutcomeState, Tried | None] = {
    OutcomeState.ACCEPTED: None,
    OutcomeState.APPLIED: None,
    OutcomeState.VERIFIED: None,
    OutcomeState.LIMITED: None,
    OutcomeState.REFUSED: Tried.REFUSED,
    OutcomeState.SUPERSEDED: None,
    OutcomeState.EXPIRED: None,
    OutcomeState.FAILED: Tried.FAILED,
    OutcomeState.NOT_OBEYED: None,
    OutcomeState.FOREIGN_CHANGE: None,
}
"""What the bridge says of a reset; None where the state of the PCS tells whether it helped."""


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

    def hear(self, says: OutcomeState) -> None:
        """What the bridge says of it."""
        self.outcome = BECAME[says] or self.outcome
