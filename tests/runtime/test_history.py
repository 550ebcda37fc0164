"""Reading what the archive keeps, on both databases."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert

from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from runtime.stored_counts import Counts
from schemas.messages import Telemetry
from schemas.tables import telemetry
from schemas.topics import TELEMETRY
from schemas.units import LARGEST, Quality

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EPOCH, OTHER = "00112233aabbccdd", "ffeeddccbbaa9988"


@pytest.fixture
def url(archive_url: str) -> str:
    return archive_url


@pytest.fixture
async def history(url: str) -> AsyncIterator[History]:
    database = engine(url)
    yield History(database)
    await database.dispose()


def sample(seq: int, second: float, device: str = "pcs", **more: Any) -> tuple[str, Telemetry]:
    said = {"at": NOON + timedelta(seconds=second), "epoch": EPOCH, "seq": seq, "values": {"p": float(seq)}} | more
    return device, Telemetry.model_validate(said)


async def keep(history: History, *samples: tuple[str, Telemetry], site: str = "plant") -> None:
    heard: list[Heard[Any]] = [
        Heard(TELEMETRY, {"site": site, "device": device}, said, "", b"", False, 1) for device, said in samples
    ]
    await Store(history.engine, pytest.fail).keep(sort_out(heard, NOON + timedelta(days=40))[0])


async def means(history: History, seconds: int = 900, hours: float = 1, point: str = "p") -> list[tuple[float, float]]:
    """Second after noon and mean."""
    found = await history.means("plant", "pcs", point, NOON, NOON + timedelta(hours=hours), seconds)
    return [((at - NOON).total_seconds(), mean) for at, mean in found]


async def test_means_lie_on_the_clock_and_the_end_is_excluded(history: History) -> None:
    await keep(history, sample(1, -0.000001), sample(2, 0), sample(4, 899.999999), sample(8, 900), sample(9, 3600))
    assert await means(history) == [(0, 3.0), (900, 8.0)]


async def test_an_interval_begins_on_the_clock_wherever_one_asks(history: History) -> None:
    await keep(history, sample(1, 100), sample(3, 1000))
    found = await history.means("plant", "pcs", "p", NOON + timedelta(seconds=50), NOON + timedelta(hours=1), 900)
    assert found == [(NOON, 1.0), (NOON + timedelta(seconds=900), 3.0)]
    assert all(at.utcoffset() == timedelta(0) for at, _ in found)


async def test_only_good_numbers_count(history: History) -> None:
    await keep(
        history,
        sample(1, 1, values={"p": 10.0, "state": "3_phase", "flags": ["hot"]}),
        sample(2, 2, values={"p": 99.0, "q": 1.0}, quality={"p": Quality.IMPLAUSIBLE}),
        sample(3, 3, values={"q": 5.0}),
        sample(4, 4, values={"p": 20.0}, quality={"q": Quality.STALE}),
        sample(5, 5, values={"p": "standby"}),
        sample(6, 1000, values={"p": 1.0}, quality={"p": Quality.FROZEN}),
    )
    assert await means(history) == [(0, 15.0)]
    assert await means(history, point="q") == [(0, 3.0)]
    assert await means(history, point="state") == []
    assert await means(history, point="flags") == []
    assert await means(history, point="no-such") == []


@pytest.mark.parametrize("value", [0.0, -0.5, 1e-7, 1.5e20, -LARGEST, 0.1 + 0.2, 123456789.123])
async def test_every_number_is_read_exactly(history: History, value: float) -> None:
    await keep(history, sample(1, 1, values={"p": value, "p-2": -value}))
    assert await means(history) == [(0, value)]
    assert await means(history, point="p-2") == [(0, -value)]


async def test_means_agree_with_means_made_by_hand(history: History) -> None:
    random, samples, expected = Random(7), [], defaultdict(list)
    for seq in range(1, 2000):
        second, value = random.uniform(0, 7200), random.gauss(0, 1000)
        at = NOON + timedelta(seconds=second)
        samples.append(sample(seq, second, values={"x": 1.0, "p": value}))
        expected[(at - NOON) // timedelta(seconds=60)].append(value)
    await keep(history, *samples)
    found = dict(await means(history, 60, 2))
    assert found == pytest.approx({60 * n: sum(some) / len(some) for n, some in expected.items()})


async def test_other_sites_and_devices_do_not_mix_in(history: History) -> None:
    await keep(history, sample(1, 1), sample(5, 1, "bms"))
    await keep(history, sample(9, 1), site="another")
    assert await means(history) == [(0, 1.0)]
    assert list(await history.latest("another")) == ["pcs"]


async def test_the_latest_of_every_device_without_what_is_not_good(history: History) -> None:
    assert await history.latest("plant") == {}
    await keep(
        history, sample(1, 1), sample(2, 3, values={"p": 7.0, "on": "yes", "t": 1.0}, quality={"t": Quality.STALE})
    )
    await keep(history, sample(3, 2, historical=True), sample(4, 1, "bms", values={"alarms": ["hot", "low"]}))
    await keep(history, sample(5, 9, "zzz"), site="plant2")
    assert await history.latest("plant") == {
        "pcs": (NOON + timedelta(seconds=3), {"p": 7.0, "on": "yes"}),
        "bms": (NOON + timedelta(seconds=1), {"alarms": ["hot", "low"]}),
    }


async def test_counts_tell_a_sample_that_is_stored_twice(history: History) -> None:
    await keep(history, sample(1, 1), sample(2, 2), sample(2, 2, "bms"), sample(3, -5))
    assert await history.counts("plant", NOON) == Counts(rows=3, samples=3, instants=3)
    row = {"site": "plant", "device": "pcs", "epoch": EPOCH, "historical": False, "points": "{}"}
    async with history.engine.begin() as connection:  # past the archive, as only a mistake could
        await connection.execute(insert(telemetry), row | {"seq": 2, "at": NOON + timedelta(seconds=2.5)})
        await connection.execute(insert(telemetry), row | {"seq": 7, "at": NOON + timedelta(seconds=2)})
    assert await history.counts("plant", NOON) == Counts(rows=5, samples=4, instants=4)


async def test_sequences_are_the_ranges_of_each_device_in_one_outbox(history: History) -> None:
    seqs = [1, 2, 3, 7, 8, 10]
    await keep(history, *(sample(seq, 100 - seq) for seq in seqs), sample(4, 0, "bms"), sample(5, 0, epoch=OTHER))
    assert await history.sequences("plant", EPOCH) == {"pcs": [(1, 3), (7, 8), (10, 10)], "bms": [(4, 4)]}
    assert await history.sequences("plant", OTHER) == {"pcs": [(5, 5)]}
    assert await history.sequences("plant", "0" * 16) == {}


@pytest.mark.parametrize(
    ("url", "absent"),
    [("sqlite+aiosqlite:///x.db", "asyncmy"), ("mariadb+asyncmy://u:p@127.0.0.1:1/x", "aiosqlite")],
)
def test_a_process_only_loads_the_driver_it_uses(url: str, absent: str) -> None:
    script = (
        "import sys; from runtime.database import engine; from runtime.history import History;"
        f"History(engine({url!r})); assert {absent!r} not in sys.modules;"
        "assert not {'alembic', 'pandas', 'numpy', 'fastapi'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
