"""The bill of some time, line by line: energy, what is paid by the kW, by the month, and for reactive energy. Pure.

A bill says what is new in its time: two bills of two halves of a month are together the bill of the month, and a price
per kW and year is due when the peak is made. What is paid for being connected (contract, fixed) is due by the day.
Only `minimum` waits for a month's end.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from optimizer.charge import Made, bills, highest, least
from optimizer.demand import MONTHLY, Charged, charged
from optimizer.demand import period as period_of
from optimizer.tariff import Series, Way, quotes
from schemas.tariff import Demand, Reactive, Tariff

Time = tuple[datetime, datetime]
"""Begin and end, in UTC."""


class Interval(NamedTuple):
    """Energies of some minutes, both ways apart: nothing is netted."""

    at: datetime
    """Its start; the price of this instant holds for all of it."""
    imported: float
    """Wh."""
    exported: float = 0.0
    """Wh."""
    reactive: float | None = None
    """varh, without a sign; None where nobody measured it."""


class Line(NamedTuple):
    """One line of a bill."""

    name: str
    """`import`, `export`, the name of a demand, `on-peak: ratchet`, `on-peak: contract`, `on-peak: beyond contract`,
    `reactive`, `fixed`, `minimum`."""
    amount: float | None
    """In the currency; negative is paid to the site. None: not known."""
    currency: str
    price: float | None
    """Per unit."""
    quantity: float | None
    unit: str
    """kWh, kW, kvarh or month."""


def invoice(  # noqa: PLR0917  # a tariff, what was measured, and where and when: in the order of the docs
    tariff: Tariff,
    intervals: Sequence[Interval],
    peaks: Mapping[str, Sequence[Made]],
    zone: ZoneInfo,
    series: Mapping[str, Series],
    period: Time,
) -> list[Line]:
    """The bill from the begin to the end of `period`, with no line of nothing.

    `intervals`: of this time, or more. `peaks`: windows by the name of a demand, of this time and of what it looks back
    at (the billing period, the months of a ratchet); those that do not count may be among them. `series`: market prices
    by their place in the tariff, such as `import` and `import.layer.0`.
    Raises Trouble where the market has no price.
    """
    inside = [one for one in intervals if period[0] <= one.at < period[1]]
    lines = [*_energy(tariff, inside, zone, series)]
    for component in tariff.components:
        lines += _demand(tariff, component, peaks.get(component.name, ()), zone, period)
    months = _overlaps(period, zone, MONTHLY)
    if tariff.fixed:
        lines.append(_line(tariff, "fixed", tariff.fixed, sum(_share(one, period) for one in months), "month"))
    if tariff.reactive:
        lines += [_reactive(tariff, tariff.reactive, inside, month) for month in months]
    if tariff.minimum:
        whole = [one for one in months if period[0] <= one[0] and one[1] <= period[1]]
        lines += _minimum(tariff, intervals, peaks, zone, series, whole)
    return [one for one in lines if one.amount or one.quantity is None or (one.unit == "kWh" and one.quantity)]


def total(lines: Iterable[Line]) -> float:
    """The sum of all that is known."""
    return math.fsum(one.amount or 0.0 for one in lines)


def _line(tariff: Tariff, name: str, price: float, quantity: float, unit: str) -> Line:
    return Line(name, price * quantity, tariff.currency, price, quantity, unit)


def _energy(
    tariff: Tariff, intervals: Sequence[Interval], zone: ZoneInfo, series: Mapping[str, Series]
) -> Iterator[Line]:
    """One line a side, at its mean price."""
    instants = [one.at for one in intervals]
    sides: tuple[tuple[Way, int, list[float]], ...] = (
        ("import", 1, [one.imported / 1000 for one in intervals]),
        ("export", -1, [one.exported / 1000 for one in intervals]),
    )
    for way, sign, energies in sides:
        side = tariff.import_ if way == "import" else tariff.export
        quoted = quotes(side, instants, zone, series.get(way), way=way, every=series)
        energy = math.fsum(energies)
        amount = math.fsum(one.price * kwh for one, kwh in zip(quoted, energies, strict=True))
        yield Line(way, sign * amount, tariff.currency, amount / energy if energy else None, energy, "kWh")


def _overlaps(time: Time, zone: ZoneInfo, how: Charged) -> list[Time]:
    """The months or years that some time touches."""
    found, at = list[Time](), time[0]
    while at < time[1]:
        found.append(period_of(at, zone, how))
        at = found[-1][1]
    return found


def _share(whole: Time, part: Time) -> float:
    """How much of a month or year lies in some time."""
    inside = min(whole[1], part[1]) - max(whole[0], part[0])
    return inside / (whole[1] - whole[0])


def _demand(tariff: Tariff, component: Demand, made: Sequence[Made], zone: ZoneInfo, time: Time) -> Iterator[Line]:
    """What one component adds: now less what was due before."""
    new, how = Counter[str](), charged(component)
    for begin, end in _overlaps(time, zone, how):
        new.update(_kilowatts(component, made, zone, begin, min(end, time[1])))
        if begin < time[0]:
            new.subtract(_kilowatts(component, made, zone, begin, time[0]))
    contract, name = component.contract, component.name
    for part in ("", ": floor", ": ratchet"):
        yield _line(tariff, name + part, component.rate, new[part], "kW")
    if contract:
        share = sum(_share(one, time) for one in _overlaps(time, zone, how))
        yield _line(tariff, f"{name}: contract", contract.price, contract.power * share, "kW")
        yield _line(tariff, f"{name}: beyond contract", contract.penalty, new[": beyond contract"], "kW")


def _kilowatts(
    component: Demand, made: Sequence[Made], zone: ZoneInfo, begin: datetime, until: datetime
) -> dict[str, float]:
    """kW that are due of a period until an instant of it, by the line they stand in."""
    peaks = highest(component, made, until, zone)
    peak = peaks.get(begin, 0.0) / 1000
    found = {": beyond contract": max(0.0, peak - component.contract.power)} if component.contract else {}
    if not bills(component, begin, zone):
        return found
    more = max(0.0, least(component, peaks, begin, zone) / 1000 - peak)
    why = ": floor" if component.floor >= peak + more else ": ratchet"
    return found | {"": peak, why: more}


def _reactive(tariff: Tariff, rule: Reactive, intervals: Sequence[Interval], month: Time) -> Line:
    """kvarh beyond the power factor in a month; not known where one interval is not."""
    mine = [one for one in intervals if month[0] <= one.at < month[1]]
    measured = [one.reactive for one in mine if one.reactive is not None]
    if len(measured) < len(mine) or not mine:
        return Line("reactive", None, tariff.currency, rule.price, None, "kvarh")
    free = math.tan(math.acos(rule.cos_phi)) * math.fsum(one.imported for one in mine)
    return _line(tariff, "reactive", rule.price, max(0.0, math.fsum(measured) - free) / 1000, "kvarh")


def _minimum(  # noqa: PLR0917  # as `invoice`, which it asks for each month
    tariff: Tariff,
    intervals: Sequence[Interval],
    peaks: Mapping[str, Sequence[Made]],
    zone: ZoneInfo,
    series: Mapping[str, Series],
    months: Sequence[Time],
) -> Iterator[Line]:
    """What is missing to the minimum of each whole month."""
    rest = tariff.model_copy(update={"minimum": 0.0})
    for month in months:
        missing = tariff.minimum - total(invoice(rest, intervals, peaks, zone, series, month))
        if missing > 0:
            yield _line(tariff, "minimum", missing, 1.0, "month")
