"""The energy of a device in a quarter of an hour, and where the number comes from."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Source(StrEnum):
    """Where an energy comes from, the best first."""

    COUNTER = "counter"
    """What the device's own counter gained from the end of the quarter before to the end of this one."""
    SHARE = "share"
    """A part of what the counter gained over a gap: the sum over the gap is measured, how it is spread is not."""
    POWER = "power"
    """The integral of the measured power."""


class Energy(NamedTuple):
    """Wh, never negative; positive is out of the device into the site, as everywhere."""

    at: datetime
    """When the quarter begins."""
    out: float
    into: float
    source: Source
    """The worse one of both directions."""
    seconds: float
    """How much of the quarter was seen: by the power, or by the counter of a device that tells no power."""
