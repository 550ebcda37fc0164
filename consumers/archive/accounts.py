"""Writes what each quarter of an hour cost, beside the archive's hot path.

The roller marks a quarter as unpriced in the transaction that changes its energies. The mark goes when its row is
written; one whose price is not known yet stays, over restarts, too. Each round does a bounded part of what is left.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.evidence import Witness
from consumers.archive.measured import QUARTER, Measured, covered, measured
from consumers.archive.price_list import PriceList, local_day
from consumers.archive.roller import put
from optimizer.actual_against_plan import Split, Why, split
from optimizer.demand_share import Share, quarters_of, shares
from optimizer.money import Cost, Energies, Prices, cost, emitted
from optimizer.storage import together
from optimizer.tariff import Series
from runtime.database import writing
from schemas.site import Site
from schemas.tables import CAUSES, MONEY, money, money_day, rollup_15m, unpriced

LIMIT, TURNS = 192, 2
"""Quarters that are priced in one transaction, and transactions of a round."""
LONGEST = timedelta(hours=1)
"""Of a billing window."""
WITHOUT = tuple(name for name in MONEY if name.endswith("_without"))
SAME = 1e-9
"""Money: a charge that differs by less has not changed."""

Row = dict[str, Any]
Charges = tuple[float, float | None]
"""The demand charge that a quarter bears, with the battery and without it."""


class Accounts:
    """The money of one site. `series`: the market prices by the side of the tariff; it raises Trouble."""

    def __init__(self, engine: AsyncEngine, site: Site, series: Callable[[], Mapping[str, Series]]) -> None:
        self.engine, self.site = engine, site
        self.list = PriceList(site, series)
        self._after: datetime | None = None
        """The last mark that was looked at: those without a price keep no other waiting."""

    async def write(self, now: datetime) -> int:
        """Price what is unpriced; how many rows that made. Raises Trouble where tariff or prices cannot be read."""
        if not self.list.renew(now.timestamp()):
            return 0
        if since := self.list.changed(now):
            await self._mark(since, now)
        made = 0
        for _ in range(TURNS):
            if not (marks := await self._marks(now)):
                break
            made += await self._price(marks)
        return made

    async def _marks(self, now: datetime) -> list[datetime]:
        c = unpriced.c
        wanted = select(c.at).where(c.site == self.site.site, c.at <= now - QUARTER).order_by(c.at).limit(LIMIT)
        if self._after is not None:
            wanted = wanted.where(c.at > self._after)
        async with self.engine.connect() as connection:
            found = list((await connection.execute(wanted)).scalars())
        self._after = found[-1] if found else None
        return found

    async def _mark(self, since: datetime, now: datetime) -> None:
        """Prices have changed: what was priced since then is priced anew."""
        async with writing(self.engine) as connection:
            c = money.c
            mine = select(c.at).where(c.site == self.site.site, c.at >= since, c.at <= now)
            ats = [*(await connection.execute(mine)).scalars()]
            # what has no price any more keeps the one it was booked with
            again = [{"site": self.site.site, "at": at} for at in ats if self.list.at(at) is not None]
            await put(connection, unpriced, again)

    async def _price(self, marks: Sequence[datetime]) -> int:
        async with self.engine.connect() as connection:
            found = await measured(connection, self.site, marks)
            quarters, booked = {at: found.energies(at) for at in marks}, await self._booked(connection, marks)
            known = {at: one for at, (one, _) in booked.items()} | quarters
            drawn, without = await asyncio.to_thread(self._shares, known)
            witness, rows = Witness(connection, self.site), list[Row]()
            for at, energies in quarters.items():
                prices = self.list.at(at)
                paid = None if prices is None else cost(energies, prices, drawn[at], without[at])
                if prices is not None and paid is not None:
                    against = await self._against(witness, found, at, prices, drawn[at])
                    rows.append(self._row(at, energies, paid, against))
        # what came before the window of the first mark bears what it bore: also by the tariff that held then
        after = {at: one for at, (one, _) in booked.items() if at >= min(marks) - LONGEST and at not in quarters}
        charges = {at: _charged(one, drawn[at], without[at]) for at, one in after.items()}
        moved = {at: now for at, now in charges.items() if _differ(now, booked[at][1])}
        gone = [at for at, one in quarters.items() if one.imported is None]
        async with writing(self.engine) as connection:
            await self._keep(connection, rows, gone, moved)
        return len(rows)

    async def _booked(
        self, connection: AsyncConnection, marks: Sequence[datetime]
    ) -> dict[datetime, tuple[Energies, Charges]]:
        """What is priced already of the billing periods that are touched, and the demand charge it bears."""
        spans = {quarters_of(at, self.site.prices.components, self.site.zone) for at in marks}
        c, r, found = money.c, rollup_15m.c, dict[datetime, tuple[Energies, Charges]]()
        columns = c.at, c.imported, c.exported, c.battery, c.drawn, r.seconds, r.samples, c.demand, c.demand_without
        meter = and_(r.site == c.site, r.device == self.site.grid.meter, r.point == "p", r.at == c.at)
        for begin, end in spans:
            asked = select(*columns).where(c.site == self.site.site, c.at >= begin, c.at < end)
            rows = await connection.execute(asked.select_from(money.outerjoin(rollup_15m, meter)))
            for at, imported, exported, battery, drawn, seconds, readings, *charges in rows:
                seen = 900.0 if seconds is None else covered(self.site, at, seconds, readings)
                energies = Energies(imported, exported, battery=battery, drawn=drawn, covered=seen)
                found[at] = energies, (charges[0], charges[1])
        return found

    def _shares(self, known: Mapping[datetime, Energies]) -> tuple[dict[datetime, Share], dict[datetime, Share]]:
        """What each quarter adds to the demand charge, with the battery and without it."""
        components, zone = self.site.prices.components, self.site.zone
        seconds, poll = {at: one.covered for at, one in known.items()}, self.site.named(self.site.grid.meter).poll
        return (
            shares(components, {at: one.drawn for at, one in known.items()}, zone, seconds, poll),
            shares(components, {at: one.drawn_without for at, one in known.items()}, zone, seconds, poll),
        )

    async def _against(  # what was measured, when, and at which price
        self, witness: Witness, found: Measured, at: datetime, prices: Prices, share: Share
    ) -> Split | None:
        planned = await witness.planned(at) if self.site.battery else None
        if planned is None:
            return None
        evidence = await witness.evidence(at, found)
        wear = together(self.site.battery).wear
        return split(found.energies(at), prices, share, planned, evidence, wear_price=wear)

    def _row(self, at: datetime, energies: Energies, paid: Cost, against: Split | None) -> Row:
        intensity, rest = self.list.intensity(at), energies.without
        row: Row = {"site": self.site.site, "at": at, "planned": against.planned if against else None}
        row |= {name: getattr(energies, name) for name in ("imported", "exported", "drawn", "pv", "battery")}
        row |= paid._asdict() | {why.value: against.parts[why] if against else None for why in Why}
        row["carbon"] = None if intensity is None else emitted(energies.imported or 0.0, intensity)
        row["carbon_without"] = None if intensity is None or rest is None else emitted(rest[0], intensity)
        return row

    async def _keep(
        self, connection: AsyncConnection, rows: list[Row], gone: Sequence[datetime], moved: Mapping[datetime, Charges]
    ) -> None:
        """Write the rows, forget those whose meter is not known any more, and put right the charges of others."""
        done = [row["at"] for row in rows]
        await put(connection, money, rows)
        for table, ats in ((unpriced, [*done, *gone]), (money, gone)):
            await connection.execute(delete(table).where(table.c.site == self.site.site, table.c.at.in_(ats)))
        for at, (demand, without) in moved.items():
            mine = money.c.site == self.site.site, money.c.at == at
            await connection.execute(update(money).where(*mine).values(demand=demand, demand_without=without))
        # why they came otherwise than planned is worked out anew, too
        await put(connection, unpriced, [{"site": self.site.site, "at": at} for at in moved])
        for begin, end, day in sorted({local_day(at, self.site.zone) for at in (*done, *gone, *moved)}):
            await self._day(connection, begin, end, day)

    async def _day(self, connection: AsyncConnection, begin: datetime, end: datetime, day: str) -> None:
        """The sums of a local day, made anew from its quarters."""
        c = money.c
        mine = c.site == self.site.site, c.at >= begin, c.at < end
        load = c.imported - c.exported + c.pv + c.battery
        saved = c.energy_without + c.demand_without - c.energy - c.demand - c.wear
        counts = {"quarters": c.at, "compared": saved, "planned_quarters": c.planned, "loads": load, "suns": c.pv}
        sums: Row = {name: c[name] for name in ("imported", "exported", "pv", *MONEY, "planned", *CAUSES)}
        # beside a silent battery nothing is compared: with it and without are the same there, or the sums would differ
        sums |= {name: func.coalesce(c[name], c[name.removesuffix("_without")]) for name in WITHOUT}
        counts |= {f"known_{name}": c[name] for name in WITHOUT}
        asked = select(
            *(func.count(what).label(name) for name, what in counts.items()),
            *(func.sum(what).label(name) for name, what in (sums | {"load": load, "saved": saved}).items()),
        ).where(*mine)
        row = dict((await connection.execute(asked)).mappings().one())
        await connection.execute(delete(money_day).where(money_day.c.site == self.site.site, money_day.c.at == begin))
        loads, suns = row.pop("loads"), row.pop("suns")
        row |= {name: row[name] if row.pop(f"known_{name}") else None for name in WITHOUT}
        if not row["quarters"]:
            return
        row["load"] = row["load"] if loads == row["quarters"] else None  # a share of a part would be no share
        row["pv"] = row["pv"] if suns == row["quarters"] else None
        place = {"site": self.site.site, "at": begin, "day": day, "currency": self.site.prices.currency}
        await put(connection, money_day, [place | row])


def _charged(energies: Energies, drawn: Share, without: Share) -> Charges:
    """The demand charge of a quarter, with the battery and without it."""
    rest = None if energies.without is None else without.at(energies.drawn_without or 0.0)
    return drawn.at(energies.drawn or 0.0), rest


def _differ(one: Charges, other: Charges) -> bool:
    if one[1] is None or other[1] is None:
        return abs(one[0] - other[0]) > SAME or one[1] is not other[1]
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) > SAME
