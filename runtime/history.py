"""The one door for reading what the archive keeps. It only loads the driver of the database it reads."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.messages import Alarm, Plan, Value
from schemas.tables import alarm, plan, telemetry
from schemas.units import Quality

_NUMBER = r"^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$"
_VALUES = TypeAdapter(dict[str, Value])
_QUALITY = TypeAdapter(dict[str, Quality])


@dataclass(frozen=True)
class Counts:
    """How much telemetry is stored. All three are equal when nothing is there twice."""

    rows: int
    samples: int
    """Different (device, epoch, seq): what a bridge calls one sample."""
    instants: int
    """Different (device, at)."""


class History:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sqlite = engine.dialect.name == "sqlite"

    async def means(  # noqa: PLR0917  # where, what, when: they read well in a row
        self, site: str, device: str, point: str, start: datetime, end: datetime, seconds: int
    ) -> list[tuple[datetime, float]]:
        """Means of a point's good numbers over the intervals of the clock (UTC) that have some; `end` is excluded.

        Each with the moment its interval begins. The interval is a whole number of seconds.
        """
        number = self._number(point)
        slot = self._slot(seconds)
        rows = await self._rows(
            select(slot, func.avg(number))
            .where(*_within(telemetry.c, start, end), telemetry.c.site == site, telemetry.c.device == device)
            .group_by(slot)
            .order_by(slot)
        )
        return [
            (datetime.fromtimestamp(int(slot) * seconds, UTC), float(mean)) for slot, mean in rows if mean is not None
        ]

    async def latest(self, site: str) -> dict[str, tuple[datetime, dict[str, Value]]]:
        """The newest sample of each device and when it was measured. What was not good is left out."""
        columns = telemetry.c.device, telemetry.c.at, telemetry.c.points, telemetry.c.quality
        backwards = [column.desc() for column in telemetry.primary_key]
        last = select(*columns).where(telemetry.c.site == site).order_by(*backwards).limit(1)
        found: dict[str, tuple[datetime, dict[str, Value]]] = {}
        async with self.engine.connect() as connection:
            row = (await connection.execute(last)).first()
            while row is not None:  # from the end of one device to the end of the one before: a GROUP BY reads all rows
                found[row.device] = row.at, _good(row.points, row.quality)
                row = (await connection.execute(last.where(telemetry.c.device < row.device))).first()
        return found

    async def plans(self, site: str, start: datetime, end: datetime) -> list[Plan]:
        """All plans made in this span, oldest first."""
        rows = await self._rows(
            select(plan.c.body).where(plan.c.site == site, *_within(plan.c, start, end)).order_by(plan.c.at)
        )
        return [Plan.model_validate_json(body) for (body,) in rows]

    async def alarms(self, site: str, start: datetime, end: datetime) -> list[tuple[str, Alarm]]:
        """The changes of all alarms in this span with their names, oldest first."""
        rows = await self._rows(
            select(alarm.c.alarm, alarm.c.body)
            .where(alarm.c.site == site, *_within(alarm.c, start, end))
            .order_by(alarm.c.at)
        )
        return [(name, Alarm.model_validate_json(body)) for name, body in rows]

    async def counts(self, site: str, since: datetime) -> Counts:
        """How much telemetry was measured since then."""
        asked = telemetry.c.site == site, telemetry.c.at >= since
        samples = select(telemetry.c.device, telemetry.c.epoch, telemetry.c.seq).where(*asked).distinct().subquery()
        instants = select(telemetry.c.device, telemetry.c.at).where(*asked).distinct().subquery()
        numbers = (
            select(func.count()).select_from(telemetry).where(*asked).scalar_subquery(),
            select(func.count()).select_from(samples).scalar_subquery(),
            select(func.count()).select_from(instants).scalar_subquery(),
        )
        (found,) = await self._rows(select(*numbers))
        return Counts(*found)

    async def sequences(self, site: str, epoch: str) -> dict[str, list[tuple[int, int]]]:
        """Which samples of an outbox are stored: for each device the ranges of its seq, first and last included."""
        island = telemetry.c.seq - func.dense_rank().over(
            partition_by=telemetry.c.device, order_by=telemetry.c.seq
        ).label("rank")
        asked = telemetry.c.site == site, telemetry.c.epoch == epoch
        found = select(telemetry.c.device, telemetry.c.seq, island.label("island")).where(*asked).subquery()
        first = func.min(found.c.seq)
        rows = await self._rows(
            select(found.c.device, first, func.max(found.c.seq))
            .group_by(found.c.device, found.c.island)
            .order_by(found.c.device, first)
        )
        stored: dict[str, list[tuple[int, int]]] = {}
        for device, low, high in rows:
            stored.setdefault(device, []).append((low, high))
        return stored

    async def _rows(self, question: Select[Any]) -> list[Any]:
        async with self.engine.connect() as connection:
            return list((await connection.execute(question)).all())

    def _slot(self, seconds: int) -> ColumnElement[int]:
        """The number of the interval since 1970. UNIX_TIMESTAMP would end in 2038, strftime would round up."""
        if self._sqlite:
            whole = func.substr(telemetry.c.at, 1, 19)
            return cast(func.strftime("%s", whole, type_=Integer), Integer).op("/")(literal(seconds))
        since = func.timestampdiff(text("SECOND"), text("'1970-01-01'"), telemetry.c.at, type_=Integer)
        return since.op("DIV")(literal(seconds))

    def _number(self, point: str) -> ColumnElement[float | None]:
        """The value of a point where it is a number and good, else NULL."""
        path = f'$."{point}"'
        value: ColumnElement[float]
        numeric: ColumnElement[bool]
        if self._sqlite:
            value = func.json_extract(telemetry.c.points, path, type_=Double)
            numeric = func.json_type(telemetry.c.points, path).in_(("real", "integer"))
        else:
            # JSON_TYPE(JSON_EXTRACT()) would cost three times as much; a number is what looks like one.
            found = func.json_value(telemetry.c.points, path, type_=String)
            value, numeric = cast(found, Double), found.regexp_match(_NUMBER)
        good = or_(telemetry.c.quality.is_(None), func.json_extract(telemetry.c.quality, path).is_(None))
        return case((and_(numeric, good), value))


def _within(columns: Any, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:  # noqa: ANN401
    return columns.at >= start, columns.at < end


def _good(points: str, quality: str | None) -> dict[str, Value]:
    values = _VALUES.validate_json(points)
    bad = _QUALITY.validate_json(quality) if quality else {}
    return {name: value for name, value in values.items() if name not in bad}
