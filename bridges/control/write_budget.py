"""How often a register may still be written: flash cells wear out, and devices drop what comes too fast. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.profile import Setpoint

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a register stands."""

    deadband: float
    """In the unit of its command: a smaller change is not worth a write."""
    interval: float
    """Seconds between two writes."""
    per_day: int
    cyclic: bool
    """Whether it may be written again and again for one command: ramps, moving limits, a foreign hand."""
    kept: bool = False
    """Whether its writes count beyond a restart of the bridge."""


def allowance(setpoint: Setpoint, scale: float) -> Allowance:
    """From the profile; 100 000 writes wear an EEPROM cell out, 50 a day make five years of that."""
    eeprom = setpoint.memory == "eeprom"
    interval = (300.0 if eeprom else 0.0) if setpoint.interval is None else setpoint.interval
    per_day = (50 if eeprom else 100_000) if setpoint.per_day is None else setpoint.per_day
    kept = eeprom or setpoint.per_day is not None
    return Allowance(setpoint.deadband * scale, interval, per_day, cyclic=not eeprom, kept=kept)


@dataclass
class Budget:
    """The writes of one register. `now` is the monotonic clock."""

    allowed: Allowance
    times: deque[float] = field(default_factory=deque)
    """Of the writes of the last 24 h."""

    def recall(self, ages: Iterable[float], now: float) -> None:
        """What was written before this bridge began, so many seconds ago, the oldest first."""
        self.times.extend(now - age for age in ages)

    def spend(self, now: float) -> None:
        """It is written."""
        self.times.append(now)

    def spare(self) -> None:
        """The last write was none: the register held the value already."""
        self.times.pop()

    def worth(self, change: float) -> bool:
        """Whether the value moves enough."""
        return change > self.allowed.deadband

    def wait(self, now: float, *, cyclic: bool) -> str:
        """Why it is not written now; empty when it may be."""
        while self.times and now - self.times[0] >= DAY:
            self.times.popleft()
        if cyclic and not self.allowed.cyclic:
            return "budget: an EEPROM register is not written cyclically"
        if self.times and now - self.times[-1] < self.allowed.interval:
            left = self.allowed.interval - (now - self.times[-1])
            return f"budget: written again in {left:.1f} s at the earliest"
        if len(self.times) >= self.allowed.per_day:
            return f"budget: {self.allowed.per_day} writes a day are used up"
        return ""
