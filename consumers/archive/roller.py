"""Makes the rollups anew whose telemetry has changed, beside the archive's hot path.

Telemetry marks its minutes as dirty in its own transaction; a minute that is over is made from the telemetry and
marks its quarter, a quarter is made from its minutes, with the energies in it, and marks its hour. So a kill -9 forgets
nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Table, delete, func, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.energy.energy_rows import EnergyRows
from consumers.archive.energy.flow_rows import FlowRows
from consumers.archive.rollups import HOLD, Rollup, merge, roll
from consumers.archive.store import Store, poisonous
from runtime.database import writing
from schemas.site import Site
from schemas.tables import dirty, rollup_1h, rollup_1m, rollup_15m, telemetry, unpriced

MINUTE, QUARTER, HOUR, WEEK = 60, 900, 3600, 604_800
LEDGER = HOUR + 1
"""The span of a mark that is not ours: of this hour samples came, and the gap ledger counts it once it is over."""
LIMIT = 60
"""Spans that are made in one transaction."""
TOGETHER = 8
"""Quarters or hours whose minutes are asked for at once: of hours with 50 points, about 1 MB."""

WEEKS = 4
"""Of before the migration that brought the energies, in one round."""


class Roller:
    """The rollups of one site."""

    def __init__(self, engine: AsyncEngine, site: Site, store: Store) -> None:
        self.engine, self.site, self.store = engine, site, store
        self.energies, self.flows = EnergyRows(site), FlowRows(site)
        self.failed: dict[str, Exception] = {}
        """Devices whose rollups could not be made in the last round: what the database will not take, or a mistake."""
        self._priced = {site.grid.meter, *site.pcs, *site.racks, *(device for device, _ in site.pv_points)}

    async def roll(self, now: datetime) -> int:
        """Make everything that is dirty and over; how many spans that were. A device that fails is left, see `failed`.

        Raises what the database raises when it is away.
        """
        turn, made, self.failed = await self.store.next_turn(), 0, {}
        self.energies.until = now
        for span in (MINUTE, QUARTER, HOUR):
            for device in await self._devices(span):
                try:
                    made += await self._device(span, device, now, turn)
                except Exception as wrong:
                    if isinstance(wrong, SQLAlchemyError | OSError) and not poisonous(wrong):
                        raise
                    self.failed[device] = wrong
        for _ in range(WEEKS):
            if not (devices := await self._old_week()):
                break
            made += devices
        return made

    async def _old_week(self) -> int:
        """The energies and flows of the oldest week that a migration has marked; of how many devices."""
        c = dirty.c
        mine = c.site == self.site.site, c.span == WEEK
        async with self.engine.connect() as connection:
            at = (await connection.execute(select(func.min(c.at)).where(*mine))).scalar()
            if at is None:
                return 0
            devices = list((await connection.execute(select(c.device).where(*mine, c.at == at))).scalars())
        last, changed = at + timedelta(seconds=WEEK - QUARTER), set[datetime]()
        for device in devices:
            async with writing(self.engine) as connection:
                changed |= {*await self.energies.make(connection, device, at, last)}
        async with writing(self.engine) as connection:  # once all its devices are there
            await self.flows.make(connection, sorted(changed))
            await self._unprice(connection, changed)
            await connection.execute(delete(dirty).where(*mine, c.at == at))
        return len(devices)

    async def _devices(self, span: int) -> list[str]:
        """Which have marks of this span and have not failed."""
        wanted = select(dirty.c.device).where(dirty.c.site == self.site.site, dirty.c.span == span).distinct()
        async with self.engine.connect() as connection:
            found = (await connection.execute(wanted.order_by(dirty.c.device))).scalars()
            return [device for device in found if device not in self.failed]

    async def _device(self, span: int, device: str, now: datetime, turn: int) -> int:
        """All that is dirty and over of one device; how many spans that were."""
        made = 0
        while starts := await self._marks(span, device, now, turn):
            await self._make(span, device, starts, turn, now)
            made += len(starts)
        return made

    async def _marks(self, span: int, device: str, now: datetime, turn: int) -> list[datetime]:
        """The beginnings of the next spans that lie close together: read off the key, however many there are behind."""
        c = dirty.c
        wanted = (
            select(c.at)
            .where(c.site == self.site.site, c.device == device, c.span == span, *_old(span, turn))
            .where(c.at <= now - timedelta(seconds=span))
            .distinct()
            .order_by(c.at)
            .limit(LIMIT)
        )
        async with self.engine.connect() as connection:
            found = list((await connection.execute(wanted)).scalars())
        near = timedelta(seconds=span * LIMIT)
        return [at for at in found if at - found[0] < near]

    async def _make(self, span: int, device: str, starts: list[datetime], turn: int, now: datetime) -> None:
        starts = self._whole(starts, now) if span == MINUTE else starts
        async with writing(self.engine) as connection:
            if span == MINUTE:
                await self._minutes(connection, device, starts)
                above = QUARTER
            else:
                await self._spans(connection, span, device, starts)
                above = HOUR if span == QUARTER else 0
            if above:
                rows = [
                    self._place(device, span=above, at=at, turn=turn)
                    for at in sorted({floor(at, above) for at in starts})
                ]
                if span == MINUTE:
                    rows += [self._place(device, span=LEDGER, at=at, turn=turn) for at in _past(starts, now)]
                await put(connection, dirty, rows)
            mine = dirty.c.site == self.site.site, dirty.c.device == device, dirty.c.span == span
            await connection.execute(delete(dirty).where(*mine, dirty.c.at.in_(starts), *_old(span, turn)))

    def _whole(self, starts: list[datetime], now: datetime) -> list[datetime]:
        """All minutes of the hours whose minutes are forgotten: the late ones alone would stand for the whole hour."""
        days = self.site.retention.minute_days
        kept = now - timedelta(days=days, seconds=-HOUR)
        hours = {floor(at, HOUR) for at in starts if days and at < kept}
        return sorted({*starts, *(hour + timedelta(seconds=MINUTE) * n for hour in hours for n in range(60))})

    async def _minutes(self, connection: AsyncConnection, device: str, starts: list[datetime]) -> None:
        times, samples = await self._telemetry(connection, device, starts[0], starts[-1])
        rows, low = [], 0
        for at in starts:
            start = at.timestamp()
            while low < len(times) and times[low] < start - HOLD:
                low += 1
            high = low
            while high < len(times) and times[high] < start + MINUTE:
                high += 1
            found = roll(times[low:high], samples[low:high], start, start + MINUTE)
            if found:
                points = to_json({point: one.row() for point, one in found.items()}).decode()
                rows.append(self._place(device, at=at, points=points))
        await put(connection, rollup_1m, rows)

    async def _telemetry(
        self, connection: AsyncConnection, device: str, first: datetime, last: datetime
    ) -> tuple[list[float], list[dict[str, Any]]]:
        begin, end = first - timedelta(seconds=HOLD), last + timedelta(seconds=MINUTE)
        c = telemetry.c
        wanted = (
            select(c.at, c.points, c.quality)
            .where(c.site == self.site.site, c.device == device, c.at >= begin, c.at < end)
            .order_by(c.at, c.epoch, c.seq)
        )
        times, samples = [], []
        for at, points, quality in await connection.execute(wanted):
            sample = from_json(points)
            for bad in from_json(quality) if quality else ():
                sample.pop(bad, None)
            times.append(at.timestamp())
            samples.append(sample)
        return times, samples

    async def _spans(self, connection: AsyncConnection, span: int, device: str, starts: list[datetime]) -> None:
        """Quarters or hours, both from their minutes."""
        for place in range(0, len(starts), TOGETHER):
            some = starts[place : place + TOGETHER]
            parts: dict[datetime, dict[str, list[Rollup]]] = {at: {} for at in some}
            c, end = rollup_1m.c, some[-1] + timedelta(seconds=span)
            mine = c.site == self.site.site, c.device == device, c.at >= some[0], c.at < end
            for at, points in await connection.execute(select(c.at, c.points).where(*mine).order_by(c.at)):
                if (found := parts.get(floor(at, span))) is None:
                    continue  # it lies between them, and is not to be made
                for point, numbers in from_json(points).items():
                    found.setdefault(point, []).append(Rollup(*numbers))
            rows = [self._row(device, point, at, merge(of)) for at, each in parts.items() for point, of in each.items()]
            await put(connection, rollup_15m if span == QUARTER else rollup_1h, rows)
        if span == QUARTER:
            changed = await self.energies.make(connection, device, starts[0], starts[-1])
            await self.flows.make(connection, changed if device in self.flows.devices else [])
            if device in self._priced:
                await self._unprice(connection, {*changed, *starts})

    async def _unprice(self, connection: AsyncConnection, quarters: Iterable[datetime]) -> None:
        """What they cost is worked out anew."""
        await put(connection, unpriced, [{"site": self.site.site, "at": at} for at in sorted(quarters)])

    def _row(self, device: str, point: str, at: datetime, one: Rollup) -> dict[str, Any]:
        numbers = {name: getattr(one, name) for name in ("samples", "low", "mean", "high", "last", "twa", "seconds")}
        return self._place(device, point=point, at=at, plus=one.plus, minus=one.minus, **numbers)

    def _place(self, device: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # the columns of any table
        return {"site": self.site.site, "device": device, **more}


def _old(span: int, turn: int) -> tuple[Any, ...]:
    """Minutes that were marked before this turn. Quarters and hours are marked by nobody but the roller."""
    return (dirty.c.turn != turn,) if span == MINUTE else ()


def _past(starts: list[datetime], now: datetime) -> list[datetime]:
    """Hours that are over: an hour that still runs is counted at its end without a mark."""
    return sorted({at for at in (floor(start, HOUR) for start in starts) if at + timedelta(seconds=HOUR) <= now})


def floor(at: datetime, span: int) -> datetime:
    """The beginning of the span of so many seconds that a moment lies in."""
    return datetime.fromtimestamp(int(at.timestamp()) // span * span, UTC)


async def put(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write rows, in place of older ones with the same key."""
    if not rows:
        return
    keys = {column.name for column in table.primary_key}
    columns = [name for name in rows[0] if name not in keys]
    if connection.dialect.name == "sqlite":
        lite = sqlite.insert(table)
        replaced = {name: lite.excluded[name] for name in columns}
        done = (
            lite.on_conflict_do_update(index_elements=list(keys), set_=replaced)
            if replaced
            else lite.on_conflict_do_nothing()
        )
        await connection.execute(done, rows)
    else:
        maria = mysql.insert(table)
        replaced = {name: maria.inserted[name] for name in columns or ["site"]}
        await connection.execute(maria.on_duplicate_key_update(replaced), rows)
