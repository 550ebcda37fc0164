"""The gap ledger: for every device and hour, how many samples were expected and how many are stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, String, Table, bindparam, delete, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.night import Silence, quarters, slept
from consumers.archive.roller import HOUR, LEDGER, floor, put
from runtime.database import writing
from schemas.messages import DeviceState, DeviceStatus
from schemas.site import Site
from schemas.site_device import Device
from schemas.tables import dirty, gap, quarantine, rollup_15m, telemetry

ENOUGH = 0.98
"""Of the expected samples: a poll that waits for a busy bus is late, and nothing is missing."""
LONGEST = timedelta(days=30)
"""So long an hour that is open may be filled: the outboxes hold less. Then it is closed, as lost."""
GRACE = timedelta(minutes=2)
"""An hour is looked at when what was on its way has come."""
STRETCH = 24
"""Hours in a row that are counted in one question."""
ONE = timedelta(seconds=HOUR)

OUTBOX_CAP = "outbox_cap"
ASLEEP = "asleep"
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


Hours = dict[tuple[str, datetime], dict[str, Any]]
"""Rows of the ledger by device and hour."""
Marks = list[tuple[str, datetime, int]]
"""Device, hour and turn of the roller."""


@dataclass(frozen=True)
class Found:
    """What the telemetry holds of one hour."""

    stored: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Ledger:
    """Writes the hours of one site once they are over, and those again of which samples came later.

    Samples that come mark their hour in `dirty`, so an hour without news is not asked for again.
    """

    def __init__(self, engine: AsyncEngine, site: Site, witness: Witness, began: datetime) -> None:
        self.engine, self.site, self.witness, self.began = engine, site, witness, began
        self.pv = {device.name for device in site.pv}
        self._looked = False

    async def write(self, now: datetime) -> int:
        """All hours that are over since the last look, and those with news; how many are open."""
        async with self.engine.connect() as connection:  # counting takes long, and nobody else writes here
            newest = await self._newest(connection, now)
            opened = await self._open(connection, now)
            marks = await self._marks(connection, now)
            known = opened | await self._known(connection, marks)
            firsts = await self._firsts(connection) if len(newest) < len(self.site.devices) else {}
            written = [news for row in opened.values() if (news := self._news(row, now))]
            for device in self.site.devices:
                again = {at for name, at, _ in marks if name == device.name and (name, at) in known}
                again |= set(self._nights(device, opened, again))
                new = list(self._new(newest.get(device.name), firsts.get(device.name), now))
                found = await self._count(connection, device.name, sorted({*again, *new}))
                for at, what in found.items():
                    row = known.get((device.name, at)) or self._row(device, at, firsts.get(device.name))
                    if row.get("closed") and row["stored"] == what.stored:
                        continue  # the last value of the hour before holds into it: nothing of its own came
                    written.append(await self._judge(connection, device, row | {"stored": what.stored}, what, now))
        latest = {(row["device"], row["at"]): row for row in written}
        if latest or marks:
            async with writing(self.engine) as connection:
                await put(connection, gap, list(latest.values()))
                await self._done(connection, marks)
        self._looked = True
        return sum(row["closed"] is None for row in (opened | latest).values())

    # --- which hours ---------------------------------------------------------------------------------

    async def _newest(self, connection: AsyncConnection, now: datetime) -> dict[str, datetime]:
        """The last hour that is written of each device; those a clock that was ahead has written come once more."""
        return await self._of_each(connection, gap, func.max(gap.c.at), gap.c.at <= now)

    async def _firsts(self, connection: AsyncConnection) -> dict[str, datetime]:
        """The first sample of each device."""
        return await self._of_each(connection, telemetry, func.min(telemetry.c.at))

    async def _of_each(
        self,
        connection: AsyncConnection,
        table: Table,
        what: Any,  # noqa: ANN401  # an end of SQLAlchemy's
        *which: ColumnElement[bool],
    ) -> dict[str, datetime]:
        """One end of each device's rows: of 10 years only these are read."""
        ends = [
            select(literal(device.name), what).where(
                table.c.site == self.site.site, table.c.device == device.name, *which
            )
            for device in self.site.devices
        ]
        return {name: at for name, at in await connection.execute(union_all(*ends)) if at is not None}

    async def _open(self, connection: AsyncConnection, now: datetime) -> Hours:
        """After a start all that are; then those that are not given up yet."""
        names = [device.name for device in self.site.devices]
        late = (gap.c.at >= now - LONGEST - timedelta(days=1),) if self._looked else ()
        rows = await self._rows(connection, gap.c.device.in_(names), *late, gap.c.closed.is_(None))
        return {(row["device"], row["at"]): row for row in rows}

    async def _done(self, connection: AsyncConnection, marks: Marks) -> None:
        """Exactly those that were read: what the roller marks meanwhile has another turn."""
        mine = dirty.c.site == self.site.site, dirty.c.span == LEDGER
        hour = dirty.c.at == bindparam("hour", type_=dirty.c.at.type)
        this = dirty.c.device == bindparam("name"), hour, dirty.c.turn == bindparam("number")
        if marks:
            hours = [{"name": name, "hour": at, "number": turn} for name, at, turn in marks]
            await connection.execute(delete(dirty).where(*mine, *this), hours)

    async def _rows(self, connection: AsyncConnection, *which: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # SQLAlchemy's
        found = await connection.execute(select(gap).where(gap.c.site == self.site.site, *which))
        return [dict(row) for row in found.mappings()]

    async def _marks(self, connection: AsyncConnection, now: datetime) -> Marks:
        """Hours that are over and of which samples came since they were counted."""
        over = dirty.c.at <= now - ONE - GRACE
        mine = dirty.c.site == self.site.site, dirty.c.span == LEDGER
        asked = select(dirty.c.device, dirty.c.at, dirty.c.turn).where(*mine, over)
        return [(row.device, row.at, row.turn) for row in await connection.execute(asked)]

    async def _known(self, connection: AsyncConnection, marks: Marks) -> Hours:
        if not marks:
            return {}
        times = [at for _, at, _ in marks]
        between = gap.c.at >= min(times), gap.c.at <= max(times)
        return {(row["device"], row["at"]): row for row in await self._rows(connection, *between)}

    def _new(self, newest: datetime | None, first: datetime | None, now: datetime) -> Iterator[datetime]:
        """A device that never spoke is missed from the first whole hour on, another one since its first sample."""
        begin = newest + ONE if newest else floor(first, HOUR) if first else floor(self.began, HOUR) + ONE
        at = max(begin, floor(now - LONGEST, HOUR))
        while at + ONE + GRACE <= now:
            yield at
            at += ONE

    def _nights(self, device: Device, opened: Hours, again: set[datetime]) -> Iterator[datetime]:
        """Hours without any sample, of which late ones before them now tell that it was a night."""
        for name, at in opened if device.name in self.pv and again else ():
            if name == device.name and any(timedelta() < at - one <= STRETCH * ONE for one in again):
                yield at

    def _row(self, device: Device, at: datetime, first: datetime | None) -> dict[str, Any]:
        """A new one: what is expected begins with the first sample of a device."""
        since = max(at, first) if first and first < at + ONE else at
        expected = max(1, round((at + ONE - since).total_seconds() / device.poll))
        return {"site": self.site.site, "device": device.name, "at": at, "expected": expected, "cause": ""}

    # --- what became of them -------------------------------------------------------------------------

    async def _count(self, connection: AsyncConnection, device: str, hours: list[datetime]) -> dict[datetime, Found]:
        """What the telemetry holds of some hours; hours in a row in one question."""
        found, c = {at: Found() for at in hours}, telemetry.c
        name = func.substr(c.at, 1, 13, type_=String)
        for stretch in _stretches(hours):
            mine = c.site == self.site.site, c.device == device, c.at >= stretch[0], c.at < stretch[-1] + ONE
            asked = select(name, func.count(), func.min(c.at), func.max(c.at)).where(*mine).group_by(name)
            for hour, stored, first, last in await connection.execute(asked):
                found[datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)] = Found(stored, first, last)
        return found

    async def _judge(
        self, connection: AsyncConnection, device: Device, row: dict[str, Any], found: Found, now: datetime
    ) -> dict[str, Any]:
        """Whether an hour is complete, and else why not."""
        at = row["at"]
        if found.stored < ENOUGH * row["expected"] and device.name in self.pv:
            awake = await self._awake(connection, device, at, found)
            if found.stored >= ENOUGH * awake * row["expected"]:
                return row | {"expected": round(awake * row["expected"]), "cause": ASLEEP, "closed": now}
        if found.stored >= ENOUGH * row["expected"]:
            return row | {"closed": now}
        cause = OUTBOX_CAP if self.witness.dropped(device.name, at) else row["cause"]
        return row | {"cause": cause or await self._cause(connection, device.name, at, at + ONE), "closed": None}

    def _news(self, row: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        """What an open hour is without counting it: it is given up, or its bridge said that its samples are lost."""
        if row["at"] < now - LONGEST:
            return row | {"closed": now}
        capped = row["cause"] != OUTBOX_CAP and self.witness.dropped(row["device"], row["at"])
        # whatever was the matter then: without the cap they would have come later
        return row | {"cause": OUTBOX_CAP} if capped else None

    async def _awake(self, connection: AsyncConnection, device: Device, at: datetime, found: Found) -> float:
        """The share of an hour in which a PV inverter did not sleep."""
        spans = [(at, found.first), (found.last, at + ONE)] if found.first and found.last else [(at, at + ONE)]
        asleep = 0.0
        for start, end in spans:
            silence = await self._silence(connection, device.name, start, end, ends=end == found.first)
            if slept(silence, device.rated_power or 0.0):
                asleep += (end - start).total_seconds()
        return max(0.0, 1 - asleep / HOUR)

    async def _silence(
        self, connection: AsyncConnection, device: str, start: datetime, end: datetime, *, ends: bool
    ) -> Silence:
        c, q = telemetry.c, rollup_15m.c
        mine = c.site == self.site.site, c.device == device
        said = select(c.at, c.points).where(*mine)
        spoken = (await connection.execute(said.where(c.at <= start).order_by(c.at.desc()).limit(1))).first()
        woke = (await connection.execute(said.where(c.at == end).limit(1))).first() if ends else None
        usual: tuple[float, ...] = ()
        if same := quarters(start, end):
            place = q.site == self.site.site, q.device == device, q.point == "p"
            usual = tuple((await connection.execute(select(q.twa).where(*place, q.at.in_(same)))).scalars())
        spoke = spoken.at if spoken else None
        return Silence(start, end, spoke, _power(spoken), _power(woke), usual)

    async def _cause(self, connection: AsyncConnection, device: str, at: datetime, end: datetime) -> str:
        if seen := self.witness.seen.get((device, at)):
            return seen
        c = quarantine.c
        mine = c.site == self.site.site, c.device == device, c.received >= at, c.received < end
        aside = (await connection.execute(select(func.count()).select_from(quarantine).where(*mine))).scalar_one()
        return "quarantined_clock" if aside else "unknown"


def _stretches(hours: list[datetime]) -> Iterator[list[datetime]]:
    """Sorted hours, those in a row together."""
    stretch: list[datetime] = []
    for at in hours:
        if stretch and (at - stretch[-1] != ONE or len(stretch) == STRETCH):
            yield stretch
            stretch = []
        stretch.append(at)
    if stretch:
        yield stretch


def _power(sample: Any) -> float | None:  # noqa: ANN401  # a row, or none
    power = from_json(sample.points).get("p") if sample else None
    return float(power) if isinstance(power, int | float) else None
