"""Ten years of one site in an SQLite file: how large it is beside its bound, and how long questions take.

`python -m benchmarks.archive_years --json`. The years are not lived through: the file is filled with what its retention
leaves of them, in the order of time in which an archive writes, with the real tables. Then days are added one by one
and the real retention forgets what is too old, and the real roller makes the last hour. The same site after 30 days is
the measure of the questions. Commands, plans and alarms are left out: benchmarks.archive has their bytes a day.
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consumers.archive import growth
from consumers.archive.migrate import migrate
from consumers.archive.retention import forget
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from runtime.database import engine
from runtime.history import History
from schemas.site import Site
from schemas.site_retention import Retention

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEPT = Retention(raw_days=3, minute_days=60, years=10)
WRITTEN = ("telemetry", "rollup_1m", "rollup_15m", "rollup_1h", "flow", "gap")
EPOCH = "00112233aabbccdd"
DAY = timedelta(days=1)
NUMBER = "round(abs((n.i * 7919 + {k}) % 200003) / 7.0 - 14000, 1)"
AT = "strftime('%Y-%m-%d %H:%M:%S', :first + n.i * {step}, 'unixepoch') || '.000000'"
SPANS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)"
_FOUR = " || ',' || ".join(["{number}"] * 4)
PAIRS = {"telemetry": "{number}", "rollup_1m": "'[60,' || " + _FOUR + " || ',60.0,' || {number} || ',0.0]'"}
"""What stands beside the name of a point."""
_NUMBERS = "samples, low, mean, high, last, twa, seconds, plus, minus"
COLUMNS = {
    "telemetry": "site, device, at, epoch, seq, historical, points",
    "rollup_1m": "site, device, at, points",
    "rollup_15m": f"site, device, point, at, {_NUMBERS}",
    "rollup_1h": f"site, device, point, at, {_NUMBERS}",
    "flow": "site, at, pv_load, pv_battery, pv_grid, grid_load, grid_battery, battery_load, battery_grid",
    "gap": "site, device, at, expected, stored, cause, closed",
}


@dataclass(frozen=True)
class Life:
    """What is written: devices, the points of each, and whole seconds between two samples."""

    names: tuple[str, ...] = ("device_0", "device_1")
    places: tuple[str, ...] = ("p", "u", "i", "e_in", "e_out")
    poll: int = 1
    kept: Retention = KEPT
    site_name: str = "years"

    def bound(self) -> float:
        """Bytes that the tables of it never pass."""
        told = [growth.Source(growth.DAY_S / self.poll, len(self.places))] * len(self.names)
        rates = {name: one for name, one in growth.rates(told, 0, 0, server=False).items() if name in WRITTEN}
        return growth.total(growth.forecast(rates, self.kept, {}))

    def site(self) -> Site:
        device = {"profile": "janitza_umg96rme", "address": "tcp://127.0.0.1:502", "poll": float(self.poll)}
        return Site.model_validate(
            {
                "site": self.site_name,
                "tariff": "tariff.toml",
                "grid": {"meter": self.names[0], "import_limit": 1000, "export_limit": 0},
                "device": [device | {"name": name, "unit": n} for n, name in enumerate(self.names)],
            }
        )


def write(file: Path, life: Life, first: datetime, last: datetime, tables: tuple[str, ...] = WRITTEN) -> int:
    """Rows of some tables for a span, as an archive writes them: by time, device after device. How many those are."""
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA synchronous = OFF")  # nobody measures how fast this is
        rows = sum(
            database.execute(_statement(table, life), _span(table, life, first, last)).rowcount for table in tables
        )
    database.close()
    return rows


STEPS = {"rollup_1m": 60, "rollup_15m": 900, "rollup_1h": 3600, "flow": 900, "gap": 3600}


def _span(table: str, life: Life, first: datetime, last: datetime) -> dict[str, Any]:
    start = int(first.timestamp())
    return {"first": start, "count": (int(last.timestamp()) - start) // STEPS.get(table, life.poll)}


def _statement(table: str, life: Life) -> str:
    """How one table is filled; nothing of it is given from outside."""
    step, number = STEPS.get(table, life.poll), NUMBER.format(k=1)
    at, samples = AT.format(step=step), step // life.poll
    columns = {
        "telemetry": f"d.column1, {at}, '{EPOCH}', :first + n.i * {step}, 0, {_body(table, life)}",
        "rollup_1m": f"d.column1, {at}, {_body(table, life)}",
        "flow": f"{at}{f', {number}' * 7}",
        "gap": f"d.column1, {at}, {samples}, {samples}, '', {at}",
    }.get(table, f"d.column1, p.column1, {at}, {samples}{f', {number}' * 5}, {step}.0, {number}, {number}")
    beside = "" if table == "flow" else f" CROSS JOIN (VALUES {_listed(life.names)}) d"
    beside += f" CROSS JOIN (VALUES {_listed(life.places)}) p" if "p.column1" in columns else ""
    return f"INSERT INTO {table} ({COLUMNS[table]}) {SPANS} SELECT '{life.site_name}', {columns} FROM n{beside}"  # noqa: S608


def _listed(names: tuple[str, ...]) -> str:
    return ",".join(f"('{name}')" for name in names)


def _body(table: str, life: Life) -> str:
    """The points as JSON, put together by the database."""
    if table not in PAIRS:
        return ""
    pairs = [
        f"'\"{name}\":' || " + PAIRS[table].format(number=NUMBER.format(k=k)) for k, name in enumerate(life.places)
    ]
    return "'{' || " + " || ',' || ".join(pairs) + " || '}'"


def size(file: Path) -> int:
    """Bytes of the file and of the log beside it."""
    return sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*") if not one.name.endswith("-shm"))


async def live(file: Path, life: Life, years: float, days: int) -> dict[str, float]:
    """Fill a file with what is left of some years, live some days more, and say what happened."""
    url = f"sqlite+aiosqlite:///{file}"
    await asyncio.to_thread(migrate, url)
    begin = NOW - timedelta(days=years * 365.25)
    since = {"telemetry": life.kept.raw_days, "rollup_1m": life.kept.minute_days}
    rows = 0
    for table in WRITTEN:
        first = max(begin, NOW - since[table] * DAY) if table in since else begin
        rows += write(file, life, first, NOW, (table,))
    filled, most = size(file), 0
    database = engine(url, patience=600)
    roller = Roller(database, life.site(), Store(database, lambda _: None))
    gone, forgetting, rolling = 0, 0.0, 0.0
    for day in range(days):
        now = NOW + DAY * (day + 1)
        write(file, life, now - DAY, now)
        began = time.perf_counter()
        gone += await forget(database, "years", life.kept, now)
        forgetting += time.perf_counter() - began
        began = time.perf_counter()
        await asyncio.to_thread(_mark, file, life, now)
        await roller.roll(now + timedelta(minutes=5))
        rolling += time.perf_counter() - began
        most = max(most, size(file))
    await database.dispose()
    return {
        "rows": rows, "filled_mb": filled / 1e6, "file_mb": max(filled, most) / 1e6, "forgotten_rows": gone,
        "forget_s_per_day": forgetting / max(1, days), "roll_an_hour_s": rolling / max(1, days),
    }  # fmt: skip


def _mark(file: Path, life: Life, now: datetime) -> None:
    """The minutes of the last hour, as telemetry that was stored again would."""
    marks = [
        ("years", name, 60, f"{now - timedelta(minutes=n):%Y-%m-%d %H:%M:%S}.000000", 1)
        for name in life.names
        for n in range(1, 60)
    ]
    with sqlite3.connect(file) as database:
        database.executemany("INSERT INTO dirty (site, device, span, at, turn) VALUES (?, ?, ?, ?, ?)", marks)
    database.close()


async def questions(file: Path, life: Life) -> dict[str, float]:
    """The shortest of some answers to each, in ms."""
    database = engine(f"sqlite+aiosqlite:///{file}")
    history, place = History(database), ("years", life.names[-1], life.places[-1])
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "month_15min": lambda: history.buckets(*place, NOW - 30 * DAY, NOW, "15m"),
        "day_raw": lambda: history.numbers(*place, NOW - DAY, NOW),
        "latest": lambda: history.latest("years"),
        "month_flows": lambda: history.flows("years", NOW - 30 * DAY, NOW),
        "week_gaps": lambda: history.gaps("years", NOW - 7 * DAY, NOW),
    }
    found = {}
    for name, question in asked.items():
        took = []
        for _ in range(5):
            began = time.perf_counter()
            assert await question(), name
            took.append(time.perf_counter() - began)
        found[name] = min(took) * 1000
    await database.dispose()
    return found


async def measure(folder: Path, life: Life, years: float, days: int) -> dict[str, float]:
    """The long life beside 30 days of the same site, in the same run."""
    long, short = folder / "years.db", folder / "month.db"
    found = await live(long, life, years, days)
    await live(short, life, 30 / 365.25, 0)
    found |= {"bound_mb": life.bound() / 1e6, "size_to_bound": found["file_mb"] * 1e6 / life.bound()}
    after, before = await questions(long, life), await questions(short, life)
    for name, took in after.items():
        found |= {f"{name}_ms": took, f"{name}_to_30_days": took / before[name]}
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--years", type=float, default=10.0)
    parser.add_argument("--days", type=int, default=2, help="that are lived after them")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--points", type=int, default=5, help="of each device")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        life = Life(
            tuple(f"device_{n}" for n in range(wish.devices)), ("p", *(f"p_{n}" for n in range(1, wish.points)))
        )
        found = asyncio.run(measure(Path(folder), life, wish.years, wish.days))
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<24} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
