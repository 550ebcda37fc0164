"""What the power of a device did after a write: when it began to follow, how fast, how much energy it was. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Trace = Sequence[tuple[float, float]]
"""Seconds since the write was begun, and W; in the order of time."""

BEGUN, ARRIVED = 0.1, 0.9
"""Shares of a step that count as begun and as arrived (IEC 62933-2-1 measures response and ramp between them)."""
SEEN = 0.05
"""Share of a step below which nothing has moved."""


@dataclass(frozen=True, slots=True)
class Response:
    """How a device followed a step."""

    dead_time: float | None
    """Seconds until it began. None: it did not follow."""
    gap: float
    """Seconds between the readings around it: it may have begun so much sooner."""
    ramp: float | None = None
    """W/s of its own. None: within two readings, faster than can be seen."""


def response(trace: Trace, before: float, wanted: float) -> Response:
    """Of a step by `wanted` W from a power of `before` W. Its size is taken as it came, whatever its sign and scale."""
    moved = trace[-1][1] - before if trace else 0.0
    if not trace or abs(moved) < SEEN * abs(wanted):
        return Response(None, 0.0)
    began, arrived = (_crossed(trace, before, moved, share) for share in (BEGUN, ARRIVED))
    gap = max(_gap(trace, began), _gap(trace, arrived))
    if arrived - began <= 2 * gap:
        return Response(began, gap)
    ramp = (ARRIVED - BEGUN) * abs(moved) / (arrived - began)
    return Response(max(0.0, began - BEGUN * abs(moved) / ramp), gap, ramp)


def _crossed(trace: Trace, before: float, moved: float, share: float) -> float:
    """When it had gone this share of its way."""
    return next((at for at, power in trace if (power - before) / moved >= share), trace[-1][0])


def _gap(trace: Trace, moment: float) -> float:
    """Seconds between a reading and the one before it; since the write for the first."""
    earlier = [at for at, _ in trace if at < moment]
    return moment - (earlier[-1] if earlier else 0.0)


def rise(trace: Trace, before: float, wanted: float) -> float | None:
    """Seconds a power took from a tenth to nine tenths of what it moved. None: it did not move."""
    moved = trace[-1][1] - before if trace else 0.0
    if not trace or abs(moved) < SEEN * abs(wanted):
        return None
    return _crossed(trace, before, moved, ARRIVED) - _crossed(trace, before, moved, BEGUN)


def energy(trace: Trace) -> float:
    """Wh, positive out of the device: the area under the readings."""
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(trace)) / 3600


def reached(trace: Trace, level: float) -> float | None:
    """When the power first went below a level, in either direction, and stayed there. None: it did not."""
    found: float | None = None
    for at, power in trace:
        if abs(power) > level:
            found = None
        elif found is None:
            found = at
    return found
