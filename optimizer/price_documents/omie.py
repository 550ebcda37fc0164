"""OMIE: `marginalpdbc_YYYYMMDD.N`, a day a file: periods in Spain's time, prices of Portugal and Spain. Pure.

Periods are hours, 23, 24 or 25 a day; since 1 October 2025 quarter hours, 92, 96 or 100. The last line is a `*`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted, number, of_our_age
from optimizer.published import Row

BEGINS, ENDS = "MARGINALPDBC", "*"
MARKET = ZoneInfo("Europe/Madrid")
COLUMNS = {"PT": 4, "ES": 5}
HOUR = timedelta(hours=1)
Line = tuple[int, date, int, float]
"""Line of the file, day, period, and the price per MWh."""


def knows(text: str) -> bool:
    return text.lstrip().startswith(BEGINS)


def rows(text: str, wanted: Wanted) -> list[Row]:
    """The priced instants per kWh of one of both countries. Raises Unreadable with the line."""
    column = COLUMNS.get(wanted.area.upper())
    if column is None:
        given = f"area is {wanted.area}: " if wanted.area else ""
        raise Unreadable(f'{given}it has prices of ES and PT: write area = "ES" or "PT"', 1)
    wanted.paid_in("EUR", 1)
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines[-1][1] != ENDS:
        raise Unreadable(f"it does not end with a line {ENDS}: it is cut off; fetch it again", lines[-1][0])
    found = [_line(n, line, column) for n, line in lines if line.rstrip(";") not in (BEGINS, ENDS)]  # may be several
    if not found:
        raise NoPrices("it holds no price", 1)
    return [row for day, each in groupby(found, key=lambda one: one[1]) for row in _of_day(day, [*each])]


def _line(n: int, line: str, column: int) -> Line:
    cells = line.rstrip(";").split(";")
    try:
        year, month, day, period = (int(cell) for cell in cells[:4])
        start = of_our_age(datetime(year, month, day, tzinfo=MARKET))
        return n, start.date(), period, number(float(cells[column].replace(",", ".")), "")
    except (ValueError, IndexError, OverflowError, Unreadable):
        raise Unreadable(f"{line[:60]!r} is not year;month;day;period;price PT;price ES;", n) from None


def _of_day(day: date, lines: list[Line]) -> Iterator[Row]:
    begin, after = (datetime(one.year, one.month, one.day, tzinfo=MARKET).astimezone(UTC)
                    for one in (day, day + timedelta(days=1)))  # fmt: skip
    hours = round((after - begin) / HOUR)
    count = len({period for _, _, period, _ in lines})
    if count not in (hours, 4 * hours) or {period for _, _, period, _ in lines} != set(range(1, count + 1)):
        raise Unreadable(f"{day} has {count} periods; it has {hours} hours or {4 * hours} quarter hours", lines[-1][0])
    step = (after - begin) / count
    for line, _, period, price in lines:
        start = begin + (period - 1) * step
        yield Row(line, start, price / 1000, start + step)
