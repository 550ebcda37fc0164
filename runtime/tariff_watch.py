"""A tariff that cannot be read at the start: said, looked at again, and taken when somebody has mended it.

It is taken when two looks have found the same file: one that is still copied, or mended in two steps, may be read
without an error and lack its last lines. Files of market prices are read again whenever they change.
"""

import asyncio
from pathlib import Path

from runtime.part import Part
from schemas.messages import Cause
from schemas.site import Site

AGAIN = 20.0
"""Seconds between two looks."""

Stamp = tuple[int, int, int] | None
"""Which file it is, its size and when it was changed, in ns; None: there is none."""


async def readable(part: Part, without: str) -> None:
    """Waits until the site's tariff can be read and is changed no more. Until then the part has the cause `tariff`;
    `without` says what it does not do for want of it."""
    site, found = part.site, _stamp(part.site.tariff_path)
    fault = site.tariff_fault  # before the part says that it is ready
    while fault:
        part.causes.add(Cause.TARIFF, f"{without}: {fault}")
        await asyncio.sleep(AGAIN)
        before, found = found, _stamp(site.tariff_path)
        if found == before:
            fault = await asyncio.to_thread(_read, site, found)
    part.causes.clear(Cause.TARIFF, words="the tariff can be read again")


def _read(site: Site, found: Stamp) -> str:
    """Why it cannot be read, or not yet; empty when it can."""
    if fault := site.tariff_fault:
        return fault
    if _stamp(site.tariff_path) == found:
        return ""
    site.forget_prices()
    return f"{site.tariff_path} is being written"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
