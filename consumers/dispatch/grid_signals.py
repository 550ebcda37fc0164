"""Limits that points of devices tell: contacts of a control box at digital inputs, or registers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consumers.dispatch.grid_limits import SIGNAL, Word
from schemas.messages import Telemetry, Value
from schemas.site_grid import GridSignal


@dataclass
class GridSignals:
    """What the declared points said last, and when it came by the monotonic clock."""

    declared: Sequence[GridSignal]
    _seen: dict[tuple[str, str], tuple[Value, float]] = field(default_factory=dict)

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time. A point that is not good, or absent, says nothing."""
        for point in {one.point for one in self.declared if one.device == device}:
            if (value := telemetry.good(point)) is not None:
                self._seen[device, point] = value, mono

    def words(self, now: datetime, mono: float) -> list[Word]:
        """All that hold; none where nothing is known."""
        found = []
        for one in self.declared:
            value, when = self._seen.get((one.device, one.point), (None, float("-inf")))
            if value is not None and mono - when <= SIGNAL and holds(one, value):
                found.append(word(one, value, now))
        return found


def holds(one: GridSignal, value: Value) -> bool:
    """Whether a point says it."""
    if (flag := one.contains if one.contains is not None else one.lacks) is not None:
        return isinstance(value, list) and (flag in value) == (one.contains is not None)
    if one.equals is not None:
        return value == one.equals
    if not isinstance(value, float):
        return False
    if one.above is not None:
        return value > one.above
    if one.below is not None:
        return value < one.below
    return value >= 0 and (one.value == "power" or value <= 100)


def word(one: GridSignal, value: Value, now: datetime) -> Word:
    """What one that holds says."""
    read = value if isinstance(value, float) else None
    return Word(
        authority=one.authority, direction=one.direction, scope=one.scope, via="signal", source=one.device,
        power=read if one.value == "power" else one.power, percent=read if one.value == "percent" else one.percent,
        at=now, since=now, until=now + timedelta(seconds=SIGNAL), reason=f"{one.point} says {_said(value)}",
    )  # fmt: skip


def _said(value: Value) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return value if isinstance(value, str) else f"{value:g}"
