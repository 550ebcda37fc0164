"""A tariff that cannot be read at the start: said, looked at again, and taken when somebody has mended it."""

import asyncio

from runtime.part import Part
from schemas.messages import Cause

AGAIN = 20.0
"""Seconds between two looks."""


async def readable(part: Part, without: str) -> None:
    """Waits until the site's tariff can be read. Until then the part has the cause `tariff`; `without` says what it
    does not do for want of it."""
    fault = part.site.tariff_fault  # before the part says that it is ready
    while fault:
        part.causes.add(Cause.TARIFF, f"{without}: {fault}")
        await asyncio.sleep(AGAIN)
        fault = await asyncio.to_thread(lambda: part.site.tariff_fault)
    part.causes.clear(Cause.TARIFF, words="the tariff can be read again")
