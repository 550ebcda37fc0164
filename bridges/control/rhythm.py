"""When the next cycle of a device's control comes: by time, at once where something has changed, soon after a write."""

import asyncio
from collections import deque

LONGEST_CYCLE = 1.0
"""Seconds between two cycles at most, however slowly the device is read."""
GLANCES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses in s between looks at a device that has just been told something: a good one follows in milliseconds."""


class Rhythm:
    """Of one device."""

    def __init__(self, poll: float) -> None:
        """`poll`: s from one reading to the next."""
        self.cycle = min(poll, LONGEST_CYCLE)
        """Seconds from one cycle to the next, where nothing happens."""
        self._wake = asyncio.Event()
        self._glances: deque[float] = deque()

    @property
    def glancing(self) -> bool:
        """It has just been told something."""
        return bool(self._glances)

    def wake(self) -> None:
        """Something it decides by has changed."""
        self._wake.set()

    def glance(self) -> None:
        """It was told something: look whether it follows."""
        self._glances.extend(GLANCES[len(self._glances) :])

    async def next(self) -> None:
        """Until the next cycle is due."""
        pause = self._glances.popleft() if self._glances else self.cycle
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
