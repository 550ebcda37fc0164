"""One value that was heard, and what is known of it now. Pure: `mono` is the monotonic clock."""

from enum import StrEnum
from typing import NamedTuple

from optimizer.billing import MOST
from schemas.messages import Telemetry

NEVER = float("-inf")


class Heard(NamedTuple):
    """A good value, and when it came: no step of a wall clock makes an old value young, nor a young one old."""

    at: float
    """Monotonic seconds."""
    value: float

    def holds(self, mono: float, seconds: float) -> bool:
        """Whether it tells of now."""
        return mono - self.at <= seconds


class Known(StrEnum):
    """What is known of a point. All but `GOOD` are unknown, and none of them is 0."""

    GOOD = "good"
    NEVER = "was never heard"
    SILENT = "is silent"
    DOUBTED = "is not good"
    """The device speaks, but this point is absent or its quality is not good."""


def known(heard: Heard | None, spoke: float, mono: float, seconds: float) -> Known:
    """`heard`: the last good value. `spoke`: when the device said anything, `NEVER` before."""
    if heard is not None and heard.holds(mono, seconds):
        return Known.GOOD
    if mono - spoke <= seconds:
        return Known.DOUBTED
    return Known.NEVER if spoke == NEVER else Known.SILENT


def number(telemetry: Telemetry, point: str) -> float | None:
    """A good power, voltage, current or SoC that a plant can have; None for anything else."""
    value = telemetry.number(point)
    return value if value is not None and abs(value) <= MOST else None
