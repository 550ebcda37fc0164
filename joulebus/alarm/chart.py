"""A curve in letters, for a terminal. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from runtime.alarm_words import number

WIDE, HIGH = 60, 8


def chart(
    curve: Sequence[tuple[datetime, float]], event: datetime, limit: float | None, unit: str, zone: ZoneInfo
) -> list[str]:
    """`*` the curve, `-` the limit, `:` the event; columns without a reading stay empty."""
    begin, end = min(curve[0][0], event), max(curve[-1][0], event)
    span = (end - begin).total_seconds() or 1.0

    def column(at: datetime) -> int:
        return min(WIDE - 1, int((at - begin).total_seconds() / span * WIDE))

    numbers = [value for _, value in curve] + ([limit] if limit is not None else [])
    low, high = min(numbers), max(numbers)
    step = (high - low) / (HIGH - 1) or 1.0

    def row(value: float) -> int:
        return round((high - value) / step)

    grid = [[" "] * WIDE for _ in range(HIGH)]
    for line in grid:
        line[column(event)] = ":"
    if limit is not None:
        grid[row(limit)] = ["-"] * WIDE
    for at, value in curve:
        grid[row(value)][column(at)] = "*"
    marks = [
        number(round(high - step * index, 6), unit) if index % 3 == 0 or index == HIGH - 1 else ""
        for index in range(HIGH)
    ]
    wide = max(len(mark) for mark in marks)
    first, middle, last = (f"{at.astimezone(zone):%H:%M}" for at in (begin, event, end))
    foot = f"{first:<{WIDE - 5}}{last}"
    place = max(6, min(WIDE - 12, column(event) - 2))
    foot = f"{foot[:place]}{middle}{foot[place + 5 :]}"
    return [f"{mark:>{wide}} |{''.join(line).rstrip()}" for mark, line in zip(marks, grid, strict=True)] + [
        f"{'':>{wide}}  {foot}"
    ]
