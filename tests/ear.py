"""An independent listener for tests: hears what is said on the bus and waits for what should come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from runtime.bus import Bus
from runtime.heard import Heard
from runtime.settings import parse_broker
from schemas.topics import M, Topic


class Ear:
    """What was heard so far, oldest first."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[Heard[Any]] = []
        self._news = asyncio.Event()
        self.listening: asyncio.Task[None] | None = None

    def all(self, topic: Topic[M], **place: str) -> list[M]:
        """Every valid message of a topic, also of one device only."""
        return [
            one.message
            for one in self.heard
            if one.topic is topic and one.message is not None and place.items() <= one.place.items()
        ]

    async def until(
        self, topic: Topic[M], fits: Callable[[M], bool] = lambda _: True, seconds: float = 10.0, **place: str
    ) -> M:
        """The first message that fits, heard already or within some seconds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                for message in self.all(topic, **place):
                    if fits(message):
                        return message
                if self.listening is not None and self.listening.done():
                    self.listening.result()  # a deaf ear says so, instead of hearing nothing
                self._news.clear()
                await self._news.wait()

    def wake(self) -> None:
        """Whoever waits looks again."""
        self._news.set()

    async def listen(self, *addresses: str) -> None:
        async for batch in self.bus.listen(*addresses):
            self.bus.ack(batch)
            self.heard += batch
            self._news.set()


@contextlib.asynccontextmanager
async def ear(url: str, *addresses: str) -> AsyncIterator[Ear]:
    """Listen at some addresses while the block runs; `.bus` speaks as the same user."""
    broker = parse_broker(url, "test", None, {})
    async with Bus(broker, identifier=broker.user or "test") as bus:
        listener = Ear(bus)
        if addresses:
            listener.listening = asyncio.create_task(listener.listen(*addresses))
            listener.listening.add_done_callback(lambda _: listener.wake())
        try:
            yield listener
        finally:
            if listener.listening is not None:
                listener.listening.cancel()
                await asyncio.gather(listener.listening, return_exceptions=True)
