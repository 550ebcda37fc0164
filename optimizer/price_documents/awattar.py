"""aWATTar: `GET /v1/marketdata`, hours in ms since 1970. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted, number
from optimizer.published import Row

UNITS = {"mwh": 1000.0, "kwh": 1.0}
LATEST = 7_258_118_400_000.0
"""The year 2200 in ms: a time beyond it is in another unit."""
EARLIEST = 946_684_800_000.0
"""The year 2000."""


def knows(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("data"), list)


def rows(found: dict[str, Any], wanted: Wanted) -> list[Row]:
    """The priced instants per kWh. Raises Unreadable."""
    if not found["data"]:
        raise NoPrices("it holds no price", place="data")
    there = str(found.get("url", "")).strip("/")[:2].upper()
    if wanted.area and there.isalpha() and wanted.area[:2].upper() != there:
        raise Unreadable(f"it has prices of {there}, and area is {wanted.area}", place="url")
    return [row for index, one in enumerate(found["data"]) if (row := _row(one, f"data[{index}]", wanted)) is not None]


def _row(one: object, place: str, wanted: Wanted) -> Row | None:
    if not isinstance(one, dict):
        raise Unreadable("needs start_timestamp, end_timestamp, marketprice and unit", place=place)
    start, end = (_instant(one.get(key), f"{place}.{key}") for key in ("start_timestamp", "end_timestamp"))
    currency, _, unit = str(one.get("unit", "")).partition("/")
    if unit.lower() not in UNITS:
        raise Unreadable(f"{one.get('unit')!r:.20} is no unit of a price: Eur/MWh is needed", place=f"{place}.unit")
    wanted.paid_in(currency, place=f"{place}.unit")
    if not timedelta() < end - start <= timedelta(hours=1):
        raise Unreadable("its end is not within an hour of its start", place=place)
    if one.get("marketprice") is None:
        return None
    price = number(one["marketprice"], f"{place}.marketprice")
    return Row(0, start, price / UNITS[unit.lower()], end, place)


def _instant(given: object, place: str) -> datetime:
    if isinstance(given, bool) or not isinstance(given, int | float) or not EARLIEST <= given <= LATEST:
        raise Unreadable(f"{given!r:.30} is no moment in ms since 1970", place=place)
    return datetime.fromtimestamp(given / 1000, UTC)
