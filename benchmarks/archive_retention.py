"""How fast the embedded archive forgets while it stores: `python -m benchmarks.archive_retention --json`.

Rows of 50 points that are too old, deleted beside a commit each 50 ms and the rollups of what these bring.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from consumers.archive.migrate import migrate
from consumers.archive.oldest import forget_older
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.database import engine, writing
from runtime.heard import Heard
from schemas.messages import Telemetry
from schemas.site_file import load_site
from schemas.tables import telemetry
from schemas.topics import TELEMETRY
from schemas.units import utc_now

SITE = load_site(Path(__file__).resolve().parent.parent / "site.toml")
BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
DEVICES = 4
PAUSE = 0.05
"""Seconds between two commits."""
FILL = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :rows - 1)
    INSERT INTO telemetry SELECT :site, 'device_' || (i % 4), strftime('%Y-%m-%d %H:%M:%S', '2026-06-01',
    '+' || (i / 4) || ' seconds') || '.000000', '00112233aabbccdd', i / 4, 0, :points, NULL FROM n"""
"""A row each second of each device."""
POINTS = "{" + ",".join(f'"p_{n}":{n * 7.3:.1f}' for n in range(50)) + "}"


async def measure(url: str, rows: int = 200_000) -> dict[str, float]:
    """On an empty SQLite file: rows a second that go, and how long the slowest commit beside it took."""
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    store, waits = Store(database, lambda _: None), [0.0]
    try:
        async with writing(database) as connection:
            await connection.execute(text(FILL), {"rows": rows, "site": SITE.site, "points": POINTS})
        beside = [
            asyncio.create_task(_storing(store, waits)),
            asyncio.create_task(_rolling(Roller(database, SITE, store))),
        ]
        await asyncio.sleep(10 * PAUSE)
        began = time.monotonic()
        gone = await forget_older(database, telemetry, SITE.site, BEGAN + timedelta(seconds=rows // DEVICES * 0.9))
        took = time.monotonic() - began
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    finally:
        await database.dispose()
    return {
        "retention_rows_per_s_under_load": round(gone / took),
        "commit_beside_retention_ms": round(max(waits) * 1000),
    }


async def _storing(store: Store, waits: list[float]) -> None:
    number = 0
    while True:
        number += 1
        one = Telemetry(at=utc_now(), epoch="ffeeddccbbaa9988", seq=number, values={f"p_{n}": 1.5 for n in range(50)})
        heard: list[Heard[Any]] = [Heard(TELEMETRY, {"site": SITE.site, "device": "pcs"}, one, "", b"", False, number)]
        began = time.monotonic()
        await store.keep(sort_out(heard, utc_now())[0])
        waits.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE)


async def _rolling(roller: Roller) -> None:
    while True:
        await roller.roll(utc_now() + timedelta(hours=2))
        await asyncio.sleep(PAUSE)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--rows", type=int, default=200_000, help="that are there; nine of ten are too old")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = await measure(f"sqlite+aiosqlite:///{folder}/archive.db", wish.rows)
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<34} {value}" for name, value in found.items()))


if __name__ == "__main__":
    asyncio.run(main())
