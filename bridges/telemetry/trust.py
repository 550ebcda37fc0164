"""What is believed of a value that moved farther than it can: the old one, until the new one has shown for long enough
that it is true. Pure: `now` is the monotonic clock.

Physics is not overruled by repetition alone. A PV counter that says 0 for the minutes in which its inverter wakes up
says so in every reading; a battery whose SoC register is 0 while its BMS restarts does, too. Who comes back to where he
was has never been away.
"""

from dataclasses import dataclass

from bridges.telemetry.physics import Course


@dataclass(frozen=True, slots=True)
class Agreement:
    """How long readings must agree with each other until what they say is believed against the past."""

    readings: int = 3
    seconds: float = 0.0
    """Between the first of them and the last."""
    counts: bool = False
    """And the last must be more than the first: a counter that stands still tells no energy, so to doubt it costs
    nothing."""


AGREEMENT = {
    "steepest": Agreement(),  # the rate in a profile is what is usual: a load may jump
    # The rate of a SoC is physics, but it is a calculation: at the ends of its curve a BMS corrects it by a jump.
    "soc": Agreement(seconds=60.0),
    # A new meter, or one that was reset. It wakes up within minutes; it is replaced once in years.
    "counter": Agreement(seconds=900.0, counts=True),
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
    _first: float = 0.0
    """The first one that agrees with it."""
    _agreed: int = 0

    def believes(self, value: float, now: float) -> bool:
        """Whether a new reading is believed."""
        place = value if self._at is None else self.course(self._from, value, now - self._at)
        if place is None:
            self._doubt(value, now)
            lasted = self._agreed >= self.needed.readings and now - self._began >= self.needed.seconds
            if not lasted or (self.needed.counts and value <= self._first):
                return False
            place = value
        self._at, self._from, self._agreed = now, place, 0
        return True

    def _doubt(self, value: float, now: float) -> None:
        place = self.course(self._other, value, now - self._other_at) if self._agreed else None
        if place is None:
            self._began, self._first, self._agreed, place = now, value, 0, value
        self._other_at, self._other = now, place
        self._agreed += 1
