"""What a battery of another size would have saved at most: a bound, of a plan that knew the whole month. Pure.

Each calendar month is one linear program, the one that plans live (optimizer/program.py), with load, PV and prices as
they came: nothing better was possible. Who must forecast keeps less of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from optimizer.advice.over_months import Yearly, yearly
from optimizer.bill import cost
from optimizer.demand import period
from optimizer.outlook import Outlook
from optimizer.program import CHARGE, DISCHARGE, Program, Unsolved, build
from optimizer.record import QUARTER, Record
from optimizer.storage import Storage
from optimizer.windows import Charge
from schemas.site_grid import Grid
from schemas.tariff_demand import Demand

Vector = NDArray[np.float64]
MEASURED = 0.9
"""Of a month, or it is left out."""
REACHED = (0.63, 0.98)
"""Of this bound: what plans that must forecast were measured to keep (docs/advice.md)."""
ENOUGH = 3
"""Months of its own that say how much of the bound a site keeps."""
SECONDS = 120.0
"""A month of quarters is solved in some."""


@dataclass(frozen=True)
class Terms:
    """What does not change with the size. Prices per kWh by quarter of the record."""

    buy: Vector
    sell: Vector
    demands: Sequence[Demand]
    grid: Grid
    zone: ZoneInfo


@dataclass(frozen=True)
class Sized:
    """A battery of one size."""

    energy: float
    """Wh"""
    rated: float
    """W"""
    months: list[float]
    """What it saved at most in each, in the tariff's currency, its wear deducted."""
    cycles: float
    """Full cycles a day."""
    parts: Sequence[slice] = ()
    """The quarters of the record that each month is."""

    @property
    def saved(self) -> Yearly | None:
        """A year, at most."""
        return yearly(self.months)


@dataclass(frozen=True)
class Kept:
    """The share of the bound that is kept by who must forecast, from and to."""

    low: float = REACHED[0]
    high: float = REACHED[1]
    months: int = 0
    """Of the site's own ledger; 0: as it was measured at other sites."""

    def band(self, most: Yearly) -> tuple[float, float]:
        """What is to be expected of a year, with the error by which months differ."""
        error = most.error or 0.0
        return self.low * max(0.0, most.amount - error), self.high * (most.amount + error)


def kept(own: Sized, saved: Sequence[float | None]) -> Kept:
    """Of the battery that the site has, by what it really saved in each month of `own`; None is not known. Where that
    is of few months, or none could have saved anything, as it was measured at other sites."""
    shares = [one / most for one, most in zip(saved, own.months, strict=True) if one is not None and most > 0]
    if len(shares) < ENOUGH:
        return Kept()
    return Kept(max(0.0, min(shares)), min(1.0, max(0.0, *shares)), len(shares))


def whole_months(record: Record, zone: ZoneInfo) -> list[slice]:
    """The quarters of the calendar months of which nine tenths are known."""
    known, found = np.isfinite(record.load + record.pv), list[slice]()
    at = period(record.start, zone)[0]
    while at < record.end:
        begin, end = period(at, zone)
        first, last = (int((edge - record.start) / QUARTER) for edge in (begin, end))
        if begin >= record.start and end <= record.end and np.mean(known[first:last]) >= MEASURED:
            found.append(slice(first, last))
        at = end
    return found


def sized(  # what was, what it costs, and the battery: in this order
    record: Record, terms: Terms, battery: Storage, rated: float, begun: Callable[[datetime], object] = id
) -> Sized:
    """`rated` W of its inverter. `begun` is called with the begin of each month, to show how far it is.

    Quarters that are not known are filled with the mean of their time of day in their month. Raises Unsolved.
    """
    saved, given, days = list[float](), 0.0, 0.0
    parts = whole_months(record, terms.zone)
    for part in parts:
        begun(record.start + part.start * QUARTER)
        look = _outlook(record, terms, battery, rated, part)
        power = _best(build(look))
        saved.append(cost(look, np.zeros_like(power)) - cost(look, power))
        given += float(np.maximum(power, 0) @ look.hours)
        days += (part.stop - part.start) * QUARTER / timedelta(days=1)
    return Sized(battery.energy, rated, saved, given / battery.energy / max(days, 1.0), parts)


def _outlook(record: Record, terms: Terms, battery: Storage, rated: float, part: slice) -> Outlook:
    """As `sized` names them."""
    return Outlook(
        starts=[record.start + number * QUARTER for number in range(part.start, part.stop)],
        load=filled(record.load[part]),
        pv=filled(record.pv[part]),
        buy=terms.buy[part],
        sell=terms.sell[part],
        soc=(battery.soc_min + battery.soc_max) / 2,
        battery=battery,
        grid=terms.grid,
        rated=rated,
        zone=terms.zone,
        charges=[Charge(_by_month(one)) for one in terms.demands],
        curtails=True,
    )


def _by_month(one: Demand) -> Demand:
    """A price per kW and year is a twelfth in each month; what a ratchet bills later is left out, and errs on the low
    side."""
    part = 1 / 12 if one.per == "year" else 1.0
    contract = one.contract and one.contract.model_copy(update={"penalty": one.contract.penalty * part})
    change = {"per": "month", "price": one.rate * part, "ratchet": None, "contract": contract, "known": []}
    return one.model_copy(update=change)


def filled(power: Vector) -> Vector:
    """Unknown quarters as the mean of their time of day, else of all."""
    found = power.copy()
    for of_day in range(96):
        mine = found[of_day::96]
        unknown = ~np.isfinite(mine)
        if unknown.any():
            rest = mine[~unknown] if not unknown.all() else power[np.isfinite(power)]
            mine[unknown] = np.mean(rest)
    return found


def _best(program: Program) -> Vector:
    """W by step. Relaxed: where charging and discharging at once pays, the bound is a little too high."""
    found = linprog(  # type: ignore[call-overload]  # as in optimizer/program.py
        program.cost,
        A_ub=program.at_most,
        b_ub=program.most,
        A_eq=program.equal,
        b_eq=program.equal_to,
        bounds=np.column_stack([program.low, program.high]),
        method="highs",
        options={"time_limit": SECONDS},
    )
    if found.x is None or found.status != 0:
        raise Unsolved(f"the linear program of a month: {found.message}")
    return np.asarray(1000 * (program.part(found.x, DISCHARGE) - program.part(found.x, CHARGE)))
