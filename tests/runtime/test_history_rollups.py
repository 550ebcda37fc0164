"""Curves out of rollups, energy, flows, gaps and the views, on both databases."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, insert, text

from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from runtime.resolution import fitting
from runtime.stored_counts import Gap
from schemas import messages as m
from schemas import tables, topics
from schemas.site_file import load_site
from schemas.units import Quality
from schemas.views import VIEWS

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
EPOCH = "00112233aabbccdd"
SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")


@pytest.fixture
async def history(archive_url: str) -> AsyncIterator[History]:
    """Over a fresh, migrated database."""
    database = engine(archive_url)
    yield History(database)
    await database.dispose()


class Archive:
    """What the archive does, by hand."""

    def __init__(self, history: History) -> None:
        self.store = Store(history.engine, lambda words: pytest.fail(words) if words else None)
        self.roller = Roller(history.engine, SITE, self.store)

    async def keep(self, device: str, *samples: tuple[float, Mapping[str, Any]], first: int = 1, **more: Any) -> None:
        said = [
            m.Telemetry(at=NOON + timedelta(seconds=second), epoch=EPOCH, seq=first + n, values=dict(values), **more)
            for n, (second, values) in enumerate(samples)
        ]
        await self.say(*((topics.TELEMETRY, {"device": device}, one) for one in said))

    async def say(self, *said: tuple[topics.Topic[Any], dict[str, str], Any]) -> None:
        heard: list[Heard[Any]] = [
            Heard(topic, {"site": SITE.site} | place, one, "", b"", False, 1) for topic, place, one in said
        ]
        await self.store.keep(sort_out(heard, LATER)[0])


@pytest.fixture
def archive(history: History) -> Archive:
    return Archive(history)


@pytest.mark.parametrize(
    ("span", "pixels", "fits"),
    [
        (timedelta(minutes=10), 600, "raw"),
        (timedelta(hours=1), 1000, "1m"),
        (timedelta(days=1), 1000, "1m"),
        (timedelta(days=7), 1000, "15m"),
        (timedelta(days=30), 1000, "1h"),
        (timedelta(days=30), 1440, "15m"),
        (timedelta(days=3650), 100, "1h"),
    ],
)
def test_the_resolution_fits_the_pixels(span: timedelta, pixels: int, fits: str) -> None:
    assert fitting(span, pixels) == fits


async def test_means_are_the_same_with_and_without_rollups(history: History, archive: Archive) -> None:
    random = Random(3)
    samples = sorted((random.uniform(-100, 7300), {"p": round(random.gauss(0, 1e4), 1)}) for _ in range(1200))
    await archive.keep("pcs", *samples)
    spans = [(0, 7200, 900), (0, 7200, 3600), (100, 7100, 900), (100, 7100, 1800), (950, 1700, 900), (0, 300, 60)]

    async def all_means() -> list[dict[datetime, float]]:
        return [
            dict(await history.means(SITE.site, "pcs", "p", _at(start), _at(end), size)) for start, end, size in spans
        ]

    raw = await all_means()
    assert await archive.roller.roll(LATER) > 100
    rolled = await all_means()
    for before, after in zip(raw, rolled, strict=True):
        assert after == pytest.approx(before, rel=1e-6)
    async with history.engine.begin() as connection:  # now the rollups are all there is
        await connection.execute(delete(tables.telemetry))
    assert dict(await history.means(SITE.site, "pcs", "p", NOON, _at(7200), 900)) == pytest.approx(raw[0], rel=1e-6)


async def test_what_came_late_is_in_the_means_at_once(history: History, archive: Archive) -> None:
    await archive.keep("pcs", *((second, {"p": 10.0}) for second in range(0, 3600, 10)))
    await archive.roller.roll(LATER)
    before = await history.means(SITE.site, "pcs", "p", NOON, _at(3600), 900)
    assert [mean for _, mean in before] == pytest.approx([10.0] * 4)
    await archive.keep("pcs", *((second + 5, {"p": 30.0}) for second in range(900, 1800, 10)), first=1000)
    late = [mean for _, mean in await history.means(SITE.site, "pcs", "p", NOON, _at(3600), 900)]
    assert late == pytest.approx([10.0, 20.0, 10.0, 10.0])
    await archive.roller.roll(LATER)
    again = await history.means(SITE.site, "pcs", "p", NOON, _at(3600), 900)
    assert [mean for _, mean in again] == pytest.approx(late)


async def test_a_curve_is_as_fine_as_its_pixels(history: History, archive: Archive) -> None:
    values = [float(second % 60) for second in range(0, 7200, 2)]
    await archive.keep("pcs", *((second * 2.0, {"p": value}) for second, value in enumerate(values)))
    await archive.roller.roll(LATER)
    counts = {}
    for pixels in (3600, 100, 6, 1):
        fits, found = await history.series(SITE.site, "pcs", "p", NOON, _at(7200), pixels)
        counts[fits] = len(found)
        assert sum(one.samples for one in found) == len(values)
        assert min(one.low for one in found) == 0.0
        assert max(one.high for one in found) == 58.0
        assert found[0].at == NOON
    assert counts == {"raw": 3600, "1m": 120, "15m": 8, "1h": 2}
    first = (await history.buckets(SITE.site, "pcs", "p", NOON, _at(60), "1m"))[0]
    assert (first.low, first.mean, first.high, first.last, first.samples) == (0.0, 29.0, 58.0, 58.0, 30)


async def test_every_value_is_read_as_it_was_said(history: History, archive: Archive) -> None:
    tricky: list[m.Value] = ['"p":', "läuft", ["hot", 'a "b", c'], -0.0, 1e-300, 17.0, "7"]
    await archive.keep("pcs", *((n, {"o": '"p":5', "p": value, "z": "ü"}) for n, value in enumerate(tricky)))
    await archive.keep("pcs", (50, {"p": 1.0}), first=100, quality={"p": Quality.STALE})
    await archive.keep("pcs", (51, {"pp": 2.0, "x": "p"}), first=200)
    found = await history.values(SITE.site, "pcs", "p", NOON, _at(60))
    assert [value for _, value in found] == tricky
    numbers = await history.numbers(SITE.site, "pcs", "p", NOON, _at(60))
    assert [(at - NOON).total_seconds() for at, _ in numbers] == [3, 4, 5]
    assert [value for _, value in numbers] == [-0.0, 1e-300, 17.0]


async def test_energy_and_flows_of_quarters(history: History, archive: Archive) -> None:
    seconds = range(0, 1800, 10)
    await archive.keep("meter", *((second, {"p": 4000.0}) for second in seconds))
    await archive.keep("pcs", *((second, {"p": -1000.0}) for second in seconds), first=1)
    await archive.keep("pv", *((second, {"p": 2000.0}) for second in seconds), first=1)
    await archive.roller.roll(LATER)
    energy = await history.energies(SITE.site, "pcs", NOON, _at(1800))
    assert [one.at for one in energy] == [NOON, _at(900)]
    assert (energy[0].out, energy[0].into) == pytest.approx((0.0, 250.0))
    imports = await history.imports(SITE.site, "meter", "p", NOON, _at(1800))
    assert [(at, readings) for at, _, _, readings in imports] == [(NOON, 90), (_at(900), 90)]
    assert [row[1:3] for row in imports] == [pytest.approx((1000.0, 900.0))] * 2
    ((at, flows), _) = await history.flows(SITE.site, NOON, _at(1800))
    assert at == NOON
    assert flows.pv_load + flows.pv_battery + flows.pv_grid == pytest.approx(500)
    assert flows.grid_load + flows.grid_battery == pytest.approx(1000)
    assert flows.pv_battery + flows.grid_battery == pytest.approx(250)


async def test_gaps_and_completeness(history: History, archive: Archive) -> None:
    await archive.keep("pcs", (-1, {"p": 1.0}), (7199, {"p": 1.0}))
    await archive.keep("bms", (3600, {"soc": 1.0}))
    row = {"site": SITE.site, "device": "pcs", "expected": 7200, "cause": "offline"}
    async with history.engine.begin() as connection:
        await connection.execute(insert(tables.gap), row | {"at": NOON, "stored": 5400, "closed": None})
        await connection.execute(insert(tables.gap), row | {"at": _at(3600), "stored": 7200, "closed": LATER})
    found = await history.gaps(SITE.site, NOON, _at(7200))
    assert found == [
        Gap("pcs", NOON, 7200, 5400, "offline", None),
        Gap("pcs", _at(3600), 7200, 7200, "offline", LATER),
    ]
    assert await history.completeness(SITE.site, NOON, _at(7200)) == {"bms": 1.0, "pcs": 1 - 0.25 / 2}


async def test_every_view_says_what_its_tables_hold(history: History, archive: Archive) -> None:
    await archive.keep("pcs", *((second, {"p": 6000.0}) for second in range(0, 900, 10)))
    await archive.keep("bms", *((second, {"soc": 50.0 + second / 100}) for second in range(0, 900, 10)))
    command = m.Command(
        id="c1", at=NOON, until=_at(10), source="dispatch", authority=m.Authority.PLAN,
        values={"p_set": 5500.0}, reason="cheap",
    )  # fmt: skip
    alarm = m.Alarm(
        at=NOON, state=m.AlarmState.UNACKNOWLEDGED, priority=m.AlarmPriority.HIGH, device="bms", point="t",
        text="too hot", since=NOON,
    )  # fmt: skip
    outcome = m.Outcome(id="c1", at=_at(1), state=m.OutcomeState.VERIFIED, reason="done")
    await archive.say(
        (topics.COMMAND, {"device": "pcs"}, command),
        (topics.OUTCOME, {"device": "pcs"}, outcome),
        (topics.ALARM, {"alarm": "hot-bms"}, alarm),
    )
    await archive.roller.roll(LATER)
    rows: dict[str, list[Any]] = {}
    async with history.engine.connect() as connection:
        for name in VIEWS:
            rows[name] = [dict(row) for row in (await connection.execute(text(f"SELECT * FROM {name}"))).mappings()]  # noqa: S608
    assert [(row["device"], row["power_w"]) for row in rows["v_power"]] == [("pcs", pytest.approx(6000))]
    assert [row["out_wh"] for row in rows["v_energy_15min"]] == [pytest.approx(1500, rel=0.02)]
    assert [row["soc_percent"] for row in rows["v_soc"]] == [pytest.approx(58.9)]
    assert [(row["alarm"], row["device"], row["text"]) for row in rows["v_alarms"]] == [("hot-bms", "bms", "too hot")]
    (told,) = rows["v_commands"]
    assert (told["wanted_w"], told["reason"], told["outcome"]) == (5500.0, "cheap", "verified")
    assert {row["point"] for row in rows["v_points_1h"]} == {"p", "soc"}
    assert rows["v_gaps"] == []


def _at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)
