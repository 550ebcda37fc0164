"""CSVs of a small site that never was, and the spans made of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path
from zoneinfo import ZoneInfo

from joulebus.backtest.prepare import Prepared, prepare
from joulebus.backtest.site import Flags, of_flags

START = datetime(2025, 3, 3, tzinfo=UTC)
"""A Monday."""
QUARTER = timedelta(minutes=15)
BATTERY = Flags(
    battery_kw=50, battery_kwh=100, demand_eur_per_kw=15, timezone="UTC", import_price=0.2, export_price=0.05
)
HEADER = "timestamp_utc,load_kw,pv_kw"

Row = tuple[datetime, float, float]


def load(at: datetime) -> float:
    """kW: a night of 20, a working day of 60 with a peak at noon that differs by the day."""
    hour = at.hour + at.minute / 60
    busy = at.weekday() < 5 and 7 <= hour < 18
    return 20 + (40 if busy else 0) + (30 + 5 * (at.day % 4) if busy and 11 <= hour < 13 else 0)


def pv(at: datetime) -> float:
    """kW: half a sine from 7 to 19, less on every third day."""
    hour = at.hour + at.minute / 60
    return 80 * max(0.0, sin(pi * (hour - 7) / 12)) * (0.3 if at.day % 3 == 0 else 1.0) if 7 <= hour < 19 else 0.0


def rows(days: float, start: datetime = START) -> list[Row]:
    """A quarter after the other."""
    times = [start + i * QUARTER for i in range(round(96 * days))]
    return [(at, load(at), pv(at)) for at in times]


def lines(given: Sequence[Row]) -> list[str]:
    """As they stand in a CSV."""
    return [HEADER, *(f"{at:%Y-%m-%dT%H:%M:%SZ},{load:.3f},{pv:.3f}" for at, load, pv in given)]


def write(path: Path, text: Sequence[str]) -> Path:
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def prepared(path: Path, begin: str, days: int, flags: Flags = BATTERY) -> Prepared:
    """A span out of a file, by flags."""
    zone = ZoneInfo(flags.timezone or "UTC")
    return prepare(path, begin, days, zone, lambda priced: of_flags(flags, priced))


Change = Callable[[list[str]], list[str]]
"""Of the lines of a CSV."""
