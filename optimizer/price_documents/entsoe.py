"""ENTSO-E, the Transparency Platform: publication documents of day-ahead prices (A44). Pure.

A document has several TimeSeries, each with periods, each with a resolution of its own. Positions count from 1; with
the curve type A03 a position that is left out has the price before it, up to the end of its period. A zone with two
auctions (DE-LU: 1 is the market coupling, 2 is EXAA at 10:15) tells them by a sequence.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from optimizer.price_documents.areas import eic, named
from optimizer.price_documents.wanted import LARGEST, NoPrices, Unreadable, Wanted, instant
from optimizer.price_documents.xml_tree import Element
from optimizer.published import Row

PRICES, DAY_AHEAD, VARIABLE = "A44", "A01", "A03"
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
RESOLUTIONS = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
"""Minutes."""
LONGEST = timedelta(days=400)
"""Of a period: the platform gives a year at once."""


def knows(root: Element) -> bool:
    return root.name in ("Publication_MarketDocument", "Acknowledgement_MarketDocument")


def rows(root: Element, wanted: Wanted) -> list[Row]:
    """The priced instants per kWh, of one area and auction. Raises Unreadable."""
    if root.name == "Acknowledgement_MarketDocument":
        raise NoPrices(f"ENTSO-E answers without prices: {root.said('Reason', 'text') or 'no reason given'}", root.line)
    kind = root.need("type")
    if kind.text.strip() != PRICES:
        raise Unreadable(f"a document of type {kind.text.strip()}, day-ahead prices are {PRICES}", kind.line)
    found = [row for one in _chosen(root, wanted) for row in _of_series(one, wanted)]
    if not found:
        raise NoPrices("it holds no price", root.line)
    return found


def _chosen(root: Element, wanted: Wanted) -> list[Element]:
    """The TimeSeries of the wanted area and auction."""
    agreed = ("", DAY_AHEAD)
    every = [one for one in root.all("TimeSeries") if one.said("contract_MarketAgreement.type") in agreed]
    if not every:
        raise NoPrices("it holds no TimeSeries of the day-ahead market", root.line)
    areas = list(dict.fromkeys(one.said("in_Domain.mRID") for one in every))
    there = ", ".join(named(area) for area in areas)
    if wanted.area and not (code := eic(wanted.area)):
        raise Unreadable(
            f"area {wanted.area!r} is no bidding zone: write its name or its EIC; the document has {there}"
        )
    if not wanted.area and len(areas) > 1:
        raise Unreadable(f"it has prices of {there}: write as area which is billed", every[0].line)
    mine = [one for one in every if not wanted.area or one.said("in_Domain.mRID") == code]
    if not mine:
        raise Unreadable(f"it has prices of {there}, and area is {wanted.area}", every[0].line)
    sequences = {_sequence(one) for one in mine}
    if wanted.auction not in sequences:
        known = ", ".join(str(one) for one in sorted(sequences))
        raise Unreadable(f"auction {wanted.auction} is not in it; there is: {known}", mine[0].line)
    return [one for one in mine if _sequence(one) == wanted.auction]


def _sequence(one: Element) -> int:
    given = one.first(SEQUENCE)
    return _whole(given) if given else 1


def _of_series(one: Element, wanted: Wanted) -> Iterator[Row]:
    currency, unit = one.need("currency_Unit.name"), one.need("price_Measure_Unit.name")
    wanted.paid_in(currency.text.strip(), currency.line)
    if unit.text.strip().upper() != "MWH":
        raise Unreadable(f"its prices are per {unit.text.strip()[:8]}, MWH is needed", unit.line)
    for period in one.all("Period"):
        yield from _of_period(period, variable=one.said("curveType") == VARIABLE)


def _of_period(period: Element, *, variable: bool) -> Iterator[Row]:
    start, end = _instant(period.need("timeInterval", "start")), _instant(period.need("timeInterval", "end"))
    resolution = period.need("resolution")
    if (minutes := RESOLUTIONS.get(resolution.text.strip())) is None:
        raise Unreadable(f"resolution {resolution.text.strip()[:12]}; there is: {', '.join(RESOLUTIONS)}",
                         resolution.line)  # fmt: skip
    step = timedelta(minutes=minutes)
    if not timedelta() < end - start <= LONGEST or (end - start) % step:
        raise Unreadable(f"a period from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z is no number of steps of "
                         f"{minutes} min", period.line)  # fmt: skip
    last = (end - start) // step
    points = [(_whole(point.need("position")), _price(point.need("price.amount")), point.line)
              for point in period.all("Point")]  # fmt: skip
    if wrong := next((one for one in points if not 1 <= one[0] <= last), None):
        raise Unreadable(f"position {wrong[0]} lies outside of its period, which has {last}", wrong[2])
    points.sort(key=lambda one: one[0])
    for index, (position, price, line) in enumerate(points):
        after = points[index + 1][0] if index + 1 < len(points) else last + 1
        for place in range(position, max(position + 1, after) if variable else position + 1):
            at = start + (place - 1) * step
            yield Row(line, at, price / 1000, at + step)


def _whole(one: Element) -> int:
    try:
        return int(one.text.strip())
    except ValueError:
        raise Unreadable(f"{one.name}: {one.text.strip()[:20]!r} is no whole number", one.line) from None


def _price(one: Element) -> float:
    try:
        price = float(one.text.strip())
    except ValueError:
        price = math.nan
    if not -LARGEST <= price <= LARGEST:
        raise Unreadable(f"price.amount: {one.text.strip()[:20]!r} is no price", one.line)
    return price


def _instant(one: Element) -> datetime:
    try:
        return instant(one.text.strip(), "")
    except Unreadable as wrong:
        raise Unreadable(f"{one.name}: {wrong}", one.line) from None
