"""What the archive keeps of money: made once prices are known, made anew when data come late, on both databases."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.migrate import migrate, upgrade
from consumers.archive.money.accounts import Accounts
from consumers.archive.retention import forget
from consumers.archive.roller import Roller, put
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from optimizer.carbon_table import read_carbon
from optimizer.tariff import Series
from runtime.heard import Heard
from runtime.history import History
from schemas import messages as m
from schemas.site import Site
from schemas.site_file import load_site
from schemas.site_retention import Retention
from schemas.tables import energy, flow, money, money_day, rollup_15m, unpriced
from schemas.topics import TELEMETRY
from schemas.troubles import Trouble
from tests.consumers.test_archive_migrate import ask
from tests.consumers.test_dispatch_desk import plant_site

QUARTER = timedelta(minutes=15)
NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
"""12 h in Berlin, at 0.12; the battery of the site costs 0.02 per kWh it gives, efficiency 0.95."""
DAY_AHEAD = """
import.day_ahead = {{ file = "prices.csv" }}
export.period = [{{ price = 0.05 }}]
{demand}
"""
Wh = Mapping[str, float]


def quarter(at: datetime, *, grid: float, pv: float = 0.0, battery: float | None = 0.0, **more: float) -> list[Any]:
    """Rollups of a quarter with constant powers in W, 900 s of them seen."""
    powers = {("grid", "p"): grid, ("pv1", "p"): pv, ("bms1", "soc"): more.get("soc", 50.0)}
    powers |= {("bms1", "u"): 800.0, ("bms1", "ccl"): 200.0, ("bms1", "dcl"): more.get("dcl", 200.0)}
    if battery is not None:
        powers |= {("pcs1", "p"): battery, ("pcs1", "p_set"): more.get("told", battery)}
    seconds = more.get("seconds", 900.0)
    return [
        {
            "site": "plant", "device": device, "point": point, "at": at, "samples": 900, "low": value, "mean": value,
            "high": value, "last": value, "twa": value, "seconds": seconds if device == "grid" else 900.0,
            "plus": max(value, 0.0) * (seconds if device == "grid" else 900.0) / 3600,
            "minus": max(-value, 0.0) * (seconds if device == "grid" else 900.0) / 3600,
        }
        for (device, point), value in powers.items()
    ]  # fmt: skip


async def measure(database: AsyncEngine, *quarters: list[Any]) -> None:
    """As the roller writes it: the rollups, and marks in the same transaction."""
    async with database.begin() as connection:
        for rows in quarters:
            await put(connection, rollup_15m, rows)
            part = [row["seconds"] / 900 for row in rows]
            await put(connection, energy, [
                {name: row[name] for name in ("site", "device", "point", "at", "seconds")}
                | {"out_wh": row["plus"] / seen, "in_wh": row["minus"] / seen, "source": "power"}
                for row, seen in zip(rows, part, strict=True) if row["point"] == "p"
            ])  # fmt: skip
            await put(connection, unpriced, [{"site": "plant", "at": rows[0]["at"]}])


async def rows(database: AsyncEngine, table: Any = money) -> list[Any]:
    async with database.connect() as connection:
        return [*(await connection.execute(select(table).order_by(table.c.at))).all()]


async def count(database: AsyncEngine, table: Any) -> int:
    async with database.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def accounts(database: AsyncEngine, site: Site, **series: Series) -> Accounts:
    return Accounts(database, site, lambda: series)


def site_of(tmp_path: Path, tariff: str | None = None, more: str = "") -> Site:
    site = plant_site(tmp_path, **({} if tariff is None else {"tariff": tariff}), more=more)
    old = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "tariff.toml", (old, old))
    return site


LATER = NOON + timedelta(days=2)


async def test_a_quarter_is_priced_with_its_battery_and_without(archive: AsyncEngine, tmp_path: Path) -> None:
    """40 kW drawn, of which 20 kW go into the battery, at 0.12 and 15 per kW and month: 10 kWh, 1.20 and 600; without
    it 5 kWh, 0.60 and 300. In the next quarter it gives 12 kW into 12 kW: nothing, against 3 kWh at 0.12 = 0.36, less
    3 kWh x 0.02 of wear. The SoC rises by 2 %, 4 kWh of 200, each worth (mean of the day - wear) x 0.95."""
    site, book = site_of(tmp_path), None
    await measure(
        archive,
        quarter(NOON - QUARTER, grid=0, soc=50),
        quarter(NOON, grid=40e3, battery=-20e3, soc=52),
        quarter(NOON + QUARTER, grid=0, battery=12e3, soc=52),
    )
    book = accounts(archive, site)
    assert await book.write(LATER) == 3
    _, first, second = await rows(archive)
    assert (first.energy, first.demand) == (pytest.approx(1.2), pytest.approx(600))
    assert (first.energy_without, first.demand_without) == (pytest.approx(0.6), pytest.approx(300))
    mean = (20 * 0.12 + 4 * 0.30) / 24
    assert first.stored == pytest.approx(4 * (mean - 0.02) * 0.95)
    assert (second.energy, second.demand, second.wear) == (0.0, 0.0, pytest.approx(0.06))
    assert (second.energy_without, second.demand_without) == (pytest.approx(0.36), 0.0)
    (day,) = await rows(archive, money_day)
    assert (day.day, day.currency, day.quarters, day.compared, day.planned) == ("2026-06-10", "EUR", 3, 3, None)
    assert day.saved == pytest.approx(0.6 + 300 + 0.36 - 1.2 - 600 - 0.06)
    assert (day.imported, day.load) == (pytest.approx(10_000), pytest.approx(8_000))
    assert await count(archive, unpriced) == 0
    history = History(archive)
    (found,) = await history.money_days("plant", NOON - timedelta(days=1), LATER)
    assert (found.day, found.saved, found.autarky) == ("2026-06-10", day.saved, 0.0)
    assert [one.at for one in await history.money("plant", NOON, LATER)] == [NOON, NOON + QUARTER]
    for view, number in (("v_money_15min", 3), ("v_money_daily", 1)):
        async with archive.connect() as connection:
            assert (await connection.execute(text(f"SELECT count(*) FROM {view}"))).scalar_one() == number  # noqa: S608


async def test_a_quarter_waits_for_its_price_also_over_a_restart(archive: AsyncEngine, tmp_path: Path) -> None:
    site = site_of(tmp_path, DAY_AHEAD.format(demand=""))
    await measure(archive, *(quarter(NOON + n * QUARTER, grid=4e3) for n in range(8)))
    hours = [NOON + timedelta(hours=n) for n in range(2)]
    book = accounts(archive, site, **{"import": Series([NOON - timedelta(days=1)], [9.0])})
    assert await book.write(LATER) == 0  # the price of the day before would be a guess
    book = accounts(archive, site, **{"import": Series(hours[:1], [0.5])})
    assert await book.write(LATER) == 4
    assert await book.write(LATER) == 0
    assert await count(archive, unpriced) == 4
    book = accounts(archive, site, **{"import": Series(hours, [0.5, -0.1])})
    assert await book.write(LATER) == 4
    assert [one.energy for one in await rows(archive)] == pytest.approx([0.5] * 4 + [-0.1] * 4)
    assert await count(archive, unpriced) == 0


async def test_quarters_without_a_price_keep_no_other_waiting(lite: AsyncEngine, tmp_path: Path) -> None:
    site = site_of(tmp_path, DAY_AHEAD.format(demand=""))
    begin = NOON - timedelta(days=10)
    await measure(lite, *(quarter(begin + n * QUARTER, grid=4e3)[:1] for n in range(396)))
    await measure(lite, *(quarter(NOON - n * QUARTER, grid=4e3)[:1] for n in range(1, 5)))
    book = accounts(lite, site, **{"import": Series([NOON - timedelta(hours=1)], [0.5])})
    made = await book.write(NOON)
    assert book.behind, "the next round comes at once"
    assert made + await book.write(NOON) == 4
    assert not book.behind, "what has no price wakes nobody"
    assert await count(lite, unpriced) == 396


async def test_a_market_that_corrects_itself_is_followed(lite: AsyncEngine, tmp_path: Path) -> None:
    site, told = site_of(tmp_path, DAY_AHEAD.format(demand="")), {"import": Series([NOON], [0.5])}
    await measure(lite, quarter(NOON, grid=4e3))
    book = Accounts(lite, site, lambda: dict(told))
    assert await book.write(LATER) == 1
    told["import"] = Series([NOON], [0.7])
    assert await book.write(LATER) == 1
    assert [one.energy for one in await rows(lite)] == pytest.approx([0.7])


async def test_a_late_peak_takes_the_charge_from_those_after_it(archive: AsyncEngine, tmp_path: Path) -> None:
    """The second quarter bore 15 x 40 kW. The first comes late with 60 kW: the second bears nothing any more, and the
    month is what the highest costs, whatever came first."""
    site = site_of(tmp_path)
    book = accounts(archive, site)
    await measure(archive, quarter(NOON + QUARTER, grid=40e3), quarter(NOON + timedelta(days=1), grid=50e3))
    await book.write(LATER)
    assert [one.demand for one in await rows(archive)] == pytest.approx([600, 150])
    assert [one.demand for one in await rows(archive, money_day)] == pytest.approx([600, 150])
    await measure(archive, quarter(NOON, grid=60e3))
    await book.write(LATER)
    while await book.write(LATER):
        pass
    assert [one.demand for one in await rows(archive)] == pytest.approx([900, 0, 0])
    assert [one.demand for one in await rows(archive, money_day)] == pytest.approx([900, 0])
    assert await count(archive, unpriced) == 0


async def test_a_silent_pcs_leaves_the_comparison_open_and_a_silent_meter_the_row(
    lite: AsyncEngine, tmp_path: Path
) -> None:
    site = site_of(tmp_path)
    book = accounts(lite, site)
    away = [one for one in quarter(NOON + QUARTER, grid=1.0) if one["device"] != "grid"]
    await measure(lite, quarter(NOON, grid=4e3, battery=None), away)
    await book.write(LATER)
    (only,) = await rows(lite)
    assert (only.energy, only.energy_without, only.wear) == (pytest.approx(0.12), None, None)
    (day,) = await rows(lite, money_day)
    assert (day.quarters, day.compared, day.saved, day.load) == (1, 0, None, None)
    assert await count(lite, unpriced) == 0


async def test_a_restart_in_an_inrush_is_no_peak(lite: AsyncEngine, tmp_path: Path) -> None:
    site = site_of(tmp_path)
    await measure(lite, quarter(NOON, grid=700e3, seconds=30.0), quarter(NOON + QUARTER, grid=10e3))
    await accounts(lite, site).write(LATER)
    assert [one.demand for one in await rows(lite)] == pytest.approx([0, 150])


@pytest.mark.parametrize(
    ("evening", "quarters"),
    [(datetime(2026, 3, 28, 22, tzinfo=UTC), 92), (datetime(2026, 10, 24, 21, tzinfo=UTC), 100)],
)
async def test_the_days_of_a_changed_clock_have_all_their_quarters(
    lite: AsyncEngine, tmp_path: Path, evening: datetime, quarters: int
) -> None:
    """Three days are measured from 23 h of the evening before; the day in the midst is that of the change."""
    site = site_of(tmp_path)
    await measure(lite, *(quarter(evening + n * QUARTER, grid=4e3) for n in range(160)))
    book = accounts(lite, site)
    while await book.write(evening + timedelta(days=9)):
        pass
    days = await rows(lite, money_day)
    assert [one.quarters for one in days] == [4, quarters, 156 - quarters]
    dear = 16
    assert days[1].energy == pytest.approx(dear * 0.30 + (quarters - dear) * 0.12)


async def test_emissions_with_and_without_the_battery(lite: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "co2.csv").write_text(f"timestamp_utc,g_per_kwh\n{NOON:%Y-%m-%dT%H:%M}Z,400\n", encoding="utf-8")
    site = site_of(tmp_path, more='carbon = { file = "co2.csv" }\n')
    await measure(lite, quarter(NOON, grid=0, battery=12e3), quarter(NOON + timedelta(hours=1), grid=4e3))
    await accounts(lite, site).write(LATER)
    assert [(one.carbon, one.carbon_without) for one in await rows(lite)] == [(0.0, 1200.0), (None, None)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("time,g\n", r"co2.csv:1: the header is time,g; write timestamp_utc,g_per_kwh"),
        ("timestamp_utc,g_per_kwh\n2026-06-01T00:00Z,nine\n", r"co2.csv:2: .*'2026-06-01T00:00Z,nine'"),
        ("timestamp_utc,g_per_kwh\n2026-06-01T00:00Z,-1\n", r"co2.csv:2: .*-1 is no intensity"),
        ("timestamp_utc,g_per_kwh\n2026-06-01T00:00Z,1,2\n", r"co2.csv:2: "),
    ],
)
def test_a_wrong_file_of_intensities_is_refused_with_its_line(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "co2.csv").write_text(content, encoding="utf-8")
    with pytest.raises(Trouble, match=says):
        read_carbon(tmp_path / "co2.csv")


async def test_without_a_tariff_nothing_is_priced_and_nothing_is_lost(lite: AsyncEngine, tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (tmp_path / "tariff.toml").write_text("nonsense = 1\n", encoding="utf-8")
    await measure(lite, quarter(NOON, grid=4e3))
    book = accounts(lite, load_site(tmp_path / "site.toml"))
    assert await book.write(LATER) == 0
    assert await count(lite, unpriced) == 1
    site_of(tmp_path)
    assert await book.write(LATER) == 1
    assert site.site == "plant"


def changed(tmp_path: Path, tariff: str, at: datetime) -> None:
    (tmp_path / "tariff.toml").write_text(tariff, encoding="utf-8")
    os.utime(tmp_path / "tariff.toml", (at.timestamp(), at.timestamp()))


async def test_a_changed_tariff_prices_what_begins_from_then_on(lite: AsyncEngine, tmp_path: Path) -> None:
    """0.12 and 15 per kW, from half past 12 on 0.50 and 20 per kW. 8 kW were 120; 10 kW are 20 x 2 more, and what was
    billed stays, also when a sample of it comes late."""
    site, minute = site_of(tmp_path), timedelta(minutes=1)
    book = accounts(lite, site)
    await measure(lite, quarter(NOON, grid=8e3))
    await book.write(NOON + 20 * minute)
    changed(tmp_path, "import.period = [{ price = 0.5 }]\ndemand.price = 20.0\n", NOON + 30 * minute)
    await measure(lite, quarter(NOON + QUARTER, grid=4e3), quarter(NOON + 3 * QUARTER, grid=10e3))
    assert await book.write(NOON + 30 * minute + timedelta(seconds=5)) == 1, "it may still be written"
    assert await book.write(NOON + 90 * minute) == 1
    assert [one.energy for one in await rows(lite)] == pytest.approx([0.24, 0.12, 1.25])
    assert [one.demand for one in await rows(lite)] == pytest.approx([120, 0, 40])
    assert book.list.said == [
        f"{site.tariff_path} has changed: quarters that begin since 2026-06-10 10:30Z are priced by it"
    ]
    await measure(lite, quarter(NOON, grid=8.4e3))
    while await book.write(NOON + 91 * minute):
        pass
    assert [one.energy for one in await rows(lite)] == pytest.approx([0.252, 0.12, 1.25])


async def test_a_tariff_that_goes_wrong_stops_the_bill_and_says_so(lite: AsyncEngine, tmp_path: Path) -> None:
    book = accounts(lite, site_of(tmp_path))
    await book.write(NOON)
    changed(tmp_path, "import.period = [{ prise = 0.5 }]\n", NOON)
    await measure(lite, quarter(NOON, grid=8e3))
    with pytest.raises(Trouble, match=r"tariff\.toml.*prise"):
        await book.write(NOON + timedelta(hours=1))
    changed(tmp_path, "import.period = [{ price = 0.5 }]\n", NOON - timedelta(days=9))  # copied, with its old time
    assert await book.write(NOON + timedelta(hours=2)) == 1
    assert [one.energy for one in await rows(lite)] == pytest.approx([0.24])


async def test_the_roller_marks_what_is_to_be_priced(archive: AsyncEngine, tmp_path: Path) -> None:
    """Telemetry, kept and rolled up: a sample that comes late has its quarter priced anew."""
    site, seq = site_of(tmp_path), iter(range(1, 999))

    def said(device: str, seconds: float, **values: float) -> Heard[Any]:
        at = NOON + timedelta(seconds=seconds)
        one = m.Telemetry(at=at, epoch="0" * 16, seq=next(seq), values=dict(values))
        return Heard(TELEMETRY, {"site": "plant", "device": device}, one, "", b"", False, one.seq)

    store = Store(archive, lambda _: None)
    roller, book = Roller(archive, site, store), accounts(archive, site)
    batch = [said("grid", n * 60.0, p=8e3) for n in range(15)] + [said("pcs1", n * 60.0, p=0.0) for n in range(15)]
    await store.keep(sort_out(batch, LATER)[0])
    await roller.roll(LATER)
    assert await book.write(LATER) == 1
    assert (await rows(archive))[0].energy == pytest.approx(0.24)
    await store.keep(sort_out([said("grid", 30 + n * 60.0, p=24e3) for n in range(15)], LATER)[0])
    await roller.roll(LATER)
    assert await book.write(LATER) == 1
    assert (await rows(archive))[0].energy == pytest.approx(0.48)


async def test_a_row_is_small_and_goes_with_its_time(lite: AsyncEngine, tmp_path: Path) -> None:
    site, begin = site_of(tmp_path), NOON - timedelta(days=2)
    quarters = [
        quarter(begin + n * QUARTER, grid=4e3 + n, pv=n * 1.1, battery=n % 7 * 100.3, soc=50 + n % 9)
        for n in range(960)
    ]
    await measure(lite, *quarters)
    book = accounts(lite, site)
    while await book.write(NOON):
        pass
    assert await count(lite, money) == 192
    async with lite.connect() as connection:
        pages = await connection.execute(text("SELECT sum(pgsize) FROM dbstat WHERE name = 'money'"))
        assert pages.scalar_one() / 192 < 180  # with what is free in its pages
    await forget(lite, "plant", Retention(raw_days=1, minute_days=1, years=1), NOON + timedelta(days=364))
    assert 0 < await count(lite, money) < 192


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_what_was_measured_before_is_priced_too(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """An archive of 0005, also one where this migration broke off after its first table."""
    url = f"sqlite+aiosqlite:///{tmp_path}/old.db"
    if kind == "mariadb":
        url = request.getfixturevalue("mariadb").database()
    ways = ("pv_load", "pv_battery", "pv_grid", "grid_load", "grid_battery", "battery_load", "battery_grid")
    ask(url, lambda connection: upgrade(connection, "0005"))
    ask(
        url,
        lambda connection: connection.execute(flow.insert(), {"site": "plant", "at": NOON} | dict.fromkeys(ways, 1.0)),
    )
    ask(url, money.create)
    migrate(url)
    assert ask(url, lambda connection: connection.execute(select(unpriced.c.site, unpriced.c.at)).all()) == [
        ("plant", NOON)
    ]
    assert ask(url, lambda connection: connection.scalar(select(func.count()).select_from(flow))) == 1
