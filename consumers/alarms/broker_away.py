"""Tells that the broker was away: meanwhile nobody can, and its last wills speak of single parts only."""

import asyncio
from collections.abc import Awaitable, Callable

from runtime.part import Part
from schemas.messages import Cause
from schemas.units import utc_now

LOOK = 1.0
"""Seconds between two looks whether there is a connection."""


class BrokerAway:
    """Of the alarms service: its cause stands from the loss of the connection, or from a start without one, to the next
    one. How long it has to last before an operator is told says the rule `broker_lost`."""

    def __init__(self, part: Part, judge: Callable[[], Awaitable[None]]) -> None:
        """`judge` looks at our own causes; what it changes is kept for the archive and said when the broker is back."""
        self._part, self._judge = part, judge

    async def watch(self) -> None:
        """For ever, beside the connections."""
        was, words = False, ""
        while True:
            away = self._part.events.bus is None
            if away and not was:
                words = f"no connection to the broker since {utc_now():%Y-%m-%d %H:%M:%S}Z"
            if away:
                self._part.causes.add(Cause.BROKER_LOST, words)
            if away or was:
                await self._judge()
            was = away
            await asyncio.sleep(LOOK)

    def over(self) -> None:
        """There is a connection. Before the first word over it, which would tell an outage that is over."""
        self._part.causes.clear(Cause.BROKER_LOST)
