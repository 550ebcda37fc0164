"""The one door for reading what the archive keeps. It only loads the driver of the database it reads."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime import kept_plans, points, resolution, rollups, stored_counts
from runtime.cancelled import stoppable
from runtime.forecast_quarter import Forecast, measured_powers
from runtime.money_rows import MoneyDay, MoneyQuarter
from runtime.rollups import Bucket
from runtime.stored_counts import Counts, Gap
from schemas.energies import Energy, Source
from schemas.flows import Flows
from schemas.messages import Alarm, Plan, Step, Value
from schemas.tables import alarm, dirty, energy, flow, gap, money, money_day, plan, rollup_15m, telemetry
from schemas.units import Quality

_VALUES = TypeAdapter(dict[str, Value])
_QUALITY = TypeAdapter(dict[str, Quality])


Held = tuple[Plan, list[datetime]]
"""A plan, and the instants at which it held."""


class History:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sqlite = engine.dialect.name == "sqlite"

    # --- curves ------------------------------------------------------------------------------------

    async def series(  # noqa: PLR0917  # where, what, when: they read well in a row
        self, site: str, device: str, point: str, start: datetime, end: datetime, pixels: int = 1000
    ) -> tuple[str, list[Bucket]]:
        """A point's curve at the resolution that fits the pixels it is drawn on, and the name of that: raw, 1m, ..."""
        fits = resolution.fitting(end - start, pixels)
        return fits, await self.buckets(site, device, point, start, end, fits)

    async def buckets(  # noqa: PLR0917  # as above
        self, site: str, device: str, point: str, start: datetime, end: datetime, fits: str
    ) -> list[Bucket]:
        """A point at one resolution; each raw number is an interval of its own."""
        if fits == "raw":
            return [rollups.single(*one) for one in await self.numbers(site, device, point, start, end)]
        asked = rollups.question((site, device, point), start, end, fits, sqlite=self._sqlite)
        return [one for row in await self._rows(asked) if (one := rollups.bucket(row)) is not None]

    async def means(  # noqa: PLR0917  # as above
        self, site: str, device: str, point: str, start: datetime, end: datetime, seconds: int
    ) -> list[tuple[datetime, float]]:
        """Means of a point's good numbers over the intervals of the clock (UTC) that have some; `end` is excluded.

        Each with the moment its interval begins. The interval is a whole number of seconds. Out of rollups where
        these are whole and newer than their telemetry, else out of that: the result is the same.
        """
        place, parts = (site, device, point), list[tuple[int, float, int]]()
        first, last = await self._rolled_up(place, start, end, seconds)
        for one in await self.buckets(*place, first, last, rollups.fitting(seconds)) if first < last else ():
            parts.append((int(one.at.timestamp()) // seconds, one.mean * one.samples, one.samples))
        for begin, until in ((start, min(first, end)), (max(first, last), end)):
            if begin < until:
                parts += await self._rows(points.sums(place, begin, until, seconds, sqlite=self._sqlite))
        found = rollups.means((int(slot), float(total or 0), count) for slot, total, count in parts)
        return [(datetime.fromtimestamp(slot * seconds, UTC), mean) for slot, mean in found.items()]

    async def imports(
        self, site: str, device: str, point: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, float, float, int]]:
        """Of each quarter of an hour that is rolled up: when it begins, what was above zero (Wh, of a power in W), how
        many of its seconds are covered, and the number of readings. Oldest first; `end` is excluded."""
        c = rollup_15m.c
        mine = c.site == site, c.device == device, c.point == point, *_within(c, start, end)
        asked = select(c.at, c.plus, c.seconds, c.samples).where(*mine).order_by(c.at)
        return [tuple(row) for row in await self._rows(asked)]

    async def numbers(
        self, site: str, device: str, point: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, float]]:
        """Every good number of a point as it was measured, oldest first."""
        rows = await self._rows(points.found((site, device, point), start, end, sqlite=self._sqlite))
        read, moment = points.number, datetime.fromisoformat
        return [(moment(at), value) for at, letters in rows if (value := read(letters)) is not None]

    async def values(
        self, site: str, device: str, point: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, Value]]:
        """Every good value of a point, also where it is the name of a state."""
        place, whole = (site, device, point), points.WHOLE
        rows = await self._rows(points.found(place, start, end, sqlite=self._sqlite, letters=whole))
        read, moment = points.value, datetime.fromisoformat
        return [(moment(at), value) for at, letters in rows if (value := read(letters)) is not None]

    async def energies(self, site: str, device: str, start: datetime, end: datetime, point: str = "p") -> list[Energy]:
        """What a device gave and took in each quarter of an hour in which that is known, `end` excluded, by the one
        rule: its counters, else its power. `point`: `p`, or `pv_p` for the PV of a hybrid."""
        c = energy.c
        mine = c.site == site, c.device == device, c.point == point, *_within(c, start, end)
        asked = select(c.at, c.out_wh, c.in_wh, c.source, c.seconds).where(*mine).order_by(c.at)
        return [Energy(at, out, into, Source(source), seen) for at, out, into, source, seen in await self._rows(asked)]

    async def flows(self, site: str, start: datetime, end: datetime) -> list[tuple[datetime, Flows]]:
        """What went from where to where in each quarter of an hour, with the moment it begins."""
        asked = flow.c.site == site, *_within(flow.c, start, end)
        columns = flow.c.at, *(flow.c[name] for name in Flows._fields)
        rows = await self._rows(select(*columns).where(*asked).order_by(flow.c.at))
        return [(at, Flows(*energies)) for at, *energies in rows]

    async def money(self, site: str, start: datetime, end: datetime) -> list[MoneyQuarter]:
        """What each quarter of an hour cost that is priced, oldest first."""
        c = money.c
        asked = select(*(c[name] for name in MoneyQuarter._fields)).where(c.site == site, *_within(c, start, end))
        return [MoneyQuarter(*row) for row in await self._rows(asked.order_by(c.at))]

    async def money_days(self, site: str, start: datetime, end: datetime) -> list[MoneyDay]:
        """The sums of the local days that begin in this span, oldest first."""
        c = money_day.c
        asked = select(*(c[name] for name in MoneyDay._fields)).where(c.site == site, *_within(c, start, end))
        return [MoneyDay(*row) for row in await self._rows(asked.order_by(c.at))]

    # --- now ---------------------------------------------------------------------------------------

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

    # --- what was said -----------------------------------------------------------------------------

    async def plans(self, site: str, start: datetime, end: datetime) -> list[Plan]:
        """All plans made in this span, oldest first; their numbers are rounded (runtime/kept_plans.py)."""
        rows = await self._rows(
            select(plan.c.body, plan.c.packed)
            .where(plan.c.site == site, *_within(plan.c, start, end))
            .order_by(plan.c.at)
        )
        return [kept_plans.read(body, packed) for body, packed in rows]

    async def plans_at(self, site: str, instants: Sequence[datetime], lasts: timedelta) -> AsyncIterator[Held]:
        """The plan that held at each of these instants, or else the first of the `lasts` behind it; oldest first.

        It has those steps alone that tell of its instants and of the `lasts` behind each. Some plans are read at a
        time: a week of them is hundreds of megabytes. An instant without a plan is left out. Raises ValueError when all
        others are given, where one cannot be read.
        """
        if not instants:
            return
        span = instants[0] - LONGEST_PLAN, instants[-1] + lasts
        asked = select(plan.c.at).where(plan.c.site == site, *_within(plan.c, *span)).order_by(plan.c.at)
        made = [at for (at,) in await self._rows(asked)]
        held: dict[datetime, list[datetime]] = {}
        for at in instants:
            number = max(bisect_right(made, at) - 1, 0)
            if number < len(made) and made[number] < at + lasts:
                held.setdefault(made[number], []).append(at)
        times, wrong = list(held), list[ValueError]()
        for first in range(0, len(times), AT_ONCE):
            asked = select(plan.c.at, plan.c.body, plan.c.packed).where(plan.c.site == site)
            some = asked.where(plan.c.at.in_(times[first : first + AT_ONCE]))
            found = {at: (body, packed) for at, body, packed in await self._rows(some)}
            for at in sorted(found):
                try:
                    plan_then = kept_plans.read(*found[at], (held[at][0], held[at][-1] + lasts))
                except ValueError as unreadable:
                    wrong.append(unreadable)
                    continue
                yield plan_then, held[at]
        if wrong:
            raise wrong[0]

    async def forecasts(
        self,
        site: str,
        start: datetime,
        end: datetime,
        *,
        known: datetime | None = None,
        ahead: timedelta = timedelta(),
    ) -> list[Forecast]:
        """What was believed of each quarter of an hour in a span, oldest first; those nobody forecast are missing.

        Out of the newest plan there was at `known`, and at least `ahead` before the quarter began.
        """
        came = dict(await self.flows(site, start, end))
        first, last = rollups.whole(start, end, _QUARTER.seconds)
        by, made, steps, found = first, first, dict[datetime, Step](), list[Forecast]()
        for at in [first + n * _QUARTER for n in range((last - first) // _QUARTER)]:
            moment = min(known or at, at - ahead)
            if moment != by or not steps:
                by, (made, steps) = moment, await self._believed(site, moment)
            if at in steps:
                measured = measured_powers(came[at]) if at in came else (None, None)
                found.append(Forecast(at, made, steps[at].load, steps[at].pv, *measured))
        return found

    async def _believed(self, site: str, by: datetime) -> tuple[datetime, dict[datetime, Step]]:
        """When the newest plan was made that was there at a moment, and its whole quarters."""
        made = select(plan.c.body, plan.c.packed).where(plan.c.site == site, plan.c.at <= by)
        for body, packed in await self._rows(made.order_by(plan.c.at.desc()).limit(1)):
            found = kept_plans.read(body, packed)
            return found.at, {step.at: step for step in found.steps if step.seconds == _QUARTER.seconds}
        return by, {}

    async def alarms(self, site: str, start: datetime, end: datetime) -> list[tuple[str, Alarm]]:
        """The changes of all alarms in this span with their names, oldest first."""
        rows = await self._rows(
            select(alarm.c.alarm, alarm.c.body)
            .where(alarm.c.site == site, *_within(alarm.c, start, end))
            .order_by(alarm.c.at)
        )
        return [(name, Alarm.model_validate_json(body)) for name, body in rows]

    # --- what is there, and what is not ------------------------------------------------------------

    async def gaps(self, site: str, start: datetime, end: datetime) -> list[Gap]:
        """The ledger of what is or was missing, oldest first."""
        c = gap.c
        asked = select(c.device, c.at, c.expected, c.stored, c.cause, c.closed).where(c.site == site)
        return [Gap(*row) for row in await self._rows(asked.where(*_within(c, start, end)).order_by(c.at, c.device))]

    async def completeness(self, site: str, start: datetime, end: datetime) -> dict[str, float | None]:
        """How much of what was expected of each device is stored, from 0 to 1, since `start` or its first sample; None
        where no whole hour is over since then."""
        since = select(telemetry.c.device, func.min(telemetry.c.at)).where(telemetry.c.site == site)
        found = dict(await self._rows(since.group_by(telemetry.c.device)))
        return stored_counts.completeness(found, await self.gaps(site, start, end), start, end)

    async def counts(self, site: str, since: datetime) -> Counts:
        """How much telemetry was measured since then."""
        (found,) = await self._rows(stored_counts.counted(site, since))
        return Counts(*found)

    async def sequences(self, site: str, epoch: str) -> dict[str, list[tuple[int, int]]]:
        """Which samples of an outbox are stored: for each device the ranges of its seq, first and last included."""
        stored: dict[str, list[tuple[int, int]]] = {}
        for device, low, high in await self._rows(stored_counts.ranges(site, epoch)):
            stored.setdefault(device, []).append((low, high))
        return stored

    async def _rolled_up(
        self, place: points.Place, start: datetime, end: datetime, seconds: int
    ) -> tuple[datetime, datetime]:
        """The span that rollups tell: up to the newest, and up to the first that is older than its telemetry."""
        fits = rollups.fitting(seconds)
        if not fits:
            return end, end
        size = resolution.RESOLUTIONS[fits]
        first, last = rollups.whole(start, end, size)
        mine = dirty.c.site == place[0], dirty.c.device == place[1], dirty.c.span <= size
        ((oldest,),) = await self._rows(select(func.min(dirty.c.at)).where(*mine, *_within(dirty.c, first, last)))
        ((newest,),) = await self._rows(rollups.newest(place, first, last, fits))
        if newest is None:
            return end, end
        last = min(last, newest + timedelta(seconds=size))
        return first, min(last, rollups.floor(oldest, size)) if oldest else last

    async def _rows(self, question: Select[Any]) -> list[Any]:
        with stoppable():
            async with self.engine.connect() as connection:
                return list((await connection.execute(question)).all())


AT_ONCE = 50
"""Plans: some 200 kB."""
LONGEST_PLAN = timedelta(days=2)
"""No plan tells of more, so none that is older says anything of an instant."""
_QUARTER = timedelta(minutes=15)


def _within(columns: Any, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:  # noqa: ANN401
    return columns.at >= start, columns.at < end


def _good(points: str, quality: str | None) -> dict[str, Value]:
    values = _VALUES.validate_json(points)
    bad = _QUALITY.validate_json(quality) if quality else {}
    return {name: value for name, value in values.items() if name not in bad}
