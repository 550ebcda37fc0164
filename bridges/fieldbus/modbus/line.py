"""What a Modbus device is asked over: a connection, or the registers of a simulated device in the same process."""

from collections.abc import Sequence
from typing import Protocol

NO_SUCH = (1, 2, 3)
"""Exceptions by which a device says that it does not have what was asked for: it will not have it the next time."""
NOT_THERE = (10, 11)
"""Exceptions of a gateway behind which the unit does not answer."""


class Line(Protocol):
    """The registers of the units on one line. Both requests raise Unreachable or Declined, and nothing else."""

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """`count` registers from `start`, by function 3 or 4."""

    async def write(self, unit: int, function: int, start: int, words: Sequence[int]) -> float:
        """Write registers by function 6 or 16; gives the event loop's time when the device had confirmed it."""

    def close(self) -> None:
        """Let go of it; the next request begins anew."""
