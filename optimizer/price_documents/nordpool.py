"""Nord Pool: the data portal's JSON (`multiAreaEntries`, `multiIndexEntries`) and its CSV, in local hours. Pure."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.price_documents.local_time import LocalTimes
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted, instant, number, of_our_age
from optimizer.published import Row

ENTRIES = ("multiAreaEntries", "multiIndexEntries")
MARKET = ZoneInfo("Europe/Oslo")
COLUMN = re.compile(r"(?P<area>[\w-]+)(?: price)? \((?P<currency>[a-z]{3})\)", re.IGNORECASE)
TIMES = ("Delivery Start (CET)", "Delivery End (CET)")
WRITTEN = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


def knows(found: object) -> bool:
    return isinstance(found, dict) and any(isinstance(found.get(name), list) for name in ENTRIES)


def rows(found: dict[str, Any], wanted: Wanted) -> list[Row]:
    """The priced instants per kWh of one area. Raises Unreadable."""
    name = next(name for name in ENTRIES if isinstance(found.get(name), list))
    if not found[name]:
        raise NoPrices("it holds no price", place=name)
    wanted.paid_in(str(found.get("currency", "")) or "an unknown currency", place="currency")
    entries = [(f"{name}[{index}]", one) for index, one in enumerate(found[name])]
    if wrong := next((place for place, one in entries if not _whole(one)), ""):
        raise Unreadable("needs deliveryStart, deliveryEnd and entryPerArea", place=wrong)
    area = _area(list(dict.fromkeys(key for _, one in entries for key in one["entryPerArea"])), wanted, name)
    return [row for place, one in entries if (row := _row(one, place, area)) is not None]


def _whole(one: object) -> bool:
    return isinstance(one, dict) and isinstance(one.get("entryPerArea"), dict)


def _row(one: dict[str, Any], place: str, area: str) -> Row | None:
    start, end = (instant(one.get(key), f"{place}.{key}") for key in ("deliveryStart", "deliveryEnd"))
    if not timedelta() < end - start <= timedelta(hours=1):
        raise Unreadable("deliveryEnd is not within an hour of deliveryStart", place=place)
    if (price := one["entryPerArea"].get(area)) is None:
        return None
    return Row(0, start, number(price, f"{place}.entryPerArea.{area}") / 1000, end, place)


def _area(areas: list[str], wanted: Wanted, place: str, line: int = 0) -> str:
    there = ", ".join(areas)
    if wanted.area and wanted.area.upper() not in areas:
        raise Unreadable(f"it has prices of {there}, and area is {wanted.area}", line, place)
    if not wanted.area and len(areas) != 1:
        raise Unreadable(f"it has prices of {there or 'no area'}: write as area which is billed", line, place)
    return wanted.area.upper() or areas[0]


def knows_table(text: str) -> bool:
    return TIMES[0].lower() in text.partition("\n")[0].lower()


def table_rows(text: str, wanted: Wanted) -> list[Row]:
    """The same of the CSV. Raises Unreadable with the line."""
    header, _, rest = text.partition("\n")
    between = next(sign for sign in (";", "\t", ",") if sign in header)
    names = [name.strip().strip('"').lower() for name in header.split(between)]
    columns = ((index, COLUMN.fullmatch(name)) for index, name in enumerate(names) if "delivery" not in name)
    priced = {one["area"].upper(): (index, one["currency"]) for index, one in columns if one is not None}
    column, currency = priced[_area(list(priced), wanted, "", 1)]
    wanted.paid_in(currency, 1)
    if missing := [name for name in TIMES if name.lower() not in names]:
        raise Unreadable(f"the header has no {missing[0]}", 1)
    times = names.index(TIMES[0].lower()), names.index(TIMES[1].lower())
    found = [*_lines(rest, between, times, column)]
    if not found:
        raise NoPrices("it holds no price", 1)
    return found


def _lines(text: str, between: str, times: tuple[int, int], column: int) -> Iterator[Row]:
    clock = LocalTimes(MARKET)
    for line, cells in enumerate(csv.reader(text.splitlines(), delimiter=between), 2):
        if not any(cells):
            continue
        if len(cells) <= max(*times, column):
            raise Unreadable(f"{len(cells)} cells: the line may be cut off; fetch it again", line)
        start = clock.next(_naive(cells[times[0]], line), line)
        end = clock.after(start, _naive(cells[times[1]], line))
        if not (written := cells[column].strip()):
            continue
        try:
            price = float(written.replace(",", "."))
        except ValueError:
            raise Unreadable(f"{written[:20]!r} is no price", line) from None
        yield Row(line, start, number(price, "") / 1000, end)


def _naive(text: str, line: int) -> datetime:
    for form in WRITTEN:
        try:
            # of the market's clock: see LocalTimes
            return of_our_age(datetime.strptime(text.strip(), form).replace(tzinfo=UTC))
        except ValueError:
            continue
    raise Unreadable(f"{text[:20]!r} is no time such as 25.10.2026 02:00:00", line)
