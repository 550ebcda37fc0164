"""A PV plant: what the sun, its limit and its reactive power make of it. No clock: a step gets its length."""

from collections import deque
from dataclasses import dataclass, field
from math import acos, copysign, inf, sqrt, tan

ASLEEP = 0.001
"""Of the rated power: a PV inverter with less sun sleeps."""


@dataclass(slots=True)
class Pv:
    """A PV plant with its curtailment."""

    rated: float
    apparent: float
    observe: float = 0.0
    """Seconds the grid must be there before it feeds again."""
    limit_pct: float = 100.0
    limited: bool = False
    available: float = 0.0
    p: float = 0.0
    energy: float = 0.0
    """Wh produced since the beginning."""
    waits: float = 0.0
    """Seconds until it feeds."""
    late: float = 0.0
    """Seconds until a limit works."""
    slowest: float = inf
    """W/s that it can move its power."""
    deaf: bool = False
    """It does not do what its limit says."""
    share: float = 1.0
    """Of what its limit allows, that it gives."""
    shade: float = 1.0
    """Of the sun, that it gets."""
    q_set: float = 0.0
    """var that it was told, or that its power factor makes of its power."""
    pf_set: float | None = None
    """Over-excited when positive; None while it is told none."""
    q: float = 0.0
    deaf_q: bool = False
    """It gives no reactive power, whatever it was told."""
    _age: float = 0.0
    _told: deque[tuple[float, float]] = field(default_factory=deque)

    @property
    def curtailed(self) -> bool:
        return self.p < self.available

    def step(self, sun: float, dt: float, *, lit: bool = True) -> None:
        self.available = self.rated * sun * self.shade
        self.waits = max(0.0, self.waits - dt) if lit else self.observe
        if not lit or self.waits:
            self.p = 0.0
        else:
            target = min(self.available, self._in_effect(dt))
            step = inf if self.slowest == inf else self.slowest * dt
            self.p += max(-step, min(step, target - self.p))
        self.energy += self.p * dt / 3600
        awake = lit and not self.waits and self.available >= ASLEEP * self.rated
        self.q = self._reactive() if awake and not self.deaf_q else 0.0

    def _reactive(self) -> float:
        wanted = self.q_set
        if self.pf_set is not None:
            wanted = copysign(self.p * tan(acos(min(1.0, abs(self.pf_set)))), self.pf_set)
        room = sqrt(max(0.0, self.apparent**2 - self.p**2))  # active power goes first
        return max(-room, min(room, wanted))

    def _in_effect(self, dt: float) -> float:
        """W that the limit allows which was told `late` seconds ago."""
        self._age += dt
        told, limit = self._told, self.share * self.rated * self.limit_pct / 100 if self.limited else inf
        if not told or told[-1][1] != limit:
            told.append((self._age, limit))
        while len(told) > 1 and told[1][0] <= self._age - self.late:
            told.popleft()
        return inf if self.deaf else told[0][1]
