"""`joulebus money`: the bill of a month line by line, beside what the ledger has booked, and how much is known."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from consumers.archive.money.price_list import PriceList
from joulebus.market_prices import MarketPrices
from joulebus.reach import within_reach
from optimizer.billing import Quarter, believed, quarter
from optimizer.demand import later, period
from optimizer.invoice import Interval, Line, invoice, total
from optimizer.site_billing import SiteBilling
from optimizer.tariff import Series
from runtime.history import History
from runtime.prices_told import PricesTold
from runtime.settings import Settings
from schemas.site import Site
from schemas.troubles import Trouble, Usage

QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
REACTIVE = "q"
"""The point of the meter, in var."""


class Bill(NamedTuple):
    """Of a month."""

    month: str
    currency: str
    lines: list[Line]
    energy: float
    demand: float
    """What the ledger has booked."""
    quarters: int
    """That are over."""
    billed: int
    """Of which the bill is: their energy and price are known."""
    booked: int
    """That are in the ledger."""
    seen: Mapping[str, float]
    """By the name of a demand: how many of its windows were seen well enough, from 0 to 1."""


def month_of(given: str, site: Site) -> datetime:
    """Where a month such as 2026-06 begins. Raises Trouble."""
    try:
        found = datetime.strptime(given, "%Y-%m").replace(tzinfo=site.zone)
    except ValueError:
        raise Usage(f"--month {given}: write a month such as 2026-06") from None
    within_reach(found, "--month", given)
    return found.astimezone(UTC)


def lately(now: datetime, site: Site) -> list[datetime]:
    """Where the last and the current month begin."""
    begin = period(now, site.zone)[0].astimezone(site.zone)
    return [later(begin, -1).astimezone(UTC), begin.astimezone(UTC)]


class Bills:
    """Of a site whose tariff can be read. `series`: the market's prices by their place in the tariff."""

    def __init__(self, history: History, site: Site, series: Callable[[], Mapping[str, Series]]) -> None:
        self.history, self.site = history, site
        self.prices = PriceList(site, series)

    async def of(self, begin: datetime, now: datetime) -> Bill:
        """Up to the last quarter that is over. Raises Trouble where tariff or prices cannot be read."""
        site, end = self.site, min(period(begin, self.site.zone)[1], now - (now - begin) % QUARTER)
        if not self.prices.renew(now.timestamp()):
            raise Trouble(f"{site.tariff_path} was changed this moment, or cannot be read: {site.tariff_fault}")
        intervals = [one for one in await self.intervals(begin, end) if self.prices.at(one.at) is not None]
        billing = await self._billing(end)
        made = {one.name: billing.made(one.name, end) for one in billing.components}
        booked = await self.history.money(site.site, begin, end)
        months = {one.name: billing.months(one, end).get(begin) for one in billing.components}
        lines = invoice(site.prices, intervals, made, site.zone, self.prices.series, (begin, end))
        return Bill(
            month=f"{begin.astimezone(site.zone):%Y-%m}",
            currency=site.prices.currency,
            lines=lines,
            energy=sum(one.energy for one in booked),
            demand=sum(one.demand for one in booked),
            quarters=(end - begin) // QUARTER,
            billed=len(intervals),
            booked=len(booked),
            seen={name: one.share for name, one in months.items() if one is not None},
        )

    async def intervals(self, begin: datetime, end: datetime) -> list[Interval]:
        """Those whose energy is known."""
        meter = self.site.grid.meter
        through = await self.history.energies(self.site.site, meter, begin, end)
        reactive = dict[datetime, float]()
        if self.site.prices.reactive:
            for one in await self.history.buckets(self.site.site, meter, REACTIVE, begin, end, "15m"):
                reactive[one.at] = (one.plus + one.minus) * QUARTER.total_seconds() / max(one.seconds, 1.0)
        return [Interval(one.at, one.out, one.into, reactive.get(one.at)) for one in through]

    async def _billing(self, end: datetime) -> SiteBilling:
        """As `site/billing` tells it at an instant."""
        poll = self.site.named(self.site.grid.meter).poll
        billing = SiteBilling(self.site.zone, poll).of(self.site.prices)
        since = billing.recent(end)
        rows = await self.history.imports(self.site.site, self.site.grid.meter, "p", billing.oldest(end), end)
        quarters: Sequence[Quarter] = believed(quarter(*row, poll) for row in rows)
        older = await asyncio.to_thread(billing.before, quarters, since, end)
        return billing.archived(older, since).lately([one for one in quarters if one.at >= since], end)


async def bills(
    history: History, settings: Settings, site: Site, begins: Sequence[datetime], now: datetime
) -> list[Bill]:
    """Of some months. Raises Trouble where tariff or prices cannot be read."""
    told, market = PricesTold(history.engine, site.site), MarketPrices(settings)
    await told.read(now)
    each = Bills(history, site, lambda: market.of(site, told.news()))
    return [await each.of(begin, now) for begin in begins]


def facts(one: Bill) -> dict[str, Any]:
    """As JSON has it."""
    return one._asdict() | {"lines": [line._asdict() for line in one.lines], "total": total(one.lines)}


def words(one: Bill) -> list[str]:
    """For people."""
    if not one.billed:
        return [f"bill of {one.month}: nothing is known of its energy and prices"]
    said = [f"bill of {one.month}, in {one.currency}", f"{'':<28}{'quantity':>14}{'':<7}{'price':>12}{'amount':>14}"]
    said += [_line(each) for each in one.lines]
    paid = total(each for each in one.lines if each.unit == "kWh")
    drawn = total(each for each in one.lines if each.unit == "kW")
    said.append(f"{'total':<28}{'':>14}{'':<7}{'':>12}{total(one.lines):>14.2f}")
    said.append(f"booked by the quarter: energy {one.energy:.2f} of {paid:.2f}, demand {one.demand:.2f} of {drawn:.2f}")
    if one.billed < one.quarters or one.booked < one.quarters:
        said.append(
            f"known of {one.quarters} quarters of an hour: {one.billed} by the bill, {one.booked} by the ledger"
        )
    said += [f"{name}: {share:.1%} of its windows were seen" for name, share in one.seen.items() if share < 1]
    return said


def _line(one: Line) -> str:
    quantity = "not known" if one.quantity is None else f"{one.quantity:.2f}"
    price = "" if one.price is None else f"{one.price:.4f}"
    amount = "not known" if one.amount is None else f"{one.amount:.2f}"
    return f"{one.name:<28}{quantity:>14} {one.unit:<6}{price:>12}{amount:>14}"
