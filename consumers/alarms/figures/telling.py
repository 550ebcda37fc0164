"""The figures of the alarms on the bus and on our disk: the shell around `Live`."""

import asyncio
from contextlib import suppress

from consumers.alarms.figures.live import Live
from runtime.bus import Bus
from runtime.part import Part
from schemas.messages import Cause
from schemas.topics import ALARM_FIGURES, ALARM_WATCHED
from schemas.units import utc_now

CALM, LONGEST = 10, 60
"""Seconds between two writings: because an alarm changed, as in a flood each second has one that does; and in any
case, so that a power cut and a quick start are no time that nobody saw."""


async def tell(bus: Bus, part: Part, live: Live) -> None:
    """Say them for as long as there is a connection, and keep what was heard: also at the end, so that a restart that
    is quick is no time that nobody saw."""
    since = CALM
    live.anew()
    try:
        while True:
            said, since = live.told(utc_now()), since + 1
            if said is not None or since >= (CALM if live.unkept else LONGEST):
                await _keep(part, live)
                since = 0
            for watch in live.watched(utc_now()):
                part.events.post(ALARM_WATCHED, watch, site=part.site.site)  # kept, also if the connection breaks now
            if said is not None:
                await bus.say(ALARM_FIGURES, said, site=part.site.site)
            await asyncio.sleep(1)
    finally:
        with suppress(OSError):
            live.write(live.dump())


async def _keep(part: Part, live: Live) -> None:
    """A disk that is full costs the figures of before a restart, and nothing else."""
    try:
        await asyncio.to_thread(live.write, live.dump())
    except OSError as wrong:
        words = f"the figures of the alarms are not kept: {live.path} cannot be written: {wrong.strerror}"
        part.causes.add(Cause.OUTBOX, words, about="figures")
    else:
        part.causes.clear(Cause.OUTBOX, about="figures", words=f"the figures are written to {live.path} again")
