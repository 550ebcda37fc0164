"""How the PCS is brought to a stop in a lockout, and how a lockout is undone. Pure: the clock is an argument."""

from dataclasses import dataclass, field

from consumers.dispatch.instruction import Instruction, action, rest
from consumers.dispatch.outcomes import DOUBTS
from consumers.dispatch.starts import Attempts
from schemas.grid_modes import STOPPED
from schemas.messages import Action, Authority, Cause, ControlMode, ControlRequest

EMPTYING = 10.0
"""Seconds a battery under load may take to come to rest before it is stopped."""
RESETS = DOUBTS | {Cause.INTERLOCK, Cause.INVALID}
"""What is reset although the PCS has not tripped: the bridge's doubts and interlocks, and what nobody knows any more. A
reset tells nothing to a PCS that runs."""
QUIET = 0.02
"""Of the rated power: less than that is rest."""


@dataclass(frozen=True)
class Seen:
    """What is known of the PCS."""

    state: str
    """Empty when it does not say, or no more."""
    power: float | None
    rated: float
    speaks: bool
    """It has a state."""
    stops: bool
    """It can be told to stop."""


@dataclass
class Lockout:
    """First 0, then stop, again and again until the PCS says that it stands."""

    since: float | None = None
    """Monotonic seconds."""
    stops: Attempts = field(default_factory=Attempts)
    undo: ControlMode | None = None
    """One that a person has ended; what it was for is still to be reset."""

    def over(self) -> None:
        """Another mode holds."""
        if self.since is not None:
            self.since, self.stops = None, Attempts()

    def next(self, seen: Seen, mono: float, request: ControlRequest | None) -> tuple[Instruction | None, str]:
        """What to send, and what is done in words."""
        if seen.state == "fault":
            return None, "the PCS has tripped"
        if seen.state in STOPPED:
            return None, "the PCS is stopped"
        moving = seen.power is None or abs(seen.power) > QUIET * seen.rated
        if self.since is None or (moving and mono - self.since < EMPTYING):
            self.since = mono if self.since is None else self.since
            before = "rests before the stop" if seen.stops else "rests"
            return rest(f"lockout: {before}", Authority.OPERATOR, None if seen.stops else request), before
        # where it says nothing of itself nobody knows whether it has stopped: once must do
        if seen.stops and (seen.speaks or not self.stops.count) and self.stops.due(mono):
            return action(Action.STOP, "lockout", Authority.OPERATOR, request), "stops the PCS"
        return rest("lockout: rests", Authority.OPERATOR, None if seen.stops else request), "rests"

    def reset(self, state: str, by: ControlMode) -> Instruction | None:
        """What a named person has ended is undone: the trip, or the bridge's doubt."""
        ended = self.undo
        if ended is None or (not state and ended.cause not in RESETS):
            return None
        if state != "fault" and ended.cause not in RESETS:
            self.undo = None
            return None
        what = "auto asked for" if ended.cause == Cause.INTERLOCK else "lockout ended"
        return action(Action.RESET, f"{what} by {by.who} {by.why}".strip(), Authority.OPERATOR)
