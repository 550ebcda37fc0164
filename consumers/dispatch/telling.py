"""Says what dispatch does: when it changes, and with each sign of life."""

import asyncio
import contextlib

from runtime.bus import Bus
from schemas.messages import ControlDispatch
from schemas.topics import COMMAND_TTL, CONTROL_DISPATCH

AGAIN = 5.0
"""Seconds between two words, as long as nothing changes."""


class Telling:
    """It is no event for the archive: the commands are kept there, with their reasons."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._last: ControlDispatch | None = None
        self._news = asyncio.Event()

    def note(self, does: ControlDispatch | None) -> None:
        """What is done from now on."""
        if does is None or self._last is None or does != self._last.model_copy(update={"at": does.at}):
            self._news.set()
        self._last = does

    async def next(self, bus: Bus) -> None:
        """Say it once, when it is due. It ends with the commands it tells of: a broker keeps no older word.

        Raises Refused, and MqttError when the connection is lost.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                await self._news.wait()
        self._news.clear()
        if self._last is not None:
            await bus.say(CONTROL_DISPATCH, self._last, expiry=COMMAND_TTL, site=self._site)
