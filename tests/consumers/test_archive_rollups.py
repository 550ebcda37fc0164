"""Rollups: the same whatever way the samples came, and right where energy is counted."""

import sys
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.energy.flows import flows
from consumers.archive.roller import LEDGER, QUARTER, Roller, floor
from consumers.archive.rollups import merge, roll
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.heard import Heard
from schemas import tables
from schemas.messages import Telemetry, Value
from schemas.site import Site
from schemas.topics import TELEMETRY
from schemas.units import Quality
from tests.timed import FULL

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=3)
ROLLUPS = (tables.rollup_1m, tables.rollup_15m, tables.rollup_1h, tables.energy, tables.flow, tables.load_energy)
PROFILES = {"meter": "janitza_umg96rme", "pcs": "sinexcel_pws2", "bms": "pylontech_powercube_m2", "pv": "sunspec_pv"}
SITE = Site.model_validate(
    {
        "site": "plant",
        "tariff": "tariff.toml",
        "grid": {"meter": "meter", "import_limit": 1000, "export_limit": 0},
        "battery": {"pcs": "pcs", "bms": "bms", "energy": 1000},
        "device": [
            {"name": name, "profile": profile, "address": "tcp://127.0.0.1:502", "unit": unit, "rated_power": 1000}
            for unit, (name, profile) in enumerate(PROFILES.items())
        ],
    }
)


LOADED = SITE.model_validate(
    SITE.model_dump()
    | {
        "device": [
            *SITE.model_dump()["device"],
            *(
                {"name": name, "profile": "eastron_sdm630", "address": "tcp://127.0.0.1:502", "unit": unit, **more}
                for unit, (name, more) in enumerate(
                    {
                        "hall": {"measures": "load"},
                        "press": {"measures": "load", "behind": "hall"},
                        "pv_meter": {},
                    }.items(),
                    start=50,
                )
            ),
        ]
    }
)


def said(
    seq: int, seconds: float, values: dict[str, Value], device: str = "meter", bad: tuple[str, ...] = ()
) -> Heard[Any]:
    at = NOON + timedelta(seconds=seconds)
    quality = dict.fromkeys(bad, Quality.FROZEN)
    one = Telemetry(at=at, epoch="00112233aabbccdd", seq=seq, values=values, quality=quality)
    return Heard(TELEMETRY, {"site": "plant", "device": device}, one, "", one.model_dump_json().encode(), False, seq)


async def keep(store: Store, batch: list[Heard[Any]]) -> None:
    await store.keep(sort_out(batch, LATER)[0])


async def everything(database: AsyncEngine) -> list[list[Any]]:
    async with database.connect() as connection:
        return [list(await connection.execute(select(table).order_by(*table.primary_key))) for table in ROLLUPS]


async def empty(database: AsyncEngine) -> None:
    async with database.begin() as connection:
        for table in (*ROLLUPS, tables.telemetry, tables.dirty):
            await connection.execute(table.delete())


def stream() -> list[Heard[Any]]:
    """An hour and some of five devices, with holes, words, bad values and points that are rarely read."""
    random, batch = Random(1), []
    for device in ("meter", "pcs", "pv", "hall", "press"):
        for number in range(400):
            values: dict[str, Value] = {"p": random.uniform(-5000, 5000), "state": "run", "e_import": number * 10.0}
            if number % 7 == 0:
                values["t"] = random.uniform(-10, 40)
            if not 100 < number < 120:
                batch.append(
                    said(number + 1, number * 11 + random.random(), values, device, ("p",) * (number % 50 == 0))
                )
    return batch


async def test_any_order_duplication_and_batching_gives_the_same_rollups(archive: AsyncEngine) -> None:
    if archive.dialect.name != "sqlite" and not FULL:
        pytest.skip("the order of samples is no matter of the database: make search")
    """F42: late, twice and in any order is the same as once and sorted."""
    batch = stream()
    store = Store(archive, lambda _: None)
    await keep(store, batch)
    await Roller(archive, LOADED, store).roll(LATER)
    sorted_once = await everything(archive)
    assert all(sorted_once)
    for seed in range(3):
        random = Random(seed)
        mixed = batch + random.sample(batch, len(batch) // 10)
        random.shuffle(mixed)
        await empty(archive)
        while mixed:
            size = random.randrange(1, 500)
            await keep(store, mixed[:size])
            mixed = mixed[size:]
            await Roller(archive, LOADED, store).roll(NOON + timedelta(minutes=random.randrange(120)))
        await Roller(archive, LOADED, Store(archive, lambda _: None)).roll(LATER)
        assert await everything(archive) == sorted_once
    async with archive.connect() as connection:
        left = (
            await connection.execute(
                select(func.count())
                .select_from(tables.dirty)
                .where(tables.dirty.c.at < NOON + timedelta(hours=1), tables.dirty.c.span != LEDGER)
            )
        ).scalar()
    assert left == 0


async def test_a_kill_between_storing_and_rolling_forgets_nothing(archive: AsyncEngine) -> None:
    await keep(Store(archive, lambda _: None), [said(n, n, {"p": 3600.0}) for n in range(1, 901)])
    await Roller(archive, SITE, Store(archive, lambda _: None)).roll(LATER)
    async with archive.connect() as connection:
        row = (await connection.execute(select(tables.rollup_15m).where(tables.rollup_15m.c.point == "p"))).first()
    assert row is not None
    assert (row.samples, row.low, row.high, row.last) == (899, 3600, 3600, 3600)
    assert (row.mean, row.twa) == pytest.approx((3600, 3600))
    assert row.plus == pytest.approx(899)  # Wh: the first second has no value yet


async def test_flows_of_a_quarter_appear_when_meter_and_pcs_have_it(archive: AsyncEngine) -> None:
    store = Store(archive, lambda _: None)
    for device, power in (("meter", 1000.0), ("pcs", -400.0), ("pv", 2000.0)):
        await keep(store, [said(n + 1, n * 10, {"p": power}, device) for n in range(91)])
    await Roller(archive, SITE, store).roll(LATER)
    async with archive.connect() as connection:
        (row, *_) = (await connection.execute(select(tables.flow).order_by(tables.flow.c.at))).all()
    assert row.at == NOON
    assert [row.pv_load, row.pv_battery, row.grid_load] == pytest.approx([500, 0, 150])
    assert row.grid_battery == pytest.approx(100)


NUMBERS = st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float)


@given(st.lists(st.tuples(st.floats(0, 119.9), NUMBERS), min_size=1, max_size=60))
def test_two_minutes_together_are_the_whole(samples: list[tuple[float, float]]) -> None:
    samples.sort(key=lambda one: one[0])
    times, points = [at for at, _ in samples], [{"p": value} for _, value in samples]
    whole = roll(times, points, 0, 120)["p"]
    early = [place for place, at in enumerate(times) if at < 60]
    parts = [roll(times[: len(early)], points[: len(early)], 0, 60), roll(times, points, 60, 120)]
    halves = merge(part["p"] for part in parts if "p" in part)
    assert (halves.samples, halves.low, halves.high, halves.last) == (whole.samples, whole.low, whole.high, whole.last)
    assert halves.mean == pytest.approx(whole.mean, abs=1e-6)
    values = [value for _, value in samples]
    assert min(values) <= whole.last <= max(values)
    assert min(values) - 1e-6 <= whole.twa <= max(values) + 1e-6
    assert whole.plus >= 0 <= whole.minus


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
@example([sys.float_info.max] * 3)  # the thirds of the largest number are more than it
def test_the_largest_numbers_do_not_become_infinite(values: list[float]) -> None:
    found = roll([float(n) for n in range(len(values))], [{"p": value} for value in values], 0, 60)["p"]
    assert all(abs(number) < float("inf") for number in (*found.row(), found.twa, merge([found, found]).mean))


def test_the_integral_of_a_power_agrees_with_the_counter_of_the_meter() -> None:
    times = [float(second) for second in range(900)]
    power = [5000 * (second % 300 < 150) - 2000 for second in range(900)]
    counted = [sum(value for value in power[:second] if value > 0) / 3600 for second in range(901)]
    found = roll(times, [{"p": float(value)} for value in power], 0, 900)["p"]
    assert found.plus == pytest.approx(counted[900] - counted[0])
    assert found.plus - found.minus == pytest.approx(sum(power) / 3600)


def test_quarters_of_an_hour_are_the_billing_intervals_of_every_zone() -> None:
    """All offsets are whole quarters: a night of 23 or 25 h has 92 or 100 of them, on the clock of the site."""
    moments = [datetime(year, month, 15, tzinfo=UTC) for year in range(2000, 2040) for month in (1, 7)]
    for name in available_timezones() - {"Africa/Monrovia"}:
        zone = ZoneInfo(name)
        for moment in moments:
            offset = moment.astimezone(zone).utcoffset()
            assert offset is not None
            assert offset.total_seconds() % QUARTER == 0, name
    berlin = ZoneInfo("Europe/Berlin")
    for day, hours in ((datetime(2026, 3, 29, tzinfo=berlin), 23), (datetime(2026, 10, 25, tzinfo=berlin), 25)):
        start, end = day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
        quarters = {
            floor(start + timedelta(seconds=n * 60), QUARTER) for n in range(int((end - start).total_seconds() / 60))
        }
        assert len(quarters) == hours * 4
        assert {at.astimezone(berlin).minute for at in quarters} == {0, 15, 30, 45}


WATT_HOURS = st.floats(0, 1e6)


@given(WATT_HOURS, WATT_HOURS, WATT_HOURS, WATT_HOURS, WATT_HOURS)
def test_flows_conserve_energy(pv: float, imported: float, exported: float, discharged: float, charged: float) -> None:
    found = flows(pv, imported, exported, discharged, charged)
    assert min(found) >= -1e-6
    assert found.pv_load + found.pv_battery + found.pv_grid <= pv + 1e-3
    assert found.grid_load + found.grid_battery <= imported + 1e-3
    assert found.battery_load + found.battery_grid <= discharged + 1e-3
    assert found.pv_battery + found.grid_battery <= charged + 1e-3


@given(WATT_HOURS, WATT_HOURS, WATT_HOURS, st.booleans(), st.booleans())
def test_flows_that_do_not_turn_add_up_to_what_the_meters_saw(
    load: float, pv: float, battery: float, charging: bool, sunny: bool
) -> None:
    pv, charged, discharged = pv * sunny, battery * charging, battery * (not charging)
    grid = load + charged - pv - discharged
    found = flows(pv, max(0, grid), max(0, -grid), discharged, charged)
    near = pytest.approx
    assert found.pv_load + found.pv_battery + found.pv_grid == near(pv, abs=1e-3)
    assert found.pv_load + found.grid_load + found.battery_load == near(load, abs=1e-3)
    assert found.grid_load + found.grid_battery == near(max(0, grid), abs=1e-3)
    assert found.pv_grid + found.battery_grid == near(max(0, -grid), abs=1e-3)
    assert found.battery_load + found.battery_grid == near(discharged, abs=1e-3)
    assert found.pv_battery + found.grid_battery == near(charged, abs=1e-3)


TWO = SITE.model_validate(
    SITE.model_dump()
    | {
        "battery": [
            {"name": "hall", "pcs": "pcs", "bms": "bms", "energy": 1000},
            {"name": "yard", "pcs": "pcs2", "bms": "bms2", "energy": 1000},
        ],
        "device": [
            {"name": name, "profile": profile, "address": "tcp://127.0.0.1:502", "unit": unit, "rated_power": 1000}
            for unit, (name, profile) in enumerate((PROFILES | {"pcs2": "kaco_gridsave", "bms2": "byd_c130"}).items())
        ],
    }
)


async def test_the_flows_of_several_batteries_are_one(archive: AsyncEngine) -> None:
    """The second one's samples come late: until then it counts as load."""
    store = Store(archive, lambda _: None)
    powers = {"meter": 1000.0, "pcs": 2000.0, "pcs2": 500.0}

    async def battery_to_load(*devices: str) -> float:
        seconds = range(1, 901, 10)
        batch = [said(n, n, {"p": powers[device]}, device) for device in devices for n in seconds]
        await keep(store, batch)
        await Roller(archive, TWO, store).roll(LATER)
        async with archive.connect() as connection:
            row = (await connection.execute(select(tables.flow.c.battery_load))).first()
        assert row is not None
        return float(row[0])

    assert await battery_to_load("meter", "pcs") == pytest.approx(500, rel=0.02)
    assert await battery_to_load("pcs2") == pytest.approx(625, rel=0.02)


async def test_the_energy_of_each_load_and_the_rest_that_nobody_measures(archive: AsyncEngine) -> None:
    """While a load has not told, the rest is unknown. The PV's own meter is counted nowhere."""
    store = Store(archive, lambda _: None)
    powers = {"meter": 1000.0, "pcs": -400.0, "pv": 2000.0, "pv_meter": 2000.0, "hall": 1600.0, "press": 700.0}

    async def loads(*devices: str) -> dict[str, tuple[str, float]]:
        batch = [said(n + 1, n * 10, {"p": powers[device]}, device) for device in devices for n in range(91)]
        await keep(store, batch)
        await Roller(archive, LOADED, store).roll(LATER)
        async with archive.connect() as connection:
            rows = await connection.execute(text("SELECT device, behind, used_wh, at FROM v_loads_15min ORDER BY at"))
            found = rows.all()
        return {row.device: (row.behind, round(float(row.used_wh))) for row in found if row.at == found[0].at}

    assert await loads("meter", "pcs", "pv", "pv_meter", "press") == {"press": ("hall", 175)}
    assert await loads("hall") == {"hall": ("", 400), "press": ("hall", 175), "other load": ("", 250)}
