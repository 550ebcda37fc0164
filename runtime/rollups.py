"""What the archive worked out beforehand: rows per minute, quarter and hour, and how they go together again. Pure."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select

from runtime.points import Place, behind, iso
from schemas.tables import rollup_1h, rollup_1m, rollup_15m

TABLES = {"15m": rollup_15m, "1h": rollup_1h}
_COLUMNS = ("samples", "low", "mean", "high", "last", "twa", "seconds", "plus", "minus")
_LONGEST = 250
"""Letters of eight numbers."""
_decode = json.JSONDecoder().raw_decode


class Bucket(NamedTuple):
    """A point's good numbers in one interval."""

    at: datetime
    """When the interval begins."""
    samples: int
    low: float
    mean: float
    high: float
    last: float
    twa: float
    """The time-weighted mean: each value holds until the next."""
    seconds: float = 0.0
    """How much of the interval is covered."""
    plus: float = 0.0
    minus: float = 0.0
    """The integral over the covered time above and below zero, in hours. Both are positive. Not the energy of the
    interval: that is `History.energies`."""


def single(at: datetime, value: float) -> Bucket:
    """One measured value."""
    return Bucket(at, 1, value, value, value, value, value)


def question(place: Place, start: datetime, end: datetime, resolution: str, *, sqlite: bool) -> Select[Any]:
    """The rows of one resolution, oldest first; `bucket` reads them."""
    site, device, point = place
    c = TABLES.get(resolution, rollup_1m).c
    where = c.site == site, c.device == device, c.at >= start, c.at < end
    if resolution == "1m":
        return select(iso(c.at), behind(c.points, point, _LONGEST, sqlite=sqlite)).where(*where).order_by(c.at)
    columns = (c[name] for name in _COLUMNS)
    return select(iso(c.at), *columns).where(*where, c.point == point).order_by(c.at)


def newest(place: Place, start: datetime, end: datetime, resolution: str) -> Select[Any]:
    """When the last interval of a span begins that has been worked out."""
    site, device, point = place
    c = TABLES.get(resolution, rollup_1m).c
    asked = select(func.max(c.at)).where(c.site == site, c.device == device, c.at >= start, c.at < end)
    return asked.where(c.point == point) if "point" in c else asked


def bucket(row: Any) -> Bucket | None:  # noqa: ANN401  # a row of either shape
    """The interval of a row; None in a minute that does not have the point."""
    at = datetime.fromisoformat(row[0])
    if len(row) > 2:
        return Bucket(at, *row[1:])
    letters = row[1]
    words = letters.decode() if isinstance(letters, bytes) else letters
    if not words.startswith("["):
        return None
    (samples, low, mean, high, last, seconds, plus, minus), _ = _decode(words)
    twa = (plus - minus) * 3600 / seconds if seconds else mean
    return Bucket(at, int(samples), low, mean, high, last, twa, seconds, plus, minus)


def fitting(seconds: int) -> str:
    """The coarsest resolution whose rows make up intervals of so many seconds, or none."""
    return next((name for name, size in (("1h", 3600), ("15m", 900), ("1m", 60)) if seconds % size == 0), "")


def whole(start: datetime, end: datetime, seconds: int) -> tuple[datetime, datetime]:
    """The part of a span that whole intervals of the clock (UTC) fill."""
    first = -(-(start - _ZERO) // timedelta(seconds=seconds))
    return _ZERO + timedelta(seconds=first * seconds), floor(end, seconds)


def floor(at: datetime, seconds: int) -> datetime:
    """When the interval began in which a moment lies."""
    return _ZERO + (at - _ZERO) // timedelta(seconds=seconds) * timedelta(seconds=seconds)


def means(parts: Iterable[tuple[int, float, int]]) -> dict[int, float]:
    """The mean of each interval, out of the sums and counts of its parts."""
    sums: dict[int, tuple[float, int]] = {}
    for slot, total, count in parts:
        known, number = sums.get(slot, (0.0, 0))
        sums[slot] = known + total, number + count
    return {slot: total / count for slot, (total, count) in sorted(sums.items()) if count}


_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
