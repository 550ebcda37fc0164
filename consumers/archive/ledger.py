"""The gap ledger: for every device and hour, how many samples were expected and how many are stored."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.roller import HOUR, floor, put
from runtime.database import writing
from schemas.messages import DeviceState, DeviceStatus
from schemas.site import Site
from schemas.tables import gap, quarantine, telemetry

ENOUGH = 0.98
"""Of the expected samples: a poll that waits for a busy bus is late, and nothing is missing."""
LONGEST = timedelta(days=30)
"""So long an hour that is open is looked at again: the outboxes hold less."""
GRACE = timedelta(minutes=2)
"""An hour is looked at when what was on its way has come."""


OUTBOX_CAP = "outbox_cap"
SILENCE = timedelta(seconds=30)
"""Nothing from any device, though none is said to be offline: then it is the bridge."""


class Witness:
    """What was heard, or not heard, that explains why samples are missing, by device and hour."""

    def __init__(self, devices: list[str], now: datetime) -> None:
        self.devices, self.heard = devices, now
        self.seen: dict[tuple[str, datetime], str] = {}
        self._dropped: dict[str, list[tuple[datetime, datetime]]] = {}
        self._offline: set[str] = set()

    def hear(self, device: str, said: DeviceStatus, now: datetime) -> None:
        """The bridge says how a device is."""
        self.look(now)
        (self._offline.add if said.state is DeviceState.OFFLINE else self._offline.discard)(device)
        self._dropped[device] = said.dropped
        self.look(now)

    def dropped(self, device: str, at: datetime) -> bool:
        """Whether the bridge said that samples of this hour went past the cap of its outbox: these never come."""
        return any(first <= at <= last for first, last in self._dropped.get(device, ()))

    def look(self, now: datetime) -> None:
        """What is so, now."""
        if now - self.heard > SILENCE and self._offline != set(self.devices):
            self._note(self.devices, now, "bridge_down")
        self._note(self._offline, now, "offline")

    def _note(self, devices: Iterable[str], now: datetime, cause: str) -> None:
        for device in devices:
            self.seen.setdefault((device, floor(now, HOUR)), cause)
        old = floor(now - timedelta(days=2), HOUR)
        for key in [key for key in self.seen if key[1] < old]:
            del self.seen[key]


class Ledger:
    """Writes the hours of one site, once they are over, and closes those that were completed later."""

    def __init__(self, engine: AsyncEngine, site: Site, witness: Witness, began: datetime) -> None:
        self.engine, self.site, self.witness, self.began = engine, site, witness, began

    async def write(self, now: datetime) -> int:
        """All hours that are over since the last look, and the open ones again; how many are open."""
        opened = 0
        for device in self.site.devices:
            expected = round(HOUR / device.poll)
            async with self.engine.connect() as connection:  # counting takes long, and nobody else writes here
                rows = [
                    await self._row(connection, device.name, at, expected, now)
                    for at in await self._hours(connection, device.name, now)
                ]
            if rows:
                async with writing(self.engine) as connection:
                    await put(connection, gap, rows)
            opened += sum(row["closed"] is None for row in rows)
        return opened

    async def _hours(self, connection: AsyncConnection, device: str, now: datetime) -> list[datetime]:
        mine = gap.c.site == self.site.site, gap.c.device == device
        newest = (await connection.execute(select(func.max(gap.c.at)).where(*mine))).scalar()
        again = select(gap.c.at).where(*mine, gap.c.closed.is_(None), gap.c.at >= now - LONGEST)
        hours = list((await connection.execute(again.order_by(gap.c.at))).scalars())
        hour = timedelta(seconds=HOUR)
        at = max(newest + hour, floor(now - LONGEST, HOUR)) if newest else floor(self.began, HOUR) + hour
        while at + hour + GRACE <= now:
            hours.append(at)
            at += hour
        return hours

    async def _row(
        self, connection: AsyncConnection, device: str, at: datetime, expected: int, now: datetime
    ) -> dict[str, Any]:
        end = at + timedelta(seconds=HOUR)
        c = telemetry.c
        mine = c.site == self.site.site, c.device == device, c.at >= at, c.at < end
        stored = (await connection.execute(select(func.count()).select_from(telemetry).where(*mine))).scalar_one()
        complete = stored >= ENOUGH * expected
        known = gap.c.site == self.site.site, gap.c.device == device, gap.c.at == at
        before = (await connection.execute(select(gap.c.cause).where(*known))).scalar()
        cause = before or ""
        if not complete and self.witness.dropped(device, at):
            cause = OUTBOX_CAP  # whatever was the matter then: without the cap they would have come later
        elif not complete and not before:
            cause = await self._cause(connection, device, at, end)
        row = {"site": self.site.site, "device": device, "at": at, "expected": expected, "stored": stored}
        return row | {"cause": cause, "closed": now if complete else None}

    async def _cause(self, connection: AsyncConnection, device: str, at: datetime, end: datetime) -> str:
        if seen := self.witness.seen.get((device, at)):
            return seen
        c = quarantine.c
        mine = c.site == self.site.site, c.device == device, c.received >= at, c.received < end
        aside = (await connection.execute(select(func.count()).select_from(quarantine).where(*mine))).scalar_one()
        return "quarantined_clock" if aside else "unknown"
