"""From the rows of a document of prices to one series: what comes twice, in any order, or in two resolutions. Pure.

Of a CSV the last row of a moment holds: what is published later corrects what was published before. Where a document
says when each price ends, two that hold at once are refused, and what lies between two is missing. Two auctions in one
document are always refused: a time alone names no price there, and which of them is billed only the owner knows.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo

from optimizer.tariff import Series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAY_OF_QUARTERS = 96
FEW = 3
"""So many moments of a day with two prices side by side are no correction any more, if they are half of the day."""
AT_ALL = timedelta(microseconds=1)


@dataclass(frozen=True)
class Row:
    """A price per kWh as a document gives it."""

    line: int
    """0 where lines say nothing, as in JSON."""
    start: datetime
    price: float
    end: datetime | None = None
    """None where the document does not say it: a CSV of times."""
    place: str = ""
    """Its element, such as `data[3]`."""

    @property
    def where(self) -> str:
        return self.place or f"line {self.line}"


class Contradiction(Exception):
    """Two prices for one moment. `row` is the first that contradicts another."""

    def __init__(self, words: str, row: Row) -> None:
        super().__init__(words)
        self.row = row


class TwoSeries(Contradiction):
    """Two auctions in one document."""

    def __init__(self, first: Row, second: Row) -> None:
        super().__init__(
            f"a second price for {second.start:%Y-%m-%d %H:%M}Z, {first.price:g} ({first.where}) and "
            f"{second.price:g} per kWh, and so on: two auctions stand in one file, such as the hourly and the "
            "quarter-hourly one; keep the rows of the one that is billed",
            second,
        )


@dataclass(frozen=True)
class Stated(Series):
    """A series whose document says where each price ends: nothing holds on into a hole."""

    ends: Sequence[datetime] = ()

    def at(self, instant: datetime) -> float | None:
        index = bisect_right(self.starts, instant) - 1
        return self.prices[index] if index >= 0 and instant < self.ends[index] else None

    def carried(self, instant: datetime, zone: ZoneInfo) -> float | None:  # noqa: ARG002  # as of any series
        return None

    @property
    def end(self) -> datetime | None:
        return self.ends[-1] if self.ends else None


@dataclass(frozen=True)
class Published:
    """What documents of prices give."""

    series: Series
    repeated: int = 0
    """Rows that say once more what was said."""
    corrected: int = 0
    """Rows that a later one replaces."""
    rows: Sequence[Row] = ()
    """Those that hold, in order."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Of rows in order of which no two hold at once."""
        starts, prices = [row.start for row in rows], [row.price for row in rows]
        ends = [row.end for row in rows if row.end is not None]
        if rows and len(ends) == len(rows):
            return cls(Stated(starts, prices, ends[-1] - starts[-1], ends), rows=rows)
        return cls(Series(starts, prices, _hold(starts)), rows=rows)


def publish(rows: Sequence[Row]) -> Published:
    """The series of the rows of one document, in their order. Raises Contradiction."""
    if any(row.end is not None for row in rows):
        return _publish_stated(rows)
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
    return replace(Published.of([last[start] for start in sorted(last)]), repeated=repeated, corrected=corrected)


def _publish_stated(rows: Sequence[Row]) -> Published:
    kept: list[Row] = []
    repeated = 0
    for row in sorted(rows, key=lambda one: (one.start, _end(one))):
        before = kept[-1] if kept else None
        if before is None or row.start >= _end(before):
            kept.append(row)
        elif (row.start, row.end, row.price) == (before.start, before.end, before.price):
            repeated += 1
        else:
            raise Contradiction(
                f"two prices hold at {row.start:%Y-%m-%d %H:%M}Z, {before.price:g} ({before.where}) and {row.price:g} "
                "per kWh: two auctions or two resolutions in one document; keep the one that is "
                "billed, or name it: auction, minutes",
                row,
            )
    return replace(Published.of(kept), repeated=repeated)


def join(parts: Sequence[Published]) -> Published:
    """Several documents of one publisher as one: what a later one says replaces what an earlier one said."""
    if len(parts) == 1:
        return parts[0]
    kept: list[Row] = []
    repeated, corrected = (sum(getattr(one, name) for one in parts) for name in ("repeated", "corrected"))
    for part in (one for one in parts if one.rows):
        begin = bisect_left(kept, part.rows[0].start - DAY, key=lambda one: one.start)
        end = bisect_left(kept, max(_end(part.rows[-1]), part.rows[-1].start + AT_ALL), key=lambda one: one.start)
        there = {(row.start, row.end): row.price for row in part.rows}
        old = [row for row in kept[begin:end] if _replaced(row, part.rows)]
        same = sum(there.get((row.start, row.end)) == row.price for row in old)
        repeated, corrected = repeated + same, corrected + len(old) - same
        stay = [row for row in kept[begin:end] if not _replaced(row, part.rows)]
        kept[begin:end] = sorted([*stay, *part.rows], key=lambda one: one.start)
    return replace(Published.of(kept), repeated=repeated, corrected=corrected)


def stated(series: Series, zone: ZoneInfo) -> list[Row]:
    """The prices of a series, each with its end, as it is known there: also what the published day leaves out."""
    if isinstance(series, Stated):
        ends = [*series.ends]
    else:
        after = [*series.starts[1:], datetime.max.replace(tzinfo=series.starts[0].tzinfo)] if series.starts else []
        ends = [
            nearest if nearest <= start + series.hold or series.carried(start + series.hold, zone) is not None
            else start + series.hold
            for start, nearest in zip(series.starts, after, strict=True)
        ]  # fmt: skip
    every = zip(series.starts, series.prices, ends, strict=True)
    return [Row(0, start, price, end) for start, price, end in every]


def gap(series: Series, at: datetime) -> tuple[datetime | None, datetime | None]:
    """Where the price before a moment without one ends, and where the next begins; None where there is none."""
    index = bisect_right(series.starts, at) - 1
    if index < 0:
        return None, series.starts[0] if series.starts else None
    ends = series.ends[index] if isinstance(series, Stated) else series.starts[index] + series.hold
    return ends, series.starts[index + 1] if index + 1 < len(series.starts) else None


def _end(row: Row) -> datetime:
    return row.end or row.start + AT_ALL


def _replaced(row: Row, by: Sequence[Row]) -> bool:
    """Whether another document says something of the same time."""
    index = bisect_left(by, _end(row), key=lambda one: one.start) - 1
    return index >= 0 and _end(by[index]) > row.start


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
