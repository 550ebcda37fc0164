"""What is believed of a value that moved farther than it can: the old one, until the new one has shown for long enough
that it is true. Pure: `now` is the monotonic clock.

Physics is not overruled by repetition alone. A battery whose SoC register is 0 while its BMS restarts says so in every
reading. Who comes back to where he was has never been away. Counters of energy have a file of their own.
"""

from dataclasses import dataclass

from bridges.telemetry.physics import Course


@dataclass(frozen=True, slots=True)
class Agreement:
    """How long readings must agree with each other until what they say is believed against the past."""

    readings: int = 3
    seconds: float = 0.0
    """Between the first of them and the last."""


AGREEMENT = {
    "steepest": Agreement(),  # the rate in a profile is what is usual: a load may jump
    # The rate of a SoC is physics, but it is a calculation: at the ends of its curve a BMS corrects it by a jump.
    "soc": Agreement(seconds=60.0),
}


@dataclass(slots=True)
class Trust:
    """What is believed of one value, and what came instead of it."""

    course: Course
    needed: Agreement
    _at: float | None = None
    """None before the first reading, which nothing speaks against."""
    _from: float = 0.0
    """Where the next one is measured from, and since when."""
    _other_at: float = 0.0
    _other: float = 0.0
    """The same of what was not believed last."""
    _began: float = 0.0
    _agreed: int = 0

    def believes(self, value: float, now: float) -> bool:
        """Whether a new reading is believed."""
        place = value if self._at is None else self.course(self._from, value, now - self._at)
        if place is None:
            self._doubt(value, now)
            lasted = self._agreed >= self.needed.readings and now - self._began >= self.needed.seconds
            if not lasted:
                return False
            place = value
        self._at, self._from, self._agreed = now, place, 0
        return True

    def _doubt(self, value: float, now: float) -> None:
        place = self.course(self._other, value, now - self._other_at) if self._agreed else None
        if place is None:
            self._began, self._agreed, place = now, 0, value
        self._other_at, self._other = now, place
        self._agreed += 1
