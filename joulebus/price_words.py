"""What a kWh costs by a tariff, and what is odd with its parts, in words: for `joulebus check`."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from optimizer.tariff import MIDNIGHT, Way, quotes
from optimizer.tariff_walk import YEAR
from schemas.tariff import DayAhead, Layer, Priced, Side, Tariff

Odd = tuple[str, str]
"""Where in the file (`import.layer.0`) and what, with what would be right."""


def price_lines(tariff: Tariff, zone: ZoneInfo, today: date) -> Iterator[tuple[str, str]]:
    """`import` and `export`: from the lowest to the highest price of a year, and what it is the sum of; of a market the
    rule alone."""
    for way, side in _sides(tariff):
        if not side.layers:
            continue
        unpaid = f"; nothing while the market is below {side.unpaid.below:g}" if side.unpaid else ""
        parts = " + ".join(_part(layer) for _, layer in side.layers)
        if any(layer.day_ahead for _, layer in side.layers):
            yield way, f"{parts}, in {tariff.currency} per kWh{unpaid}"
        else:
            summed = f": {parts}" if len(side.layers) > 1 else ""
            yield way, f"{_span(side, zone, today)} {tariff.currency} per kWh{summed}{unpaid}"


def _span(side: Side, zone: ZoneInfo, today: date) -> str:
    found = [one.price for one in quotes(side.model_copy(update={"unpaid": None}), _changes(side, zone, today), zone)]
    lowest, highest = f"{min(found):.4g}", f"{max(found):.4g}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _changes(side: Side, zone: ZoneInfo, today: date) -> list[datetime]:
    """Each moment of a year at which a price of the side may begin."""
    periods = [period for _, layer in side.layers for period in layer.period]
    clocks = {MIDNIGHT, *(clock or MIDNIGHT for one in periods for clock in (one.start, one.end))}
    days = range(YEAR if periods else 1)
    return [_local(today + timedelta(days=number), clock, zone) for number in days for clock in sorted(clocks)]


def _local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock.replace(tzinfo=None), zone).astimezone(UTC)


def _part(layer: Priced) -> str:
    match layer:
        case Layer(percent=float(percent)):
            return f"{layer.name} {percent:g} %"
        case Layer(price=float(price)):
            return f"{layer.name} {price:g}"
        case Layer():
            return layer.name
        case _:
            return _market(layer.day_ahead) if layer.day_ahead else "periods"


def _market(rule: DayAhead) -> str:
    times = f" * {rule.times:g}" if rule.times != 1 else ""
    return "market price" + times + (f" + {rule.plus:g}" if rule.plus else "")


def odd_layers(tariff: Tariff) -> Iterator[Odd]:
    """What adds up to another price than was meant."""
    for way, side in _sides(tariff):
        if side.period and side.day_ahead:
            right = f"write them as a [[{way}.layer]] with a name, and they are added to it"
            yield f"{way}.period", f"they count for nothing beside {way}.day_ahead: {right}"
        first = next((layer for _, layer in side.layers), None)
        if isinstance(first, Layer) and first.percent is not None:
            right = "write it below what it is a part of"
            yield f"{way}.layer.0.percent", f"{first.percent:g} % of nothing: no price stands above it; {right}"
        names = [layer.name.casefold() for layer in side.layer]
        for number, name in enumerate(names):
            if name in names[:number]:
                called = f"another layer is called {side.layer[number].name!r}, too"
                yield f"{way}.layer.{number}.name", f"{called}: both are added; take one out or give it its own name"


def _sides(tariff: Tariff) -> list[tuple[Way, Side]]:
    return [("import", tariff.import_), ("export", tariff.export)]
