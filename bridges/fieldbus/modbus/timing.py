"""How long a unit is waited for, and how long a line must be silent. Pure: durations in seconds, no clock."""

from collections import deque
from dataclasses import dataclass, field

from schemas.address import Address
from schemas.profile import LineTiming

SHORT = 0.2
"""The least a silent unit is waited for: it must not hold up the others on its line."""

SEVERAL, FULL_TRY = 3, 4
"""Answers that must be lost in a row before a unit is waited for shorter; and of the tries that follow, each fourth
gets the whole time again: one that wakes up slow is found."""

MARGIN = 0.1
"""Added to twice what a unit has needed."""

ENOUGH = 50
"""Answers that tell what a unit usually needs."""

CHARACTER = 11
"""Bits of a character (Modbus over serial line 1.02, 2.5.1); 12 with a parity and two stop bits."""

SILENT_CHARACTERS, SHORTEST, FAST = 3.5, 0.00175, 19_200
"""The silence before a frame (2.5.1.1); above 19 200 baud it is fixed."""


@dataclass
class Patience:
    """With one unit. The times are the unit's own, without those of the bytes on a serial line."""

    timeout: float
    lost: int = 0
    """Answers in a row that did not come."""
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=ENOUGH))

    @property
    def wait(self) -> float:
        """How long its next answer may take."""
        if self.lost < SEVERAL or self.lost % FULL_TRY == 0:
            return self.timeout
        needs = 2 * max(self._took) + MARGIN if self._took else self.timeout / 2
        return min(self.timeout, max(SHORT, needs))

    def answered(self, took: float) -> None:
        self.lost = 0
        self._took.append(took)


def strictest(one: LineTiming, other: LineTiming) -> LineTiming:
    """What satisfies both."""
    given = [timing.silent_interval for timing in (one, other) if timing.silent_interval is not None]
    borne = [timing.connections for timing in (one, other) if timing.connections is not None]
    return LineTiming(
        timeout=max(one.timeout, other.timeout),
        connect_pause=max(one.connect_pause, other.connect_pause),
        request_pause=max(one.request_pause, other.request_pause),
        silent_interval=max(given, default=None),
        connections=min(borne, default=None),
    )


def on_wire(where: Address, count: int) -> float:
    """What so many bytes need on a serial line of this machine; behind a gateway nobody knows, and the timeout says."""
    if where.scheme != "rtu":
        return 0.0
    bits = max(CHARACTER, 9 + (where.parity != "N") + where.stop)
    return count * bits / where.baud


def pause(where: Address, timing: LineTiming) -> float:
    """Seconds without a byte before each request."""
    silence = timing.silent_interval or 0.0 if where.scheme != "tcp" else 0.0
    if where.scheme == "rtu":
        fixed = where.baud > FAST
        silence = max(silence, SHORTEST if fixed else on_wire(where, 1) * SILENT_CHARACTERS)
    return max(timing.request_pause, silence)
