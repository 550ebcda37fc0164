"""Commands and outcomes out of the archive, as they were said: of closed segments, and those that are open yet."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.segments import unpack
from schemas.messages import Command, Outcome
from schemas.tables import command, outcome, segment

Said = Command | Outcome
_KINDS: dict[str, type[Said]] = {"command": Command, "outcome": Outcome}


async def orders(engine: AsyncEngine, site: str, start: datetime, end: datetime) -> list[tuple[str, Said]]:
    """With the device of each, oldest first; what was pruned is missing. `end` is excluded.

    Raises ValueError when a segment cannot be read.
    """
    found: list[tuple[str, str, str]] = []
    async with engine.connect() as connection:
        c = segment.c
        reaching = select(c.packed).where(c.site == site, c.last_at >= start, c.first_at < end, c.packed.is_not(None))
        async for (packed,) in await connection.stream(reaching):
            found += [
                (kind, row["device"], row["body"])
                for kind, row in unpack(site, packed)
                if kind in _KINDS and start <= row["at"] < end
            ]
        for name, table in (("command", command), ("outcome", outcome)):
            here = select(table.c.device, table.c.body).where(table.c.site == site)
            rows = await connection.execute(here.where(table.c.at >= start, table.c.at < end))
            found += [(name, device, body) for device, body in rows]
    said = [(device, _KINDS[kind].model_validate_json(body)) for kind, device, body in found]
    return sorted(said, key=lambda one: one[1].at)
