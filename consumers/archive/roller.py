"""Makes the rollups anew whose telemetry has changed, beside the archive's hot path.

Telemetry marks its minutes as dirty in its own transaction; a minute that is over is made from the telemetry and
marks its quarter, a quarter is made from its minutes and marks its hour. So a kill -9 forgets nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.flows import flows
from consumers.archive.rollups import HOLD, Rollup, merge, roll
from consumers.archive.store import Store
from schemas.flows import rest
from schemas.site import Site
from schemas.tables import dirty, flow, load_energy, rollup_1h, rollup_1m, rollup_15m, telemetry, unpriced

MINUTE, QUARTER, HOUR = 60, 900, 3600
LIMIT = 60
"""Spans that are made in one transaction."""

OTHER = "other load"
"""No device has a name like it: what of the load nobody measures."""

Marks = list[tuple[str, datetime]]
"""Devices and the beginnings of spans."""


class Roller:
    """The rollups of one site."""

    def __init__(self, engine: AsyncEngine, site: Site, store: Store) -> None:
        self.engine, self.site, self.store = engine, site, store
        self.pv = site.pv_points
        self.loads = {one.name: one.behind or "" for one in site.loads}
        self._priced = {site.grid.meter, *site.pcs, *site.racks, *(device for device, _ in self.pv)}
        self._flowing = {site.grid.meter, *site.pcs, *self.loads, *(device for device, _ in self.pv)}

    async def roll(self, now: datetime) -> int:
        """Make everything that is dirty and over; how many spans that were."""
        turn, made = await self.store.next_turn(), 0
        for span in (MINUTE, QUARTER, HOUR):
            while marks := await self._marks(span, now, turn):
                await self._make(span, marks, turn)
                made += len(marks)
        return made

    async def _marks(self, span: int, now: datetime, turn: int) -> Marks:
        """The next spans of a device that lie close together."""
        wanted = (
            select(dirty.c.device, dirty.c.at)
            .where(dirty.c.site == self.site.site, dirty.c.span == span, *_old(span, turn))
            .where(dirty.c.at <= now - timedelta(seconds=span))
            .distinct()
            .order_by(dirty.c.device, dirty.c.at)
            .limit(LIMIT)
        )
        async with self.engine.connect() as connection:
            found = [(row.device, row.at) for row in await connection.execute(wanted)]
        near = timedelta(seconds=span * LIMIT)
        return [mark for mark in found if mark[0] == found[0][0] and mark[1] - found[0][1] < near]

    async def _make(self, span: int, marks: Marks, turn: int) -> None:
        device, starts = marks[0][0], [at for _, at in marks]
        async with self.engine.begin() as connection:
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
                await put(connection, dirty, rows)
            mine = dirty.c.site == self.site.site, dirty.c.device == device, dirty.c.span == span
            await connection.execute(delete(dirty).where(*mine, dirty.c.at.in_(starts), *_old(span, turn)))

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
        for at in starts:
            parts: dict[str, list[Rollup]] = {}
            c, end = rollup_1m.c, at + timedelta(seconds=span)
            mine = c.site == self.site.site, c.device == device, c.at >= at, c.at < end
            for points in (await connection.execute(select(c.points).where(*mine).order_by(c.at))).scalars():
                for point, numbers in from_json(points).items():
                    parts.setdefault(point, []).append(Rollup(*numbers))
            rows = [self._row(device, point, at, merge(some)) for point, some in parts.items()]
            await put(connection, rollup_15m if span == QUARTER else rollup_1h, rows)
            if span == QUARTER and device in self._flowing:
                await self._flows(connection, at)
            if span == QUARTER and device in self._priced:
                await put(connection, unpriced, [{"site": self.site.site, "at": at}])

    def _row(self, device: str, point: str, at: datetime, one: Rollup) -> dict[str, Any]:
        numbers = {name: getattr(one, name) for name in ("samples", "low", "mean", "high", "last", "twa", "seconds")}
        return self._place(device, point=point, at=at, plus=one.plus, minus=one.minus, **numbers)

    async def _flows(self, connection: AsyncConnection, at: datetime) -> None:
        """Once the meter and a PCS have this quarter, again with each further one; a PV that sleeps gives nothing."""
        whole = await self._whole(connection, at)
        used = {name: whole[name, "p"][0] - whole[name, "p"][1] for name in self.loads if (name, "p") in whole}
        meter = whole.get((self.site.grid.meter, "p"))
        batteries = [whole[pcs, "p"] for pcs in self.site.pcs if (pcs, "p") in whole]
        pv = sum(max(0.0, whole[one][0] - whole[one][1]) for one in self.pv if one in whole)
        rows = {name: (self.loads[name], power) for name, power in used.items()}
        if self.loads and meter is not None and len(batteries) == len(self.site.pcs) and len(used) == len(self.loads):
            apart = [power for name, power in used.items() if not self.loads[name]]
            brings = [pv, *(plus - minus for plus, minus in (meter, *batteries))]
            other = rest([HOUR / QUARTER * each for each in brings], [HOUR / QUARTER * each for each in apart])
            # below nothing: a meter is wrong, or the PV's samples are still to come
            rows |= {} if other.doubted else {OTHER: ("", other.power * QUARTER / HOUR)}
        found = [{"device": name, "behind": behind, "used": power} for name, (behind, power) in rows.items()]
        c = load_energy.c
        await connection.execute(delete(load_energy).where(c.site == self.site.site, c.at == at, c.device == OTHER))
        await put(connection, load_energy, [{"site": self.site.site, "at": at} | row for row in found])
        if meter is None or (self.site.pcs and not batteries):
            return
        # one that is silent counts as load until its samples come
        pcs = sum(plus for plus, _ in batteries), sum(minus for _, minus in batteries)
        split = flows(pv, *meter, *pcs)
        await put(connection, flow, [{"site": self.site.site, "at": at, **split._asdict()}])

    async def _whole(self, connection: AsyncConnection, at: datetime) -> dict[tuple[str, str], tuple[float, float]]:
        """Wh out and in of a quarter, by device and point."""
        c = rollup_15m.c
        points = {"p", *(point for _, point in self.pv)}
        wanted = select(c.device, c.point, c.plus, c.minus, c.seconds).where(
            c.site == self.site.site, c.point.in_(points), c.at == at, c.device.in_(self._flowing)
        )
        return {  # a span that is covered in part is taken to have gone on like this
            (row.device, row.point): (row.plus * QUARTER / row.seconds, row.minus * QUARTER / row.seconds)
            for row in await connection.execute(wanted)
            if row.seconds > 0
        }

    def _place(self, device: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # the columns of any table
        return {"site": self.site.site, "device": device, **more}


def _old(span: int, turn: int) -> tuple[Any, ...]:
    """Minutes that were marked before this turn. Quarters and hours are marked by nobody but the roller."""
    return (dirty.c.turn != turn,) if span == MINUTE else ()


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
