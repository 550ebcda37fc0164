"""After a start: what the archive knows of the prices that were said on the topic in the last weeks."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.optimize.price_sources import PriceSources
from runtime.part import Part
from runtime.prices_told import PricesTold
from schemas.units import utc_now

PATIENCE, AGAIN = 30.0, 60.0
"""Seconds for the archive, and until it is asked again."""


async def recall_prices(part: Part, prices: PriceSources, archive: AsyncEngine) -> None:
    """Once, as soon as the archive answers; until then plans are made with what is heard."""
    if not any(rule.topic for rule in part.site.prices.markets.values()):
        return
    told = PricesTold(archive, part.site.site)
    while True:
        try:
            async with asyncio.timeout(PATIENCE):
                await told.read(utc_now())
        except Exception as wrong:  # noqa: BLE001  # a row that nobody understands must not stop the plans
            part.log.info("the prices of the last weeks are not known yet: %s", wrong)
            await asyncio.sleep(AGAIN)
        else:
            prices.recall(told.news(), part.settings, utc_now())
            return
