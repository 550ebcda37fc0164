"""What flowed through the grid connection in the last seconds, for a meter that is late or takes a mean. Pure."""

from collections import deque
from dataclasses import dataclass, field

KEPT = 60.0
"""Seconds."""


@dataclass
class Recent:
    """Energies that have flowed so far, and the power since the last look."""

    _seen: deque[tuple[float, float, float]] = field(default_factory=deque)
    """When, and the Ws and vars until then."""

    def step(self, at: float, dt: float, p: float, q: float) -> None:
        """These powers (W, var) have flowed for `dt` seconds until `at`."""
        if not dt:
            return
        seen = self._seen
        _, energy, reactive = seen[-1] if seen else (at - dt, 0.0, 0.0)
        if not seen:
            seen.append((at - dt, 0.0, 0.0))
        seen.append((at, energy + p * dt, reactive + q * dt))
        while seen[0][0] < at - KEPT:
            seen.popleft()

    def mean(self, ago: float, over: float) -> tuple[float, float] | None:
        """W and var, the mean of the `over` seconds (0: of one step) that ended `ago` seconds ago; None before any."""
        if not (ago or over) or len(self._seen) < 2:
            return None
        end = len(self._seen) - 1
        while end > 1 and self._seen[end][0] > self._seen[-1][0] - ago:
            end -= 1
        begin = end - 1
        while begin > 0 and self._seen[begin][0] > self._seen[end][0] - over:
            begin -= 1
        (from_, p0, q0), (to, p1, q1) = self._seen[begin], self._seen[end]
        return (p1 - p0) / (to - from_), (q1 - q0) / (to - from_)
