"""How fast the archive answers, on the real MariaDB: `python -m benchmarks.archive_query --json`.

One device of 50 points at 1 Hz. `--days 30` is 2.6 million rows and takes some minutes and GB; `--pool` is the server's
buffer pool in MB: a day of telemetry that does not fit is read from the disk and unpacked at each question.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from consumers.archive.migrate import migrate
from joulebus.mariadb import MariaDB
from runtime.database import engine, writing
from runtime.history import History

START = datetime(2026, 6, 1, tzinfo=UTC)
POINTS = 50
PLACE = ("plant", "pcs", f"point_{POINTS // 2}")
TELEMETRY = """
    INSERT INTO telemetry (site, device, at, epoch, seq, historical, points)
    SELECT 'plant', 'pcs', :start + INTERVAL seq SECOND, '00112233aabbccdd', seq, 0, concat(:first, seq, :rest)
    FROM seq_0_to_86399"""
ROLLUPS = """
    INSERT INTO rollup_15m (site, device, point, at, samples, low, mean, high, last, twa, seconds, plus, minus)
    SELECT 'plant', 'pcs', concat('point_', p.seq), '2026-06-01' + INTERVAL s.seq * 900 SECOND,
        900, 1, rand() * 1000, 3, 4, 5, 900, 7, 8
    FROM seq_0_to_2879 s, seq_0_to_49 p"""


async def fill(history: History, days: int) -> None:
    """Telemetry of some days, and 30 days of rollups."""
    async with writing(history.engine) as connection:
        await connection.execute(text(ROLLUPS))
    for day in range(days):
        values = ",".join(f'"point_{n}":{random.uniform(-1000, 1000):.1f}' for n in range(POINTS))
        parts = {"start": START + timedelta(days=day), "first": '{"count":', "rest": f",{values}}}"}
        async with writing(history.engine) as connection:
            await connection.execute(text(TELEMETRY), parts)


async def best(question: Callable[[], Awaitable[Any]], times: int = 5) -> float:
    """The shortest of some answers, in ms: what is left is what others did to the machine."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        assert await question()
        took.append(time.perf_counter() - began)
    return round(min(took) * 1000, 1)


async def measure(url: str, days: int) -> dict[str, float]:
    database = engine(url, patience=600)
    history = History(database)
    await fill(history, days)
    month, day = START + timedelta(days=30), START + timedelta(days=1)
    try:
        return {
            "rows": days * 86_400,
            "query_30d_15min_ms": await best(lambda: history.buckets(*PLACE, START, month, "15m")),
            "query_1d_raw_ms": await best(lambda: history.numbers(*PLACE, START, day)),
            "latest_ms": await best(lambda: history.latest("plant")),
        }
    finally:
        await database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1, help="of telemetry at 1 Hz; 30 are 2.6 million rows [1]")
    parser.add_argument("--pool", type=int, default=256, help="MB of the server's buffer pool [256]")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = MariaDB(Path(folder))
        server.command.append(f"--innodb-buffer-pool-size={parsed.pool}M")
        server.start()
        try:
            url = server.database()
            migrate(url)
            found = asyncio.run(measure(url, parsed.days))
        finally:
            server.stop()
    print(json.dumps(found) if parsed.json else "\n".join(f"{name:20} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
