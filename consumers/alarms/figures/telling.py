"""The figures of the alarms on the bus and on our disk: the shell around `Live`."""

import asyncio

from consumers.alarms.figures.live import Live
from runtime.bus import Bus
from runtime.part import Part
from schemas.messages import Cause
from schemas.topics import ALARM_FIGURES
from schemas.units import utc_now


async def tell(bus: Bus, part: Part, live: Live) -> None:
    """Say them for as long as there is a connection."""
    while True:
        said = live.told(utc_now())
        if said is not None:
            await _keep(part, live)
            await bus.say(ALARM_FIGURES, said, site=part.site.site)
        await asyncio.sleep(1)


async def _keep(part: Part, live: Live) -> None:
    """A disk that is full costs the figures of before a restart, and nothing else."""
    try:
        await asyncio.to_thread(live.write, live.dump())
    except OSError as wrong:
        words = f"the figures of the alarms are not kept: {live.path} cannot be written: {wrong.strerror}"
        part.causes.add(Cause.OUTBOX, words, about="figures")
    else:
        part.causes.clear(Cause.OUTBOX, about="figures", words=f"the figures are written to {live.path} again")
