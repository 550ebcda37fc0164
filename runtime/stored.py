"""What the broker keeps of retained topics, read without listening to them.

A broker does not say where it ends: a second without a word is the end.
"""

import asyncio
import contextlib
from typing import Any

from runtime.bus import BEHIND, Bus
from runtime.heard import read
from schemas.topics import M, Topic

NOTHING_KEPT = 1.0
"""Seconds after which a broker that granted a subscription, and sent nothing, keeps nothing there."""


async def retained(bus: Bus, topic: Topic[M], **place: str) -> M | None:
    """What is kept at one address; None when nothing valid is.

    Nobody may `listen` there meanwhile. Raises MqttError when the connection is lost.
    """
    found = await _kept(bus, topic.at(**place), most=1)
    return next((read(topic, payload)[0] for payload in found.values()), None)


async def leftovers(bus: Bus, topic: Topic[Any], **place: str) -> set[str]:
    """The names at which something is kept, of the one part of the address that `place` leaves open.

    `await leftovers(bus, META, site="plant")` gives `{"pcs1", "meter"}`. Nobody may `listen` there meanwhile. Raises
    MqttError when the connection is lost.
    """
    (name,) = [name for name in topic.places if name not in place]
    found = await _kept(bus, topic.at(**place))
    return {parts[name] for address in found if (parts := topic.place(address))}


async def _kept(bus: Bus, address: str, most: int | None = None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    news = asyncio.Event()

    def take(where: str, payload: bytes) -> None:
        found.setdefault(where, payload)
        news.set()

    async with bus.aside(address, take, qos=0):
        while len(found) != most and await bus.while_connected(_within(NOTHING_KEPT, news)):
            news.clear()
        await bus.while_connected(bus.unsubscribe(address, timeout=BEHIND))
    return {where: payload for where, payload in found.items() if payload}


async def _within(seconds: float, news: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
            return True
    return False
