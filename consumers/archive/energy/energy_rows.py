"""Writes the energies of quarters by the rule of energies.py, of the rollups that are stored.

What a counter gained lies between two rows of it, however far apart: so with a quarter all are made anew from the last
one before it that the counter told, to the next one after it. The order in which quarters come cannot matter.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.energy import circuits
from consumers.archive.energy.circuits import Circuit
from consumers.archive.energy.energies import LONGEST, QUARTER, Power, Told, energies, measured, remembered
from schemas.site import Site
from schemas.tables import energy, rollup_1m, rollup_15m

WEEK, _QUARTER = timedelta(weeks=1), timedelta(seconds=QUARTER)
SECONDS = 5
"""Of a minute's numbers the first of seconds, plus and minus: see rollup_1m."""


class EnergyRows:
    """The energies of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site.site
        self.circuits = circuits.of_site(site)
        self.until = datetime.max.replace(tzinfo=UTC)
        """Now. What is later was told by a clock that was ahead, and says nothing of the time until then."""

    async def make(self, connection: AsyncConnection, device: str, first: datetime, last: datetime) -> list[datetime]:
        """Of the quarters that begin from `first` to `last`; the beginnings of all that may have changed."""
        changed = set[datetime]()
        for circuit in self.circuits.get(device, ()):
            changed |= await self._circuit(connection, device, circuit, first, last)
        return sorted(changed)

    async def _circuit(
        self, connection: AsyncConnection, device: str, circuit: Circuit, first: datetime, last: datetime
    ) -> set[datetime]:
        counters = [one for one in (circuit.out, circuit.into) if one]
        near = [await self._reach(connection, device, one, first, last) for one in counters]
        first = min((before for before, _ in near if before), default=first)
        last = max((after for _, after in near if after), default=last)
        told = await self._told(connection, device, circuit, first, last)
        found = energies(told, circuit.most, one_way=circuit.one_way, step=circuit.step)
        c = energy.c
        mine = c.site == self.site, c.device == device, c.point == circuit.point, c.at >= first, c.at <= last
        known = set((await connection.execute(select(c.at).where(*mine))).scalars())
        await connection.execute(delete(energy).where(*mine))
        given = {at: one for number, one in found.items() if first <= (at := _at(number)) <= last}
        place = {"site": self.site, "device": device, "point": circuit.point}
        rows = [
            place | {"at": at, "out_wh": one.out, "in_wh": one.into, "source": one.source.value, "seconds": one.seconds}
            for at, one in given.items()
        ]
        if rows:
            await connection.execute(insert(energy), rows)
        return known | given.keys()

    async def _around(
        self, connection: AsyncConnection, device: str, point: str, first: datetime, last: datetime
    ) -> tuple[datetime | None, datetime | None]:
        """The quarters before and after a span that a counter told last and next, as far as it is followed."""
        asked, c, far = self._of(device, point), rollup_15m.c, LONGEST * timedelta(seconds=QUARTER)
        before = asked.with_only_columns(func.max(c.at)).where(c.at < first, c.at >= first - far)
        after = asked.with_only_columns(func.min(c.at)).where(c.at > last, c.at <= last + far)
        return (await connection.execute(before)).scalar(), (await connection.execute(after)).scalar()

    async def _reach(
        self, connection: AsyncConnection, device: str, point: str, first: datetime, last: datetime
    ) -> tuple[datetime | None, datetime | None]:
        """The same, as far as a change of the span reaches: where a counter ended long ago, no farther than itself."""
        before, after = await self._around(connection, device, point, first, last)
        c = rollup_15m.c
        inside = self._of(device, point).where(c.at >= first, c.at <= last).limit(1)
        if after is None and (await connection.execute(inside)).first() is None:
            return None, None
        return before, after

    def _of(self, device: str, point: str) -> Select[Any]:
        c = rollup_15m.c
        return select(c.at, c.last, c.seconds, c.plus, c.minus).where(
            c.site == self.site, c.device == device, c.point == point, c.at <= self.until
        )

    async def _told(
        self, connection: AsyncConnection, device: str, circuit: Circuit, first: datetime, last: datetime
    ) -> dict[int, Told]:
        """What a device told of a span, and its counters of the quarters before and after that, too."""
        lasts: dict[str, dict[int, float]] = {"": {}}
        seconds: dict[int, float] = {}
        for counter in filter(None, (circuit.out, circuit.into)):
            around = [one for one in await self._around(connection, device, counter, first, last) if one]
            c = rollup_15m.c
            asked = self._of(device, counter).where(c.at >= min([*around, first]), c.at <= max([*around, last]))
            rows = (await connection.execute(asked)).all()
            lasts[counter] = {_number(row.at): row.last for row in rows}
            seconds |= {_number(row.at): row.seconds for row in rows}
        powers = await self._powers(connection, device, circuit.powers, first, last)
        seconds |= {number: seen for number, (_, seen) in powers.items()}
        return {
            number: Told(
                powers[number][0] if number in powers else None,
                lasts[circuit.out].get(number),
                lasts[circuit.into].get(number),
                seen,
            )
            for number, seen in seconds.items()
        }

    async def _powers(
        self, connection: AsyncConnection, device: str, points: tuple[str, ...], first: datetime, last: datetime
    ) -> dict[int, tuple[Power | None, float]]:
        """The sum of some powers in each quarter that has all of them, and how much of it was seen."""
        minutes, c = dict[tuple[str, int], Power | None](), rollup_15m.c
        for start in _weeks(first, last):  # a year of minutes at once is a gigabyte
            minutes |= await self._minutes(connection, device, points, start, min(start + WEEK, last + _QUARTER))
        found: dict[int, tuple[Power | None, float]] = {}
        for place, point in enumerate(points):
            asked = self._of(device, point).where(c.at >= first, c.at <= last)
            each: dict[int, tuple[Power | None, float]] = {}
            for row in await connection.execute(asked):
                number = _number(row.at)
                kept = (point, number) in minutes
                power = minutes[point, number] if kept else remembered((row.plus, row.minus, row.seconds))
                each[number] = power, row.seconds
            found = each if place == 0 else {n: _sum(found[n], each[n]) for n in found.keys() & each.keys()}
        return found

    async def _minutes(
        self, connection: AsyncConnection, device: str, points: Iterable[str], start: datetime, end: datetime
    ) -> Mapping[tuple[str, int], Power | None]:
        """The power of each point and quarter of a span whose minutes are kept."""
        c, found = rollup_1m.c, dict[tuple[str, int], list[tuple[int, tuple[float, float, float]]]]()
        mine = c.site == self.site, c.device == device, c.at >= start, c.at < end
        for at, words in await connection.execute(select(c.at, c.points).where(*mine).order_by(c.at)):
            numbers, second = from_json(words), int(at.timestamp())
            for point in points:
                if point in numbers:
                    seconds, plus, minus = numbers[point][SECONDS:]
                    place = point, second // QUARTER
                    found.setdefault(place, []).append((second % QUARTER, (plus, minus, seconds)))
        return {place: measured(parts) for place, parts in found.items()}


def _weeks(first: datetime, last: datetime) -> Iterator[datetime]:
    """The beginnings of the weeks of a span, which begin with it."""
    while first <= last:
        yield first
        first += WEEK


def _sum(one: tuple[Power | None, float], other: tuple[Power | None, float]) -> tuple[Power | None, float]:
    seconds = min(one[1], other[1])
    if one[0] is None or other[0] is None:
        return None, seconds
    return Power(one[0].out + other[0].out, one[0].into + other[0].into, seconds), seconds


def _number(at: datetime) -> int:
    return int(at.timestamp()) // QUARTER


def _at(number: int) -> datetime:
    return datetime.fromtimestamp(number * QUARTER, UTC)
