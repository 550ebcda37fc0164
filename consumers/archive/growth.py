"""How large an archive becomes, before it does: rows a day, bytes a row and days kept of each table. Pure.

What a site writes follows from its devices and polls; how often somebody commands, or an alarm comes, is assumed at a
full rhythm. Where an archive is there already, what is measured in it stands in place of what is assumed, and of what
follows from the polls where it is more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, inf

from schemas.retention import KEEPING, days
from schemas.site import Site
from schemas.site_retention import Retention

DAY_S = 86_400
PAGE, LOCAL, LEAST = 4096, 1002, 489
"""Bytes of SQLite's page, and of a row at most and at least in its own page of a table without rowid: the rest of a
longer one takes whole pages (sqlite.org/fileformat2.html, "cell payload overflow pages")."""
FILL = 0.55
"""Of a page that is split because rows come in between those of other devices; benchmarks.archive_years has 0.6 and
more."""
PACKED = 0.4
"""What page compression leaves on MariaDB. Measured: 0.2 to 0.35."""
COMPRESSED = {"telemetry", "rollup_1m", "rollup_15m", "rollup_1h"}
OPEN = {"command", "outcome", "journal"}
OPEN_DAYS = 1 / 24
"""Their rows wait half an hour until they are closed as a segment; `run` and `segment` are what is kept of them."""
POLLED = {"telemetry", "rollup_1m", "rollup_15m", "rollup_1h"}
"""How many rows they get follows from the devices and their polls; of the others it is assumed until it is measured."""
LOG = 32e6
"""Bytes of the log beside SQLite's file, and of pages between deleted and new rows."""
MARGIN = 1.15
"""Over what was measured: a year has busy days."""

NAMES, AT, EPOCH = 30, 28, 18
VALUE, ROLLED, STEP = 20, 80, 45
"""Bytes of a point in a sample and in a minute, with its name, and of a step of a plan, which is kept packed. Measured:
5.3 kB of a plan of 144 steps."""
COMMANDS = DAY_S / 5
"""A day and commanded device: half the life of a command. Each has two outcomes."""
PLANS, ALARMS, STATES, CONTROLS, DOUBTS = 1440, 300, 100, 400, 100
"""A day: a plan each minute; the states of each device."""
LONGEST = 200 * 365
"""Days looked ahead."""


@dataclass(frozen=True)
class Source:
    """A device: samples a day, and points of each."""

    samples: float
    points: int


@dataclass(frozen=True)
class Rate:
    """Rows a day, and the bytes of one on the disk."""

    rows: float
    size: float


@dataclass(frozen=True)
class Line:
    """One table: `days` 0 for ever. `bound`: bytes that it does not pass, infinite when it is kept for ever.

    `filled`: bytes that it has now.
    """

    table: str
    rows_per_day: float
    bytes_per_row: float
    days: float
    bound: float
    filled: float = 0.0

    @property
    def per_day(self) -> float:
        """Bytes a day until it has its size."""
        return self.rows_per_day * self.bytes_per_row


@dataclass(frozen=True)
class Measured:
    """Of a table that is there: its rows and bytes now, and the rows of the last whole day, if it saw one."""

    rows: int
    size: int
    last_day: int | None = None


def sources(site: Site) -> list[Source]:
    """What the devices of a site write."""
    return [Source(DAY_S / one.poll, len(site.profiles[one.name].points)) for one in site.devices]


def rates(told: list[Source], commanded: int, loads: int, *, server: bool, steps: int = 144) -> dict[str, Rate]:
    """Of every table, by what is written. `server`: on MariaDB. `steps` of a plan."""
    points, rows = sum(one.points for one in told), sum(one.samples for one in told)
    values = sum(one.samples * one.points for one in told) / rows if rows else 0.0
    wide = max((one.points for one in told), default=0)
    numbers = NAMES + AT + 9 * 9
    acts = commanded * COMMANDS
    found = {
        "telemetry": (rows, NAMES + AT + EPOCH + 10 + VALUE * values),
        "dirty": (0.0, NAMES + AT + 12),
        "rollup_1m": (1440.0 * len(told), NAMES + AT + ROLLED * (points / len(told) if told else 0.0)),
        "rollup_15m": (96.0 * points, numbers),
        "rollup_1h": (24.0 * points, numbers),
        "flow": (96.0, AT + NAMES + 7 * 9),
        "load_energy": (96.0 * (loads + 1 if loads else 0), AT + 2 * NAMES + 9),
        "energy": (96.0 * len(told), 2 * AT + 2 * NAMES),
        "money": (96.0, AT + NAMES + 25 * 9),
        "money_day": (1.0, AT + NAMES + 30 * 9),
        "unpriced": (0.0, AT + NAMES),
        "gap": (24.0 * len(told), 3 * AT + 2 * NAMES + 20),  # with its index
        "plan": (float(PLANS), float(STEP * steps)),
        "command": (acts, 600.0),
        "outcome": (2 * acts, 400.0),
        "journal": (3 * acts, 320.0),
        "segment": (acts / 1000, 100_000.0),
        "run": (acts / 100, 4000.0),
        "alarm": (float(ALARMS), 800.0),
        "device_status": (float(STATES * len(told)), 500.0),
        "control": (float(CONTROLS), 900.0),
        "quarantine": (float(DOUBTS), 2 * AT + NAMES + VALUE * wide),
        "dead_letter": (float(DOUBTS), 4096.0),
        "horizon": (0.0, NAMES + AT),
    }
    return {name: Rate(each, _on_disk(name, payload, server=server)) for name, (each, payload) in found.items()}


def _on_disk(table: str, payload: float, *, server: bool) -> float:
    if server:
        return payload / FILL * (PACKED if table in COMPRESSED else 1.0)
    if payload <= LOCAL:
        return payload / FILL
    return LOCAL / FILL + ceil((payload - LEAST) / (PAGE - 4)) * PAGE


def forecast(told: Mapping[str, Rate], kept: Retention, measured: Mapping[str, Measured]) -> list[Line]:
    """A line for each table, the largest first. KeyError for a table that nobody gave a class."""
    found = []
    for name, rate in told.items():
        there = measured.get(name, Measured(0, 0))
        rows = _rows(name, rate, there)
        size = there.size / there.rows * MARGIN if there.rows >= 1000 and there.size else rate.size
        span = OPEN_DAYS if name in OPEN else days(kept, KEEPING[name].key)
        bound = _days(name, span or inf, kept) * rows * size if rows else 0.0
        found.append(Line(name, rows, size, span, bound, float(there.size)))
    return sorted(found, key=lambda one: (-one.bound, -one.per_day, one.table))


def _rows(table: str, rate: Rate, there: Measured) -> float:
    """A day. What devices and polls tell is no less on the day after one on which half of the devices were silent."""
    if there.last_day is None or table in OPEN:  # of those only what is not closed yet could be counted
        return rate.rows
    seen = there.last_day * MARGIN
    return max(seen, rate.rows) if table in POLLED else seen


def _days(table: str, span: float, kept: Retention) -> float:
    """Days of the full rhythm that a table holds: partitions go when their last hour is too old, plans are thinned."""
    if table == "telemetry":
        return span + (1 if kept.raw_days < 60 else 7)
    if table in OPEN:
        return span
    if table == "plan" and 0 < kept.plan_days < span:
        return kept.plan_days + 1 + (span - kept.plan_days) * 24 / PLANS
    return span + 1  # what is too old waits for the next round


def total(lines: list[Line]) -> float:
    """Bytes that all tables together do not pass; infinite when one is kept for ever and grows."""
    return sum(one.bound for one in lines) + LOG


def size_in(lines: list[Line], ahead: float) -> float:
    """Bytes after so many days; never more than the bound."""
    return LOG + sum(min(one.filled + one.per_day * ahead, max(one.bound, one.filled)) for one in lines)


def full_on(lines: list[Line], free: float, now: datetime) -> datetime | None:
    """The day on which the disk would be full; None when all finds its place."""
    if not free < size_in(lines, LONGEST) - size_in(lines, 0):
        return None
    low, high = 0, LONGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if size_in(lines, middle) - size_in(lines, 0) > free else (middle, high)
    return now + timedelta(days=high)
