"""What is wrong with the values of a device, without a flood of words when it flickers. Pure: `now` is the monotonic
clock.

Two counters behind a meter that was turned round are doubted in turn, in each reading the other one: said as it is
seen, that is a new status each half second. What comes back stands until it was not seen for a while; what was seen
only once, or all the time, is over when it is not seen any more.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.messages import Cause

LASTS = 10.0
"""Seconds for which a doubt that has come back stands after it was seen last."""
READINGS = 3
"""And so many readings at least, however slowly a device is polled."""


class Doubted(NamedTuple):
    """One thing that is wrong with one point."""

    cause: Cause
    point: str
    why: str


@dataclass(slots=True)
class _Sight:
    last: float
    returned: bool = False


@dataclass
class StandingDoubts:
    """Of one device."""

    poll: float
    """Seconds between two readings."""
    _sights: dict[Doubted, _Sight] = field(default_factory=dict)
    _before: frozenset[Doubted] = frozenset()

    def see(self, found: Collection[Doubted], now: float) -> list[Doubted]:
        """What is to be said after a reading, in the order in which it was seen first."""
        lasts = max(LASTS, READINGS * self.poll)
        self._sights = {one: sight for one, sight in self._sights.items() if now - sight.last <= lasts}
        for one in found:
            sight = self._sights.setdefault(one, _Sight(now, returned=False))
            sight.returned |= sight.last < now and one not in self._before
            sight.last = now
        self._before = frozenset(found)
        return [one for one, sight in self._sights.items() if sight.last == now or sight.returned]
