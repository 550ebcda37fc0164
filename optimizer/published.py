"""From the rows of a price file to one series: what comes twice, in any order, or in two resolutions.

The last row of a moment holds: what is published later corrects what was published before. Two auctions in one file
are refused: a time alone names no price there, and which of them is billed only the owner knows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from optimizer.tariff import Series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAY_OF_QUARTERS = 96
FEW = 3
"""So many moments of a day with two prices side by side are no correction any more, if they are half of the day."""


@dataclass(frozen=True)
class Row:
    """A price per kWh as a file gives it."""

    line: int
    start: datetime
    price: float


class TwoSeries(Exception):
    """Two auctions in one file. `line` is the first row that contradicts another."""

    def __init__(self, first: Row, second: Row) -> None:
        super().__init__(
            f"a second price for {second.start:%Y-%m-%d %H:%M}Z, {first.price:g} (line {first.line}) and "
            f"{second.price:g} per kWh, and so on: two auctions stand in one file, such as the hourly and the "
            "quarter-hourly one; keep the rows of the one that is billed"
        )
        self.line = second.line


@dataclass(frozen=True)
class Published:
    """What a price file gives."""

    series: Series
    repeated: int = 0
    """Rows that say once more what was said."""
    corrected: int = 0
    """Rows that a later one replaces."""


def publish(rows: Sequence[Row]) -> Published:
    """The series of rows in the order of the file. Raises TwoSeries."""
    last: dict[datetime, Row] = {}
    first: dict[datetime, Row] = {}
    repeated = corrected = 0
    for row in rows:
        before = last.get(row.start)
        if before is not None:
            repeated += before.price == row.price
            corrected += before.price != row.price
        first.setdefault(row.start, row)
        last[row.start] = row
    if corrected:
        _refuse_mixed(rows, first)
    starts = sorted(last)
    return Published(Series(starts, [last[start].price for start in starts], _hold(starts)), repeated, corrected)


def _hold(starts: Sequence[datetime]) -> timedelta:
    """How long the last price holds: the step of the last day, as the market changes it now and then. A longer one than
    an hour is a hole, unless no step is as short: prices of four hours, or of a day."""
    late = starts[-DAY_OF_QUARTERS:]
    steps = Counter(later - earlier for earlier, later in pairwise(late))
    if not steps or min(steps) <= HOUR:
        return min(HOUR, steps.most_common(1)[0][0]) if steps else HOUR
    return min(DAY, *steps)


def _refuse_mixed(rows: Sequence[Row], first: dict[datetime, Row]) -> None:
    at_once: dict[date, list[tuple[Row, Row]]] = {}
    for one, two in pairwise(rows):
        if one.start == two.start and one.price != two.price:
            at_once.setdefault(one.start.date(), []).append((one, two))
    moments = Counter(start.date() for start in first)
    for day, pairs in at_once.items():
        if len(pairs) >= FEW and 2 * len(pairs) >= moments[day]:
            raise TwoSeries(*pairs[0])
    _refuse_two_steps(rows, first)


def _refuse_two_steps(rows: Sequence[Row], first: dict[datetime, Row]) -> None:
    """A whole hour given twice whose inner quarters are given once belongs to two series; one such is a correction."""
    times = Counter(row.start for row in rows)
    contradicted: dict[datetime, Row] = {}
    for row in rows:
        if first[row.start].price != row.price:
            contradicted.setdefault(row.start, row)
    inner = Counter(start.replace(minute=0, second=0) for start, count in times.items() if start.minute and count == 1)
    again = {start.replace(minute=0, second=0) for start, count in times.items() if start.minute and count > 1}
    wrong = [row for start, row in contradicted.items() if not start.minute and inner[start] and start not in again]
    if len(wrong) > 1:
        raise TwoSeries(first[wrong[0].start], wrong[0])
