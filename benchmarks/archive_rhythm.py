"""How many bytes a site at full rhythm writes into its archive in a day: `python -m benchmarks.archive_rhythm --json`.

Full rhythm: each of the two batteries of site.toml gets a command every 5 s, half the life of one, each with two
outcomes; a plan of 48 h by quarters is made every minute; 300 alarms change. These are the actions and the plans. The
total has a sample a second of each of its six devices beside them, with the rollups. An hour is lived through the real
store and roller, and the file that grew is asked page by page.
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from consumers.archive.migrate import migrate
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.database import engine
from runtime.heard import Heard
from schemas import messages as m
from schemas import topics
from schemas.site_file import load_site
from schemas.units import utc_now

SITE = load_site(Path(__file__).resolve().parent.parent / "site.toml")
MEASURED = ("telemetry", "rollup_1m", "rollup_15m", "rollup_1h", "flow", "load_energy", "gap", "dirty")
"""The tables that grow with the samples; all others hold what was wanted, done, planned and said."""
EPOCH = "00112233aabbccdd"
BLOCK = 300
"""Seconds that are stored at once."""


def actions(start: datetime, seconds: int) -> Iterator[Heard[Any]]:
    """Commands, outcomes, plans and alarms of some time."""
    for second in range(0, seconds, 5):
        at = start + timedelta(seconds=second)
        for device in SITE.pcs:
            name = f"{at:%H%M%S}-{device}"
            power = round(1000.0 * (second % 97) - 40_000.3, 1)
            yield _heard(
                topics.COMMAND, device=device,
                said=m.Command(
                    id=name, at=at, until=at + timedelta(seconds=10), source="dispatch", authority=m.Authority.PLAN,
                    values={"p_set": power}, epoch=EPOCH, number=second + 1, reason="the plan charges: prices rise",
                    signature="0" * 64,
                ),
            )  # fmt: skip
            for state in (m.OutcomeState.APPLIED, m.OutcomeState.VERIFIED):
                yield _heard(topics.OUTCOME, device=device, said=m.Outcome(id=name, at=at, state=state))
    for minute in range(seconds // 60):
        yield _heard(topics.PLAN, said=plan(start + timedelta(minutes=minute)))


def plan(at: datetime) -> m.Plan:
    """48 hours by quarters, with numbers as an optimizer gives them."""
    steps = [
        m.Step(
            at=at + timedelta(minutes=15 * n), seconds=900.0, power=1234.567 * (n % 17) - 9876.5,
            soc=50 + 0.2345 * (n % 99),
            grid=98_765.432 - 321.987 * n, load=87_654.321 + 12.345 * n, pv=max(0.0, 54_321.123 - 567.891 * n),
            price_import=0.2345 + 0.0011 * (n % 24), price_export=0.0789, marginal_value=0.1234 + 0.0007 * n,
            reason="charges from the sun: the evening is dearer",
        )
        for n in range(192)
    ]  # fmt: skip
    return m.Plan(
        id=f"{at:%Y%m%d%H%M}", at=at, until=at + timedelta(hours=48), currency="EUR", steps=steps, cost=123.45,
        cost_idle=150.5, inputs={"meter": 1.0, "prices": 3600.0},
    )  # fmt: skip


def samples(start: datetime, seconds: int) -> Iterator[Heard[Any]]:
    """Each device of the site once a second, with all its points."""
    for second in range(seconds):
        for device in SITE.device:
            values: dict[str, m.Value] = {
                name: round(5000.0 + 13.7 * ((second * (n + 3)) % 613), 1)
                for n, name in enumerate(SITE.profiles[device.name].points)
            }
            at = start + timedelta(seconds=second)
            one = m.Telemetry(at=at, epoch=EPOCH, seq=int(at.timestamp()), values=values)
            yield _heard(topics.TELEMETRY, device=device.name, said=one)


def _heard(topic: topics.Topic[Any], said: BaseModel, **place: str) -> Heard[Any]:
    return Heard(topic, {"site": SITE.site, **place}, said, "", said.model_dump_json().encode(), False, 1)


async def measure(folder: Path, seconds: int = 3600) -> dict[str, float]:
    """Live some time in a new file; bytes a day of actions with plans, and of all."""
    file = folder / "day.db"
    url = f"sqlite+aiosqlite:///{file}"
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    store, roller = Store(database, lambda _: None), Roller(database, SITE, Store(database, lambda _: None))
    end = utc_now().replace(minute=0, second=0, microsecond=0)
    before = await asyncio.to_thread(pages, file)
    for begin in range(0, seconds, BLOCK):
        start = end - timedelta(seconds=seconds - begin)
        for said in (actions, samples):
            batch = list(said(start, BLOCK))
            for first in range(0, len(batch), 1000):
                await store.keep(sort_out(batch[first : first + 1000], utc_now())[0])
    await roller.roll(utc_now() + timedelta(hours=1))
    await database.dispose()
    after = await asyncio.to_thread(pages, file)
    grown = {name: (size - before.get(name, 0)) * 86_400 / seconds for name, size in after.items()}
    acts = sum(size for name, size in grown.items() if name not in MEASURED)
    return {
        "day_bytes_per_site": round(acts),
        "day_bytes_per_site_total": round(sum(grown.values())),
        "plan_bytes": round(grown["plan"] / 1440),
    }


def pages(file: Path) -> dict[str, int]:
    """Bytes of each table with its indexes. Not every build of SQLite has its table of pages."""
    with sqlite3.connect(file) as database:
        asked = "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master s ON s.name = d.name GROUP BY 1"
        found = dict(database.execute(asked))
    database.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--seconds", type=int, default=3600, help="that are lived")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), wish.seconds))
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<26} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
