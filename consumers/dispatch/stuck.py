"""A battery that does not obey counts with what it gives, and the others give the rest at once. Pure: the clock is an
argument."""

from dataclasses import dataclass, field

from consumers.dispatch.starts import FIRST_AGAIN, Attempts
from schemas.messages import Cause, Outcome, OutcomeState

MOVED = 0.02
"""Of the rated power: one that has left the power it was stuck at, and is proven to follow, works again."""


@dataclass
class Stuck:
    """What is known of one that was told a power. Seconds of the monotonic clock."""

    tries: Attempts = field(default_factory=Attempts)
    """How often it has not obeyed, and when it is trusted with its whole share again: later each time."""
    at: float = 0.0
    """W that it gave then."""

    def hear(self, outcome: Outcome, power: float, rated: float, mono: float) -> None:
        """What became of a power that it was told. `power`: W that it gives now."""
        if outcome.state is OutcomeState.NOT_OBEYED and outcome.cause == Cause.NOT_OBEYED:
            if self.tries.due(mono):
                self.at = power
            self.tries.next = max(self.tries.next, mono + FIRST_AGAIN)
        elif outcome.state is OutcomeState.VERIFIED and abs(power - self.at) > MOVED * rated:
            self.tries = Attempts()

    def holds(self, mono: float) -> bool:
        """It counts with what it gives."""
        return mono < self.tries.next
