"""Whether a stopped PCS is started again. One that somebody stopped at its panel stays as it is: a person may have his
hands in it. Pure: the clock is an argument."""

from dataclasses import dataclass, field
from typing import Literal

from consumers.dispatch.battery_seen import BETWEEN
from schemas.grid_modes import STOPPED

FIRST_AGAIN, LONGEST_AGAIN = 10.0, 300.0
LONGEST_STOP = 60.0
"""Seconds a PCS may take to stop when it is told to: its power goes to 0 first."""


@dataclass
class Attempts:
    """Something that is tried again, later each time: contactors and soft-start resistors wear."""

    count: int = 0
    next: float = float("-inf")
    """Monotonic seconds of the next one."""

    def due(self, mono: float) -> bool:
        """Whether to try now; counts as tried."""
        if mono < self.next:
            return False
        self.next = mono + min(FIRST_AGAIN * 2 ** min(self.count, 10), LONGEST_AGAIN)
        self.count += 1
        return True


@dataclass
class Starts:
    """What is known of why the PCS stands."""

    rule: Literal["ours", "always"] = "ours"
    """Of the site file."""
    why: str = ""
    """Why it may be started; empty when somebody else has stopped it, or nobody knows who."""
    ran: bool = False
    """It ran when it was last seen in its right mind."""
    attempts: Attempts = field(default_factory=Attempts)
    _told_to_stop: float = float("-inf")
    """Monotonic seconds of our last word to it, as long as it has not followed."""

    def see(self, state: str, mono: float) -> None:
        """The PCS says this of itself; nothing is learnt from silence."""
        ours = mono - self._told_to_stop <= LONGEST_STOP
        match state:
            case "" | "fault":
                return
            case _ if state in STOPPED:
                self.ran, self.why = False, "we stopped it" if ours else self.why
                self._told_to_stop = float("-inf")
            case _ if state not in BETWEEN and not ours:  # it runs: who stops it from now on is another story
                self.ran, self.why, self.attempts = True, "", Attempts()

    def stopped(self, mono: float) -> None:
        """We tell it to stop."""
        self._told_to_stop = mono

    def reset(self) -> None:
        """We reset it after a trip: it comes back stopped."""
        if self.ran:
            self.why = "it was reset after its trip"

    def taken(self) -> None:
        """Somebody steers at the device: what was to be started is his affair."""
        self.why = ""

    def asked(self, who: str) -> None:
        """A person wants it to work."""
        self.why, self.attempts = f"{who} asked for it", Attempts()

    @property
    def may(self) -> bool:
        return self.rule == "always" or bool(self.why)
