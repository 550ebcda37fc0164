"""Two hundred readers of a week in a container of 256 MB, as docker-compose.yml gives the page."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.server import free_port
from runtime.database import engine
from runtime.heard import Heard
from schemas.messages import Plan, Step
from schemas.topics import PLAN
from schemas.units import utc_now
from tests import web
from tests.consumers.test_status_page import answering
from tests.consumers.test_status_state import page_site
from tests.timed import FULL

pytestmark = pytest.mark.skipif(not FULL, reason="a week of plans takes its time: make faults")

MOST, READERS = 256e6, 200
EVERY = timedelta(minutes=5)


def plan(at: datetime) -> Plan:
    """48 hours in quarters."""
    steps = [
        Step(
            at=at + timedelta(minutes=15 * number), seconds=900, power=1234.567 + number, soc=50.0,
            grid=8765.432 - number, load=9999.999, pv=123.456, price_import=0.28765, price_export=0.08123,
            marginal_value=0.1,
            reason="discharges at a dear hour, for the peak of the month",
        )
        for number in range(192)
    ]  # fmt: skip
    return Plan(
        id=f"{at:%Y%m%dT%H%M%SZ}", at=at, until=at + timedelta(hours=1), currency="EUR", steps=steps, cost=1.0,
        cost_idle=2.0,
    )  # fmt: skip


async def a_week_of_plans(url: str, site: str, now: datetime) -> None:
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    store = Store(database, lambda _: None)
    await store.open()
    first = now - timedelta(days=7)
    for day in range(7):
        plans = [plan(first + timedelta(days=day) + EVERY * number) for number in range(288)]
        heard = [Heard(PLAN, {"site": site}, one, "", one.model_dump_json().encode(), False, 1) for one in plans]
        await store.keep(sort_out(heard, now)[0])
    await database.dispose()


@contextmanager
def page(site: Path, database: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, without a broker."""
    told = os.environ | {"JOULEBUS_DATABASE": database, "JOULEBUS_BROKER": f"mqtt://127.0.0.1:{free_port()}"}
    command = [sys.executable, "-m", "joulebus.cli", "status", "--site", str(site)]
    process = subprocess.Popen(
        [*command, "--page", f"127.0.0.1:{port}", "--health", f"127.0.0.1:{free_port()}"], env=told
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def most_memory(process: subprocess.Popen[bytes]) -> int:
    """Bytes that it ever had in memory at once."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


async def read(asking: httpx.AsyncClient, number: int) -> int:
    """A page that shows a week, or another span."""
    hours = 168 if number % 4 else 24 + number % 12
    return (await asking.get(f"/api/series?hours={hours}")).status_code


async def test_two_hundred_readers_of_a_week_fit_into_the_page_s_container(tmp_path: Path) -> None:
    now, url, port = utc_now(), f"sqlite+aiosqlite:///{tmp_path}/archive.db", free_port()
    page_site(tmp_path, "plant")
    await a_week_of_plans(url, "plant", now)
    with page(tmp_path / "site.toml", url, port) as process:
        await answering(f"http://127.0.0.1:{port}")
        limits = httpx.Limits(max_connections=READERS)
        async with httpx.AsyncClient(
            verify=web.PLAIN, base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60
        ) as asking:
            codes = Counter(await asyncio.gather(*(read(asking, number) for number in range(READERS))))
            found = (await asking.get("/api/series?hours=168")).json()
        memory = most_memory(process)
    assert set(codes) <= {200, 503}
    assert codes[200] >= 0.75 * READERS
    assert sum(value is not None for value in found["columns"]["plan_grid"]) > 160
    assert memory < MOST
