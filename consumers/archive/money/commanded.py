"""What a PCS was told in some minutes, and what limited it: of rows that are open yet, and of closed segments.

The rows of half an hour become a segment, so a quarter of an hour that is priced late finds its commands there.
"""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.chain.journal import packed_in, reaching, readable
from schemas.messages import Authority
from schemas.tables import command, outcome, run, segment

MOST = 2000
"""Outcomes of a quarter that are looked at."""
KEPT = 4
"""Segments that are kept in memory: quarters are asked for in order, and most lie in one or two."""


class Told(NamedTuple):
    """A command, with the power it wants in W."""

    at: datetime
    id: str
    device: str
    until: datetime
    authority: Authority
    power: float


class Cut(NamedTuple):
    """That a power was limited: by what, and W that were wanted and did not pass."""

    at: datetime
    id: str
    device: str
    source: str
    less: float


class Commanded:
    """Of one site; the segments it has read stay with it for a while."""

    def __init__(self, connection: AsyncConnection, site: str) -> None:
        self.connection, self.site = connection, site
        self._read = dict[int, tuple[list[Told], list[Cut]]]()

    async def told(self, device: str, start: datetime, end: datetime) -> list[Told]:
        """The commands to a device that were said in a span, in order; `end` is excluded."""
        c = command.c
        asked = select(c.at, c.id, c.device, c.until, c.authority, c.body)
        mine = c.site == self.site, c.device == device, c.at >= start, c.at < end
        # open rows first: one that is sealed meanwhile is found twice rather than never
        rows = (await self.connection.execute(asked.where(*mine))).mappings()
        found = {_told(row) for row in rows}
        for commands, _ in await self._sealed(start, end):
            found |= {one for one in commands if one.device == device and start <= one.at < end}
        return sorted(found)

    async def cuts(self, devices: Collection[str], start: datetime, end: datetime) -> list[Cut]:
        """What limited the power of some devices in a span, in order."""
        c = outcome.c
        mine = c.site == self.site, c.device.in_(devices), c.state == "limited", c.at >= start, c.at < end
        asked = select(c.at, c.id, c.device, c.body).where(*mine).order_by(c.at).limit(MOST)
        found = {one for row in (await self.connection.execute(asked)).mappings() for one in _cuts(row)}
        for _, cuts in await self._sealed(start, end):
            found |= {one for one in cuts if one.device in devices and start <= one.at < end}
        return sorted(found)[:MOST]

    async def ever(self, device: str, start: datetime, end: datetime) -> bool:
        """Whether anything was commanded in a span. Of segments their days are looked at, and not each command."""
        c = command.c
        here = select(c.at).where(c.site == self.site, c.device == device, c.at >= start, c.at < end)
        s, r = segment.c, run.c
        closed = select(r.at).join(segment, (s.site == r.site) & (s.number == r.segment))
        first, last = (f"{at:%Y-%m-%d}" for at in (start, end))
        near = r.site == self.site, r.day.between(first, last), r.device == device, r.at < end, s.last_at >= start
        for asked in (here, closed.where(*near)):
            if (await self.connection.execute(asked.limit(1))).first():
                return True
        return False

    async def _sealed(self, start: datetime, end: datetime) -> list[tuple[list[Told], list[Cut]]]:
        """What the segments hold that reach into a span: one or two of a quarter of an hour."""
        numbers = await reaching(self.connection, self.site, start, end)
        for number in numbers:
            if number not in self._read:
                packed = await packed_in(self.connection, self.site, number)
                self._read[number] = await asyncio.to_thread(_unpacked, self.site, packed)
        found = [self._read[number] for number in numbers]
        self._read = {number: self._read[number] for number in sorted(self._read)[-KEPT:]}
        return found


def _unpacked(site: str, packed: bytes) -> tuple[list[Told], list[Cut]]:
    rows = readable(site, packed) if packed else []
    return (
        [_told(row) for kind, row in rows if kind == "command"],
        [one for kind, row in rows if kind == "outcome" and row["state"] == "limited" for one in _cuts(row)],
    )


def _told(row: Any) -> Told:  # noqa: ANN401  # a row of the database, or of a segment
    power = from_json(row["body"]).get("values", {}).get("p_set", 0.0)
    return Told(row["at"], row["id"], row["device"], row["until"], Authority(row["authority"]), power)


def _cuts(row: Any) -> Iterable[Cut]:  # noqa: ANN401  # as above
    for one in from_json(row["body"]).get("limited_by", ()):
        if one["point"] == "p_set":
            yield Cut(row["at"], row["id"], row["device"], one["source"], abs(one["wanted"] - one["allowed"]))
