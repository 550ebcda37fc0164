"""`joulebus advice`: what the archive says a site could save, and how sure that is."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np

from joulebus.advice_words import Advice, facts, words
from joulebus.archive_read import reading
from joulebus.bill import Bills
from joulebus.market_prices import MarketPrices
from optimizer.advice.base_load import base_load
from optimizer.advice.peak_drivers import Drivers, drivers
from optimizer.advice.power_factor import power_factor
from optimizer.advice.sizing import MEASURED, Kept, Sized, Terms, kept, sized, whole_months
from optimizer.advice.tariffs import Billed, Compared, compare
from optimizer.billing import believed, is_billed, quarter, windows
from optimizer.charge import Made
from optimizer.demand import later, period
from optimizer.program import Unsolved
from optimizer.record import QUARTER, Record
from optimizer.storage import Storage, together
from runtime.history import History
from runtime.settings import Settings
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now

MULTIPLES = (0.5, 1.0, 2.0)
"""Of the energy of the site's batteries."""
SAME = 0.01
"""Of the energy: so near a size is the site's own."""
RATE = 0.5
"""W per Wh, of a site without a battery: a full one lasts two hours."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    months: int
    """Back, with this one."""
    tariff: Path | None = None
    """To compare with."""
    sizes: Sequence[float] = ()
    """kWh; some multiples of the site's own where none is given."""
    as_json: bool = False


async def advise(settings: Settings, site: Site, wanted: Wanted, progress: TextIO) -> int:
    """Print it; 1 when nothing is known. Raises Trouble."""
    now = utc_now()
    end = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % QUARTER
    first = period(now, site.zone)[0].astimezone(site.zone)
    begins = [later(first, -back).astimezone(UTC) for back in reversed(range(wanted.months))]
    async with reading(settings.database, site.site) as database:
        asked = _Asked(History(database), settings, site, begins, end)
        found = await asked.advice(wanted, progress)
    print(json.dumps(facts(found)) if wanted.as_json else "\n".join(words(found)))
    return int(found.base is None and not found.drivers)


@dataclass(frozen=True)
class _Asked:
    history: History
    settings: Settings
    site: Site
    begins: list[datetime]
    """Of the months."""
    end: datetime

    async def advice(self, wanted: Wanted, progress: TextIO) -> Advice:
        site, missing = self.site, list[str]()
        record = await self._record()
        found = Advice(site, self.begins[0], self.end, base=base_load(record, site.zone), missing=missing)
        if found.base is None:
            missing.append("base load: no day of which the load was measured for four fifths")
        if site.tariff_fault:
            missing.append(f"all that is paid for: {site.tariff_fault}")
            return found
        bills = self._bills(site)
        billed = [await self._billed(bills, begin) for begin in self.begins]
        found = replace(found, drivers=await self._drivers(missing), price=_price(billed))
        if site.prices.reactive:
            intervals = await bills.intervals(self.begins[0], self.end)
            found = replace(found, factor=power_factor(site.prices.reactive, intervals, site.zone))
            missing += [] if found.factor else ["power factor: the meter told no reactive power"]
        else:
            missing.append("power factor: the tariff has no price for reactive energy")
        if wanted.tariff is not None:
            found = replace(found, compared=await self._compared(billed, wanted.tariff))
        sizes = await self._sized(record, bills, wanted, missing, progress)
        return replace(found, sized=sizes, kept=await self._kept(record.start, sizes))

    def _bills(self, site: Site) -> Bills:
        market = MarketPrices(self.settings)
        return Bills(self.history, site, lambda: market.of(site))

    async def _record(self) -> Record:
        number = (self.end - self.begins[0]) // QUARTER
        load, pv = np.full(number, np.nan), np.full(number, np.nan)
        for at, one in await self.history.flows(self.site.site, self.begins[0], self.end):
            place = (at - self.begins[0]) // QUARTER
            load[place] = 4 * (one.pv_load + one.grid_load + one.battery_load)
            pv[place] = 4 * (one.pv_load + one.pv_battery + one.pv_grid)
        return Record(self.begins[0], load, pv)

    async def _drivers(self, missing: list[str]) -> list[Drivers]:
        """Of each demand of the tariff whose windows were seen."""
        meter, zone = self.site.grid.meter, self.site.zone
        poll = self.site.named(meter).poll
        rows = await self.history.imports(self.site.site, meter, "p", self.begins[0], self.end)
        quarters = believed(quarter(*row, poll) for row in rows)
        found = list[Drivers]()
        for one in self.site.prices.components:
            seen = windows(quarters, one, zone).values()
            made = [Made(each.start, each.mean) for each in seen if is_billed(each, one, poll, zone)]
            if made:
                found.append(drivers(one, made, zone))
            else:
                missing.append(f"peaks of {one.name}: none of its windows was seen well enough to be billed")
        return found

    async def _compared(self, now: Sequence[Billed], tariff: Path) -> list[Compared]:
        bills = self._bills(_with(self.site, tariff))
        other = [await self._billed(bills, begin) for begin in self.begins]
        return [one for one in compare(now, other) if one.known]

    async def _billed(self, bills: Bills, begin: datetime) -> Billed:
        one = await bills.of(begin, self.end)
        return Billed(one.month, one.lines, one.quarters, one.billed, period(begin, self.site.zone)[1] <= self.end)

    async def _sized(
        self, record: Record, bills: Bills, wanted: Wanted, missing: list[str], progress: TextIO
    ) -> list[Sized]:
        batteries = self._sizes(wanted.sizes)
        quotes = [bills.prices.at(record.start + number * QUARTER) for number in range(len(record))]
        buy, sell = (np.array([np.nan if one is None else one[side] for one in quotes], float) for side in (0, 1))
        priced = np.isfinite(buy + sell)
        # a quarter without a price is one that is not known: its month is left out where there are many
        record = Record(record.start, np.where(priced, record.load, np.nan), np.where(priced, record.pv, np.nan))
        months = whole_months(record, self.site.zone)
        if not batteries or not months:
            why = "no whole month of which nine tenths were measured and priced" if batteries else "give --size in kWh"
            missing.append(f"battery size: {why}")
            return []
        mean_buy, mean_sell = float(np.nanmean(buy)), float(np.nanmean(sell))
        terms = Terms(
            np.where(priced, buy, mean_buy), np.where(priced, sell, mean_sell), self.site.prices.components,
            self.site.grid, self.site.zone,
        )  # fmt: skip
        found = list[Sized]()
        for battery, rated in batteries:
            try:
                said = _saying(progress, battery.energy, self.site)
                found.append(await asyncio.to_thread(sized, record, terms, battery, rated, said))
            except Unsolved as wrong:
                missing.append(f"battery of {battery.energy / 1000:g} kWh: {wrong}")
        return found

    async def _kept(self, start: datetime, sizes: Sequence[Sized]) -> Kept:
        """By the ledger, where the site's own battery is among the sizes. A price per year and a ratchet have no share
        of a month that could be compared."""
        energy = together(self.site.battery).energy if self.site.battery else 0.0
        own = next((one for one in sizes if abs(one.energy - energy) < SAME * energy), None)
        if own is None or any(one.per == "year" or one.ratchet for one in self.site.prices.components):
            return Kept()
        saved = list[float | None]()
        for part in own.parts:
            begin, end = (start + number * QUARTER for number in (part.start, part.stop))
            each = [one.saved for one in await self.history.money(self.site.site, begin, end)]
            known = [one for one in each if one is not None]
            saved.append(sum(known) if len(known) >= MEASURED * (part.stop - part.start) else None)
        return kept(own, saved)

    def _sizes(self, given: Sequence[float]) -> list[tuple[Storage, float]]:
        """With W of the inverter: as much for a kWh as the site's batteries have."""
        own = together(self.site.battery) if self.site.battery else None
        rate = (self.site.rated_power / own.energy if own else 0.0) or RATE
        energies = [1000 * one for one in given] or ([one * own.energy for one in MULTIPLES] if own else [])
        return [(replace(own or Storage(energy), energy=energy), rate * energy) for energy in energies]


def _price(billed: Sequence[Billed]) -> float | None:
    """Mean per kWh that was drawn."""
    lines = [line for one in billed for line in one.lines if line.name == "import"]
    drawn = sum(line.quantity or 0.0 for line in lines)
    return sum(line.amount or 0.0 for line in lines) / drawn if drawn else None


def _with(site: Site, tariff: Path) -> Site:
    """The same site with another tariff. Raises Trouble where that cannot be compared."""
    other = site.model_copy(update={"tariff": str(tariff.absolute())})
    other.forget_prices()
    if other.tariff_fault:
        raise Trouble(f"--tariff: {other.tariff_fault}")
    theirs, ours = other.prices.currency, site.prices.currency
    if theirs != ours:
        raise Trouble(f"--tariff: {tariff} is in {theirs}, the site's tariff in {ours}; give both in one currency")
    return other


def _saying(progress: TextIO, energy: float, site: Site) -> Callable[[datetime], object]:
    """Where somebody looks: which month of which size is worked out."""

    def say(begin: datetime) -> None:
        if progress.isatty():
            print(f"\r{energy / 1000:g} kWh, {begin.astimezone(site.zone):%Y-%m}", end="", file=progress, flush=True)

    return say
