"""The curves of the page on one common time axis: what was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise, repeat
from zoneinfo import ZoneInfo

Means = list[tuple[datetime, float]]
"""Instants (the start of each interval) and mean values, as the archive gives them."""

Column = list[float | None]
"""A value for each instant of a span; None is a gap and is drawn as one."""

ACTUAL = ("grid", "pv", "battery", "load", "soc")

WIDTHS = (10, 30, 60, 300, 900, 3600)
MOST = 450
"""Intervals of a span at most: about as many as a chart has pixels to spare for."""
BACK, AHEAD = 12.0, 24.0
"""Hours that are shown where nobody chooses others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which time is to be shown: hours back and ahead of now, or a day of the site."""

    back: float = BACK
    ahead: float = AHEAD
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Intervals of `seconds` from `start` to `end`."""

    start: datetime
    end: datetime
    seconds: int

    @property
    def instants(self) -> list[datetime]:
        count = int((self.end - self.start).total_seconds()) // self.seconds
        return [self.start + timedelta(seconds=self.seconds * number) for number in range(count)]


def span_of(asked: Asked, now: datetime, zone: ZoneInfo, poll: float = 1.0) -> Span:
    """In intervals that hold a value of a device read every `poll` seconds."""
    return around(now, asked.back, asked.ahead, poll) if asked.day is None else day(asked.day, zone, poll)


def today(now: datetime, zone: ZoneInfo) -> Span:
    """The day of the site, which has 23 or 25 hours when the clocks change."""
    return day(now.astimezone(zone).date(), zone)


def day(date_: date, zone: ZoneInfo, poll: float = 1.0) -> Span:
    """A day of the site."""
    start, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (date_, date_ + timedelta(days=1)))
    return Span(start, end, _width(24, poll))


def around(now: datetime, back: float, ahead: float, poll: float = 1.0) -> Span:
    """So many hours back and ahead."""
    seconds = _width(back + ahead, poll)
    middle = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    steps = [timedelta(seconds=3600 * hours // seconds * seconds) for hours in (back, ahead)]
    return Span(middle - steps[0], middle + max(steps[1], timedelta(seconds=seconds)), seconds)


def _width(hours: float, poll: float) -> int:
    """Seconds of an interval."""
    fit = (width for width in WIDTHS if 3600 * hours / width <= MOST and width >= 2 * poll)
    return next(fit, WIDTHS[-1])


def clock_change(span: Span, zone: ZoneInfo) -> str:
    """Where the clocks of the site change within a span, in words; empty where they do not."""
    hours = int((span.end - span.start) / timedelta(hours=1))
    local = [(span.start + timedelta(hours=number)).astimezone(zone) for number in range(hours + 1)]
    for before, after in pairwise(local):
        moved = (after.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
        if moved:
            way = "forward" if moved > timedelta() else "back"
            return f"The clocks go {way} by {abs(moved) // timedelta(minutes=1)} min on {after:%a %-d %b}."
    return ""


def actual(means: Mapping[str, Sequence[Means]], span: Span, energies: Sequence[float] = (1.0,)) -> dict[str, Column]:
    """A column per name, the sum of its devices; the load is what grid, battery and PV bring. The SoC is that of all
    batteries together: `energies` in Wh are theirs."""
    shares = {"soc": [energy / sum(energies) for energy in energies]}
    columns = {
        name: total(
            _aligned(one, span, share) for one, share in zip(parts, shares.get(name, repeat(1.0)), strict=False)
        )
        for name, parts in means.items()
    }
    columns["load"] = total(columns.get(name, []) for name in ("grid", "battery", "pv") if means.get(name))
    return columns


def total(columns: Iterable[Column]) -> Column:
    """Sums instant by instant; where one is missing there is no sum."""
    return [
        sum(value for value in row if value is not None) if None not in row else None
        for row in zip(*columns, strict=True)
    ]


def _aligned(means: Means, span: Span, share: float = 1.0) -> Column:
    """So much of each mean in the interval that holds its instant."""
    found = {int((at - span.start).total_seconds()) // span.seconds: share * value for at, value in means}
    return [found.get(number) for number in range(len(span.instants))]
