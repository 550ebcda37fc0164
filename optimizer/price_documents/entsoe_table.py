"""ENTSO-E, the Transparency Platform: the CSV that its page of day-ahead prices exports, old and new. Pure.

`MTU (CET/CEST)` or `MTU (UTC)` is a span of time; on the days on which the clock is set its ends say `(CET)` or
`(CEST)`. Two auctions of a zone stand below each other, each row with its sequence.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from optimizer.price_documents.areas import eic
from optimizer.price_documents.local_time import LocalTimes
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted, number, of_our_age
from optimizer.published import Row

ZONES = {"utc": ZoneInfo("UTC"), "cet/cest": ZoneInfo("Europe/Brussels")}
OFFSETS = {"CET": timezone(timedelta(hours=1)), "CEST": timezone(timedelta(hours=2)), "UTC": UTC}
SPAN = re.compile(r"mtu \((?P<zone>[a-z/]+)\)")
PRICE = re.compile(r"day-ahead price [(\[](?P<currency>[a-z]{3})/mwh[)\]]")
TIME = re.compile(r"(\d\d)[./](\d\d)[./](\d{4}) (\d\d):(\d\d)(?::00)?(?: \((CET|CEST|UTC)\))?")
ABSENT = frozenset({"", "-", "n/e", "n/a"})


@dataclass(frozen=True)
class _Columns:
    span: int
    price: int
    zone: ZoneInfo
    area: int | None
    sequence: int | None


def knows(text: str) -> bool:
    return "mtu (" in text.partition("\n")[0].lower()


def rows(text: str, wanted: Wanted) -> list[Row]:
    """The priced instants per kWh of one area and auction. Raises Unreadable with the line."""
    table = [*csv.reader(text.splitlines())]
    columns = _columns([name.strip().lower() for name in table[0]], wanted)
    lines = [(n, cells) for n, cells in enumerate(table[1:], 2) if any(cells)]
    if short := next((n for n, cells in lines if len(cells) <= max(columns.span, columns.price)), 0):
        raise Unreadable("too few cells: the line may be cut off; fetch it again", short)
    found = [*_rows(_mine(lines, columns, wanted), columns)]
    if not found:
        raise NoPrices("it holds no price of this area and auction", 1)
    return found


def _columns(names: list[str], wanted: Wanted) -> _Columns:
    span = next((one for name in names if (one := SPAN.fullmatch(name))), None)
    price = next((one for name in names if (one := PRICE.fullmatch(name))), None)
    if span is None or price is None:
        raise Unreadable("the header needs MTU (UTC) or MTU (CET/CEST), and Day-ahead Price (EUR/MWh)", 1)
    if (zone := ZONES.get(span["zone"])) is None:
        raise Unreadable(f"times in {span['zone'].upper()}: export it in UTC or CET", 1)
    wanted.paid_in(price["currency"], 1)
    places = {name: names.index(name) for name in ("area", "sequence") if name in names}
    return _Columns(
        names.index(span[0]), names.index(price[0]), zone, places.get("area"), places.get("sequence")
    )  # fmt: skip


Lines = list[tuple[int, list[str]]]


def _mine(lines: Lines, columns: _Columns, wanted: Wanted) -> Lines:
    """The lines of the wanted area and auction."""
    if columns.area is not None and lines:
        areas = list(dict.fromkeys(cells[columns.area].rpartition("|")[2] for _, cells in lines))
        mine = [area for area in areas if not wanted.area or eic(area) == eic(wanted.area) != ""]
        if len(mine) != 1:
            says = f", and area is {wanted.area}" if wanted.area else ": write as area which is billed"
            raise Unreadable(f"it has prices of {', '.join(areas)}{says}", lines[0][0])
        lines = [(n, cells) for n, cells in lines if cells[columns.area].rpartition("|")[2] == mine[0]]
    if columns.sequence is not None:
        lines = [(n, cells) for n, cells in lines if _sequence(cells[columns.sequence]) == wanted.auction]
    return lines


def _sequence(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 1


def _rows(lines: Lines, columns: _Columns) -> Iterator[Row]:
    clock = LocalTimes(columns.zone)
    for line, cells in lines:
        begin, _, end = cells[columns.span].partition(" - ")
        shown, offset = _time(begin, line)
        start = shown.replace(tzinfo=offset).astimezone(UTC) if offset else clock.next(shown, line)
        until, other = _time(end, line)
        over = until.replace(tzinfo=other).astimezone(UTC) if other else clock.after(start, until)
        if not timedelta() < over - start <= timedelta(hours=1):
            raise Unreadable(f"{cells[columns.span][:60]!r} is not up to an hour", line)
        written = cells[columns.price].strip()
        if written.lower() in ABSENT:
            continue
        try:
            price = float(written)
        except ValueError:
            raise Unreadable(f"{written[:20]!r} is no price", line) from None
        yield Row(line, start, number(price, "") / 1000, over)


def _time(text: str, line: int) -> tuple[datetime, timezone | None]:
    """What the clock shows, as if it were UTC, and its offset where it is said."""
    if found := TIME.fullmatch(text.strip()):
        day, month, year, hour, minute = (int(one) for one in found.groups()[:5])
        try:
            return of_our_age(datetime(year, month, day, hour, minute, tzinfo=UTC)), OFFSETS.get(found[6] or "")
        except ValueError:
            pass
    raise Unreadable(f"{text[:40]!r} is no time such as 25/10/2026 02:00:00", line)
