"""How good forecasts were: said when it is otherwise, and each hour."""

import asyncio
import time

from consumers.optimize.learning import Learning
from runtime.bus import Bus, Refused
from runtime.part import Part
from schemas.forecast_skill import ForecastSkill
from schemas.topics import FORECAST_SKILL
from schemas.units import utc_now

LOOKED, SAID, EXPIRY = 2.0, 3600.0, 86_400.0
"""Seconds between two looks, between two words, and until the broker forgets the last one."""


async def tell_skill(part: Part, learning: Learning, bus: Bus) -> None:
    """Until it is cancelled; what an older access list refuses is said once, and plans are made all the same."""
    told, said_at, refused = None, 0.0, ""
    while True:
        said = await asyncio.to_thread(learning.skill, utc_now())
        if said is not None and (_otherwise(said, told) or time.monotonic() - said_at >= SAID):
            try:
                await bus.say(FORECAST_SKILL, said, expiry=EXPIRY, site=part.site.site)
            except Refused as wrong:
                if not refused:
                    part.log.warning("how good forecasts are is not told: %s", wrong)
                refused = str(wrong)
            told, said_at = said, time.monotonic()
        await asyncio.sleep(LOOKED)


def _otherwise(said: ForecastSkill, told: ForecastSkill | None) -> bool:
    return told is None or said != told.model_copy(update={"at": said.at})
