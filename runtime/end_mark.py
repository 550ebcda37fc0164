"""What the broker keeps at some addresses, read to its end: nothing is decided before all of it is known.

A broker does not say where it ends, and on a slow line no pause tells. So we say something ourselves and wait to hear
it: what is said after a subscription comes after everything that was kept. Our own status is that mark: every part
may write it and read it back.
"""

import asyncio
from typing import Any

from runtime.bus import Bus, Refused
from runtime.heard import Heard
from runtime.part import Part
from schemas.topics import SERVICE_STATUS

LONGEST_READ = 60.0
"""Seconds for all that is kept, on a line of 10 kB/s, too."""
FIRST, AGAIN = 0.05, 0.5
"""Seconds until the mark is set, and set again: one that came before the subscription is not heard."""


async def up_to_mark(bus: Bus, part: Part, *addresses: str) -> list[Heard[Any]]:
    """What is kept there, and what was said meanwhile. The subscriptions end with it: listen anew.

    Raises Refused when the mark is never heard, MqttError when the connection is lost.
    """
    mark = SERVICE_STATUS.at(site=part.site.site, service=part.name)
    try:
        async with asyncio.timeout(LONGEST_READ), asyncio.TaskGroup() as group:
            marking = group.create_task(_mark(bus, part), name=f"{part.name}.mark")
            found = await _read(bus, mark, addresses)
            marking.cancel()
    except TimeoutError:
        raise Refused(f"{mark}: the broker does not send back what we said there: see the access list") from None
    for address in (*addresses, mark):
        await bus.unsubscribe(address)
    return found


async def _read(bus: Bus, mark: str, addresses: tuple[str, ...]) -> list[Heard[Any]]:
    found: list[Heard[Any]] = []
    # the mark's address comes last: it is not heard live before the others' stored messages are on their way
    async for batch in bus.listen(*addresses, mark):
        bus.ack(batch)
        for heard in batch:
            if heard.topic is not SERVICE_STATUS:
                found.append(heard)
            elif not heard.retained:
                return found
    return found


async def _mark(bus: Bus, part: Part) -> None:
    pause = FIRST
    while True:
        await asyncio.sleep(pause)
        await bus.say(SERVICE_STATUS, part.status(), site=part.site.site, service=part.name)
        pause = AGAIN
