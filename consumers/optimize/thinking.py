"""Plans are made in a thread, which nothing can end: there is one at most."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from consumers.optimize.thought import Thought
from optimizer.tariff import Series

Planner = Callable[[Situation, Past, dict[str, Series], datetime, float], Thought]


class Thinking:
    """One planner, and the plan that it is making."""

    def __init__(self, planner: Planner | None = None) -> None:
        self._planner = planner or _think
        self._begun: asyncio.Future[Thought] | None = None

    async def rests(self, seconds: float) -> bool:
        """Whether no plan is being made any more; one that was begun before a connection was lost is soon."""
        if self._begun is not None:
            await asyncio.wait([self._begun], timeout=seconds)
        return self._begun is None or self._begun.done()

    async def think(
        self, seconds: float, still: Situation, past: Past, series: dict[str, Series], now: datetime
    ) -> Thought:
        """Raises TimeoutError; the thread goes on, and what it comes to then is too old."""
        thread = asyncio.to_thread(self._planner, still, past, series, now, time.monotonic())
        begun = self._begun = asyncio.ensure_future(thread)
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, also when it is late
        async with asyncio.timeout(seconds):
            return await asyncio.shield(begun)


def _think(situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float) -> Thought:
    from consumers.optimize.think import think  # noqa: PLC0415  # loads the solver: 1 to 3 s, in the planning thread

    return think(situation, past, series, now, mono)
