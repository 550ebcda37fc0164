"""How old a command may be when our wall clock was set meanwhile. Pure: moments are of the monotonic clock.

A sender's time is one moment by the clock as it shows now, and another by the clock as it showed before it was set
back. Where both can be, the command is as old as the older one says: what was held back must not look young because of
the step. Two things prove the younger one: a number, that it was sent after an earlier command; and where it would have
been held back for longer than any command lives, that it comes as far behind the one before as it was sent behind it.
So nobody is shut out for as long as a large step, and for a small one as long as that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.clock import SMALLEST, Clock, Step
from schemas.topics import COMMAND_TTL

SLACK = 5.0
"""Seconds by which the sender's clock may differ from ours."""
LATE = 6 * COMMAND_TTL
"""Seconds: the longest life of a command. Nothing that comes in its rhythm is so late."""
NEAR = SMALLEST.total_seconds()
"""Seconds by which a moment may be wrong: a smaller step is not seen."""
BEAT = 0.5
"""Seconds between two commands at least, and by how much their distances may differ, to be a rhythm."""


@dataclass
class StepWatch:
    """Finds the steps of our wall clock, also those that are made little by little."""

    clock: Clock | None = None

    def look(self, mono: float, wall: datetime) -> None:
        """Both clocks at one moment, in each cycle and with each command."""
        if self.clock is None:
            self.clock = Clock(mono, wall)
            return
        gone = mono - self.clock.mono
        if gone > LATE or abs((wall - self.clock.wall).total_seconds() - gone) > NEAR:
            self.clock.look(mono, wall)

    @property
    def steps(self) -> list[Step]:
        """The oldest first."""
        return [] if self.clock is None else self.clock.steps


@dataclass(frozen=True, slots=True)
class Sending:
    """When a command came, and what is known of when it was sent."""

    shown: float
    """The moment it was sent, by our clock as it shows now."""
    came: float
    life: float
    """Seconds it is valid."""
    after: float = float("-inf")
    """It was surely sent later than that: an earlier one of its order was."""
    live: bool = False
    """It comes in the rhythm in which it was sent."""


def in_rhythm(sent_apart: float, came_apart: float) -> bool:
    """Whether a command comes as far behind the one before as it was sent behind it, in seconds: what was held back
    comes all at once, or alone."""
    return came_apart >= BEAT and abs(sent_apart - came_apart) <= BEAT


def earliest(sending: Sending, steps: Sequence[Step]) -> float:
    """The earliest moment at which it may have been sent. `steps`: of our clock, the oldest first."""
    found = moment = sending.shown
    for number in reversed(range(len(steps))):
        step, began = steps[number], steps[number - 1].at if number else float("-inf")
        moment += step.by.total_seconds()  # by the clock as it showed before this step
        then = began - SLACK <= moment <= step.at + SLACK
        late = sending.came - moment - sending.life > LATE
        if then and moment >= sending.after - NEAR and not (late and sending.live):
            found = min(found, moment)
    return found
