"""What a replay of the rules comes to in energy and money, by the tariff's own bill. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from optimizer.billing import Quarter, windows
from optimizer.charge import Made
from optimizer.demand import counts
from optimizer.invoice import Interval, invoice, total
from optimizer.rules.facts import QUARTER, quarter_of
from optimizer.rules.replay import Replay
from optimizer.storage import Storage
from optimizer.tariff import Series
from schemas.tariff import Demand, Tariff


@dataclass(frozen=True)
class Energies:
    """Wh that were drawn and fed in, and that the batteries discharged."""

    drawn: float
    fed: float
    discharged: float


@dataclass(frozen=True)
class Money:
    """In the tariff's currency, what the rules would have changed; positive costs more."""

    energy: float
    """All lines of the bill but those of demands."""
    demand: float
    """As if the billed period began with the span: a peak before it is not known here."""
    wear: float
    stored: float
    """Worth of what the batteries would hold less at the end, at the mean price of import."""
    peaks: Mapping[str, tuple[float, float]]
    """W by the name of a demand, of its highest window that was seen whole: as it was, and as it would have been."""

    @property
    def total(self) -> float:
        return self.energy + self.demand + self.wear + self.stored


def energies(found: Replay, *, other: bool) -> Energies:
    """As measured, or with the rules."""
    hours = found.seconds / 3600
    grids = [one.other_grid if other else one.grid for one in found.changed]
    powers = [one.other if other else one.battery for one in found.changed]
    return Energies(
        sum(max(p, 0.0) for p in grids) * hours,
        sum(max(-p, 0.0) for p in grids) * hours,
        sum(max(p, 0.0) for p in powers) * hours,
    )


def money(
    found: Replay, tariff: Tariff, battery: Storage | None, zone: ZoneInfo, series: Mapping[str, Series]
) -> Money:
    """The difference of two bills of the intervals that are known. Raises Trouble where the market has no price."""
    span = quarter_of(found.changed[0].at), quarter_of(found.changed[-1].at) + QUARTER
    sums, price = list[tuple[float, float]](), 0.0
    highest = defaultdict[str, list[float]](list)
    for other in (False, True):
        each = [*_intervals(found, other=other)]
        peaks = {one.name: _peaks(each, found, one, zone) for one in tariff.components}
        for name, made in peaks.items():
            highest[name] += [max(one.power for one in made)] if made else []
        lines = invoice(tariff, each, peaks, zone, series, span)
        demand = total(line for line in lines if line.unit == "kW")
        sums.append((total(lines) - demand, demand))
        price = next((line.price or 0.0 for line in lines if line.name == "import"), price)
    used = energies(found, other=True).discharged - energies(found, other=False).discharged
    return Money(
        sums[1][0] - sums[0][0],
        sums[1][1] - sums[0][1],
        (0.0 if battery is None else battery.wear) * used / 1000,
        -price * found.gained / 1000,
        {name: (each[0], each[1]) for name, each in highest.items() if each},
    )


def _intervals(found: Replay, *, other: bool) -> Iterator[Interval]:
    """By quarter of an hour, drawn and fed in apart."""
    drawn, fed = defaultdict[datetime, float](float), defaultdict[datetime, float](float)
    for one in found.changed:
        grid, at = one.other_grid if other else one.grid, quarter_of(one.at)
        drawn[at] += max(grid, 0.0) * found.seconds / 3600
        fed[at] += max(-grid, 0.0) * found.seconds / 3600
    yield from (Interval(at, drawn[at], fed[at]) for at in sorted(drawn))


def _peaks(each: Sequence[Interval], found: Replay, demand: Demand, zone: ZoneInfo) -> list[Made]:
    """The mean import of the windows that are known whole, and count."""
    seconds = defaultdict[datetime, float](float)
    for one in found.changed:
        seconds[quarter_of(one.at)] += found.seconds
    seen = windows((Quarter(one.at, one.imported, seconds[one.at]) for one in each), demand, zone)
    whole = [one for one in seen.values() if one.seconds >= 60 * demand.minutes and counts(demand, one.start, zone)]
    return [Made(one.start, one.mean) for one in whole]


def narrowed(found: Replay, rule: str) -> tuple[float, float]:
    """Wh that the batteries would have done otherwise while a rule held, and the most W."""
    mine = [abs(one.other - one.battery) for one in found.changed if rule in one.by.split(", ")]
    return sum(mine) * found.seconds / 3600, max(mine, default=0.0)
