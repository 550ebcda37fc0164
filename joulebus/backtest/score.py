"""What a year cost: the tariff's own bill over what the grid carried, and the wear of the battery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import fsum

import numpy as np

from joulebus.backtest.lived import Flow, Lived
from joulebus.backtest.site import Terms
from optimizer import billing
from optimizer.billing import Quarter
from optimizer.charge import Made
from optimizer.demand import counts, period
from optimizer.invoice import Interval, Line, invoice
from optimizer.record import QUARTER, Vector
from schemas.tariff_demand import Demand

HOUR = 0.25
"""Hours of a quarter."""
NO_WINDOWS: Mapping[str, Sequence[Made]] = {}


@dataclass(frozen=True)
class Played:
    """The quarters that are scored: W and prices per kWh, without gaps."""

    start: datetime
    load: Vector
    pv: Vector
    buy: Vector
    sell: Vector
    lived: Lived | None = None
    """What was measured while a battery worked."""

    def __len__(self) -> int:
        return len(self.load)

    @property
    def net(self) -> Vector:
        """W that the grid carries while the battery rests."""
        return self.load - self.pv

    @property
    def instants(self) -> list[datetime]:
        return [self.start + i * QUARTER for i in range(len(self))]

    @property
    def end(self) -> datetime:
        return self.start + len(self) * QUARTER


@dataclass(frozen=True)
class Money:
    """In the tariff's currency."""

    energy: float
    demand: float
    other: float
    """What is paid for being connected, and for reactive energy."""
    wear: float
    stored: float
    """What the energy beyond that of the start is worth; negative where there is less."""
    months: tuple[tuple[str, float], ...]
    """The bill of each local month."""

    @property
    def total(self) -> float:
        return self.paid - self.stored

    @property
    def paid(self) -> float:
        """The bill and the wear: what the archive's ledger counts, which lets stored energy stand beside it."""
        return self.energy + self.demand + self.other + self.wear


def flow(terms: Terms, played: Played, i: int, battery: float) -> Flow:
    """Through the grid in a quarter, with the battery at a power in W: PV that may not be fed in gives way where it
    can."""
    found = None if played.lived is None else played.lived.flow(i, battery)
    if found is None:
        grid = float(played.load[i] - played.pv[i]) - battery
        found = Flow(max(grid, 0.0), max(-grid, 0.0), max(grid, 0.0))
    most = terms.grid.export_limit
    return found._replace(exported=most) if terms.curtails and found.exported > most else found


def flows(terms: Terms, played: Played, battery: Vector) -> list[Flow]:
    """Of each quarter."""
    return [flow(terms, played, i, power) for i, power in enumerate(battery.tolist())]


def carried(terms: Terms, played: Played, battery: Vector) -> Vector:
    """W at the grid in the mean of each quarter."""
    return np.array([one.grid for one in flows(terms, played, battery)])


def given(played: Played, battery: Vector) -> Vector:
    """W that a battery gave by quarter. Where it is played as it ran, what it gave then, beside what it took in the
    same quarter; none of one that rests all the time."""
    found, lived = np.maximum(battery, 0), played.lived
    if lived is None or not battery.any():
        return found
    return np.where((battery == lived.battery) & ~np.isnan(lived.given), lived.given, found)


def money(
    terms: Terms, played: Played, battery: Vector, gained: float, before: Mapping[str, Sequence[Made]] = NO_WINDOWS
) -> Money:
    """The bill month by month. `battery`: W; `gained`: Wh at the end beyond the start; `before`: what is billed by
    the kW already, by the name of the demand."""
    through = flows(terms, played, battery)
    intervals = [
        Interval(at, one.imported * HOUR, one.exported * HOUR) for at, one in zip(played.instants, through, strict=True)
    ]
    drawn = [Interval(at, one.drawn * HOUR) for at, one in zip(played.instants, through, strict=True)]
    made = {
        one.name: [*before.get(one.name, ()), *highest_windows(one, terms, drawn)] for one in terms.tariff.components
    }
    lines = list[Line]()
    months = list[tuple[str, float]]()
    for begin, end in months_of(played, terms):
        found = invoice(terms.tariff, intervals[begin:end], made, terms.zone, terms.series, _times(played, begin, end))
        lines += found
        name = f"{(played.start + begin * QUARTER).astimezone(terms.zone):%Y-%m}"
        months.append((name, fsum(one.amount or 0.0 for one in found)))
    own = terms.battery
    wear = own.wear * float(given(played, battery).sum()) * HOUR / 1000 if own else 0.0
    worth = float(np.median(played.buy)) * own.efficiency * gained / 1000 if own else 0.0
    return Money(
        fsum(one.amount or 0.0 for one in lines if one.unit == "kWh"),
        fsum(one.amount or 0.0 for one in lines if one.unit == "kW"),
        fsum(one.amount or 0.0 for one in lines if one.unit not in ("kWh", "kW")),
        wear,
        worth,
        tuple(months),
    )


def _times(played: Played, begin: int, end: int) -> tuple[datetime, datetime]:
    return played.start + begin * QUARTER, played.start + end * QUARTER


def months_of(played: Played, terms: Terms) -> list[tuple[int, int]]:
    """First quarter and end of each local month of the span."""
    found, begin = list[tuple[int, int]](), 0
    while begin < len(played):
        over = period(played.start + begin * QUARTER, terms.zone)[1]
        end = min(len(played), -(-(over - played.start) // QUARTER))
        found.append((begin, end))
        begin = end
    return found


def highest_windows(component: Demand, terms: Terms, intervals: Sequence[Interval]) -> list[Made]:
    """The highest window of each local month: a bill looks at no other, and is quick with these."""
    quarters = [Quarter(one.at, one.imported, 900.0) for one in intervals]
    found = dict[datetime, Made]()
    end = dict[datetime, datetime]()
    begin = over = quarters[0].at
    for at, one in sorted(billing.windows(quarters, component, terms.zone).items()):
        if one.seconds < 60 * component.minutes or not (not component.hours or counts(component, at, terms.zone)):
            continue
        if not end or not begin <= at < over:
            begin, over = period(at, terms.zone)
            end[begin] = over
        if begin not in found or one.mean > found[begin].power:
            found[begin] = Made(at, one.mean)
    return list(found.values())


def monthly_peaks(terms: Terms, played: Played, battery: Vector) -> dict[str, float]:
    """kW by local month: the highest mean import of a window of the first demand, of a quarter of an hour without."""
    component = next(iter(terms.charged), Demand(price=0.0))
    through = flows(terms, played, battery)
    intervals = [Interval(at, one.drawn * HOUR) for at, one in zip(played.instants, through, strict=True)]
    made = highest_windows(component, terms, intervals)
    return {f"{one.at.astimezone(terms.zone):%Y-%m}": one.power / 1000 for one in made}
