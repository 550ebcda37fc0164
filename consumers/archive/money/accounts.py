"""Writes what each quarter of an hour cost, beside the archive's hot path.

The roller marks a quarter as unpriced in the transaction that changes its energies. The mark goes when its row is
written; one whose price is not known yet stays, over restarts, too. Each round does a bounded part of what is left.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.money.evidence import Witness
from consumers.archive.money.measured import QUARTER, Measured, measured, metered_quarters
from consumers.archive.money.price_list import PriceList, local_day
from consumers.archive.roller import put
from optimizer.actual_against_plan import Split, Why, split
from optimizer.billing import Quarter
from optimizer.demand_share import Metered, Share, quarters_of, shares
from optimizer.money import Cost, Energies, Prices, cost, emitted
from optimizer.storage import together
from optimizer.tariff import Series
from runtime.database import writing
from schemas.site import Site
from schemas.tables import CAUSES, MONEY, money, money_day, unpriced
from schemas.tariff import Tariff

LIMIT, TURNS = 192, 2
"""Quarters that are priced in one transaction, and transactions of a round."""
LONGEST = timedelta(hours=1)
"""A billing window, which may slide out of its period."""
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
        self.behind = False
        """More wait than the last round has looked at."""

    async def write(self, now: datetime) -> int:
        """Price what is unpriced; how many rows that made. Raises Trouble where tariff or prices cannot be read."""
        self.behind = False
        if not self.list.renew(now.timestamp()):
            return 0
        if since := self.list.changed(now):
            await self._mark(since, now)
        made = 0
        for _ in range(TURNS):
            if not (marks := await self._marks(now)):
                break
            for tariff in dict.fromkeys(id(self.list.tariff(at)) for at in marks):
                made += await self._price([at for at in marks if id(self.list.tariff(at)) == tariff], now)
        return made

    async def _marks(self, now: datetime) -> list[datetime]:
        c = unpriced.c
        wanted = select(c.at).where(c.site == self.site.site, c.at <= now - QUARTER).order_by(c.at).limit(LIMIT)
        if self._after is not None:
            wanted = wanted.where(c.at > self._after)
        async with self.engine.connect() as connection:
            found = list((await connection.execute(wanted)).scalars())
        self._after = found[-1] if found else None
        self.behind = len(found) == LIMIT
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

    async def _price(self, marks: Sequence[datetime], now: datetime) -> int:
        """Quarters in which one tariff held."""
        tariff = self.list.tariff(marks[0])
        async with self.engine.connect() as connection:
            found = await measured(connection, self.site, marks)
            quarters = {at: found.energies(at) for at in marks}
            gone = [at for at, one in quarters.items() if one.imported is None]
            prices = {at: one for at in quarters if at not in gone and (one := self.list.at(at)) is not None}
            spans = await self._spans(connection, marks, tariff)
            booked = await self._booked(connection, spans)
            known = {at: quarters.get(at, one) for at, (one, _) in booked.items() if at not in gone}
            known |= {at: quarters[at] for at in prices}
            seen = await self._seen(connection, spans, {*known, *gone}) if tariff.components else {}
            drawn, without = await asyncio.to_thread(self._shares, tariff, known, seen, now)
            witness, rows = Witness(connection, self.site), list[Row]()
            for at, price in prices.items():
                if (paid := cost(quarters[at], price, drawn[at], without[at])) is not None:
                    against = await self._against(witness, found, at, price, drawn[at])
                    rows.append(self._row(at, quarters[at], paid, against))
        # what came before the windows of the first mark bears what it bore: also by the tariff that held then
        after = [at for at in booked if at >= min(marks) - LONGEST and at in known and at not in prices]
        others = [at for at in after if self.list.tariff(at) is tariff]
        charges = {at: _charged(known[at], drawn[at], without[at]) for at in others}
        moved = {at: now for at, now in charges.items() if _differ(now, booked[at][1])}
        async with writing(self.engine) as connection:
            await self._keep(connection, rows, gone, moved)
        return len(rows)

    async def _spans(
        self, connection: AsyncConnection, marks: Sequence[datetime], tariff: Tariff
    ) -> set[tuple[datetime, datetime]]:
        """Of the billing periods that are touched; with the one before, where the last row of that closes it now."""
        last = select(func.max(money.c.at)).where(money.c.site == self.site.site, money.c.at < min(marks))
        before = (await connection.execute(last)).scalar()
        ats = [*marks, *([before] if before is not None else [])]
        return {quarters_of(at, tariff.components, self.site.zone) for at in ats}

    async def _booked(
        self, connection: AsyncConnection, spans: Collection[tuple[datetime, datetime]]
    ) -> dict[datetime, tuple[Energies, Charges]]:
        """What is priced already in some spans, and the demand charge it bears."""
        c, found = money.c, dict[datetime, tuple[Energies, Charges]]()
        columns = c.at, c.imported, c.exported, c.battery, c.drawn, c.demand, c.demand_without
        for begin, end in spans:
            asked = select(*columns).where(c.site == self.site.site, c.at >= begin, c.at < end)
            for at, imported, exported, battery, drawn, *charges in await connection.execute(asked):
                found[at] = Energies(imported, exported, battery=battery, drawn=drawn), (charges[0], charges[1])
        return found

    async def _seen(
        self, connection: AsyncConnection, spans: Collection[tuple[datetime, datetime]], counted: Collection[datetime]
    ) -> dict[datetime, Quarter]:
        """What makes billed peaks in some spans; those that still wait for their turn or price are left out."""
        longer = [(begin, end + LONGEST) for begin, end in spans]
        c, waiting = unpriced.c, set[datetime]()
        for begin, end in longer:
            asked = select(c.at).where(c.site == self.site.site, c.at >= begin, c.at < end)
            waiting |= set((await connection.execute(asked)).scalars())
        found = await metered_quarters(connection, self.site, longer)
        return {at: one for at, one in found.items() if at in counted or at not in waiting}

    def _shares(
        self, tariff: Tariff, known: Mapping[datetime, Energies], seen: Mapping[datetime, Quarter], now: datetime
    ) -> tuple[dict[datetime, Share], dict[datetime, Share]]:
        """What each quarter adds to the demand charge, with the battery and without it."""
        poll = self.site.named(self.site.grid.meter).poll
        metered = Metered(tariff.components, poll, self.site.zone)
        rested = {
            at: seen[at]._replace(imported=one.drawn_without * seen[at].seconds / QUARTER.total_seconds())
            for at, one in known.items()
            if at in seen and one.drawn_without is not None
        }
        return shares(metered, seen, known, now), shares(metered, rested, known, now)

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
