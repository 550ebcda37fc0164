"""`joulebus advice`, out of an archive with a whole month in it."""

import asyncio
import json
import math
import os
from collections.abc import Callable
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.roller import put
from joulebus.advice import _Asked
from joulebus.advice_words import Advice, facts, words
from joulebus.bill import lately
from joulebus.cli import main
from optimizer.advice.base_load import BaseLoad
from optimizer.advice.peak_drivers import drivers
from optimizer.advice.power_factor import Month as MonthOf
from optimizer.advice.sizing import Kept, Sized
from optimizer.advice.tariffs import Compared
from optimizer.charge import Made
from optimizer.storage import together
from runtime.database import engine
from runtime.history import History
from runtime.money_rows import MoneyQuarter
from runtime.settings import Settings, parse_broker
from schemas.flows import Flows
from schemas.tables import energy, flow, money, rollup_15m
from schemas.units import utc_now
from tests.consumers.test_archive_money import site_of

TARIFF = """
reactive = { price = 0.10, cos_phi = 0.9 }
import.period = [{ start = 08:00:00, end = 20:00:00, price = 0.30 }, { price = 0.10 }]
export.period = [{ price = 0.05 }]
[[demand]]
name = "all"
price = 10.0
"""
FLAT = """
import.period = [{ price = 0.15 }]
export.period = [{ price = 0.05 }]
"""
EMPTY = dict.fromkeys(Flows._fields, 0.0)


def lived(site: Any) -> tuple[datetime, list[tuple[Any, dict[str, Any]]]]:
    """The last month: 30 kW from 8 to 20 h, 10 kW else; 90 kW for a quarter on the 5th, 80 on the 6th. No reactive
    power on its last day."""
    begin, end = lately(utc_now(), site)
    rows = list[tuple[Any, dict[str, Any]]]()
    at = begin
    while at < end:
        local = at.astimezone(site.zone)
        power = 30e3 if 8 <= local.hour < 20 else 10e3
        if local.day in {5, 6} and (local.hour, local.minute) == (10, 0):
            power = 95e3 - 1e3 * local.day * (1 if local.day == 5 else 2.5)
        key = {"site": "plant", "at": at}
        for point, value in (("p", power), ("q", 6e3)):
            if point == "p" or at < end - timedelta(days=1):
                values = dict.fromkeys(("low", "mean", "high", "last", "twa"), value)
                more = {"plus": value / 4, "minus": 0.0, "seconds": 900.0, "samples": 900}
                rows.append((rollup_15m, key | {"device": "grid", "point": point} | values | more))
        through = {"out_wh": power / 4, "in_wh": 0.0, "source": "counter", "seconds": 900.0}
        rows.append((energy, key | {"device": "grid", "point": "p"} | through))
        rows.append((flow, key | EMPTY | {"grid_load": power / 4}))
        at += timedelta(minutes=15)
    return begin, rows


@pytest.fixture
def advice(
    sqlite_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    site_of(tmp_path, TARIFF)

    def run(*more: str) -> tuple[int, str]:
        code = main(["advice", "--site", str(tmp_path / "site.toml"), "--months", "2", *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def fill(url: str, rows: list[tuple[Any, dict[str, Any]]]) -> None:
    async def run() -> None:
        database = engine(url)
        async with database.begin() as connection:
            for table in (rollup_15m, energy, flow):
                mine = [row for which, row in rows if which is table]
                for first in range(0, len(mine), 500):
                    await put(connection, table, mine[first : first + 500])
        await database.dispose()

    asyncio.run(run())


def test_an_archive_that_knows_nothing_says_so(advice: Callable[..., tuple[int, str]]) -> None:
    code, said = advice("--size", "100")
    assert code == 1
    assert "not known: base load: no day of which the load was measured for four fifths" in said
    assert "not known: peaks of all: none of its windows was seen well enough to be billed" in said
    assert "not known: power factor: the meter told no reactive power" in said
    assert "not known: battery size: no whole month of which nine tenths were measured and priced" in said


def test_a_month_is_told_with_its_numbers_and_how_sure_they_are(
    advice: Callable[..., tuple[int, str]], sqlite_archive: str, tmp_path: Path
) -> None:
    site = site_of(tmp_path, TARIFF)
    begin, rows = lived(site)
    fill(sqlite_archive, rows)
    other = tmp_path / "flat.toml"
    other.write_text(FLAT, encoding="utf-8")
    old = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    os.utime(other, (old, old))

    code, said = advice("--tariff", str(other), "--size", "50", "--json")
    assert code == 0
    told = json.loads(said)
    assert told["base_load"]["power"] == 10e3
    assert told["price"] == pytest.approx((30 * 0.3 + 10 * 0.1) / 40, rel=0.01)
    (demand,) = told["peaks"]
    (peak,) = demand["peaks"]
    assert [one["power"] for one in peak["days"][:3]] == [90e3, 80e3, 30e3]
    assert (peak["lower"], peak["near"]) == (10e3, 1)
    assert [one["hour"] for one in demand["hours"]] == [10]

    (month,) = told["power_factor"]
    measured = [row for table, row in rows if table is rollup_15m and row["point"] == "q"]
    known = {row["at"] for row in measured}
    active = sum(row["out_wh"] for table, row in rows if table is energy and row["at"] in known) / 1000
    beyond = 1.5 * len(measured) - math.tan(math.acos(0.9)) * active
    assert month["beyond"] == pytest.approx(max(0.0, beyond), abs=0.01)
    assert 0.95 < month["measured"] < 1

    (compared,) = told["tariffs"]
    drawn = sum(row["out_wh"] for table, row in rows if table is energy) / 1000
    assert compared["other"] == pytest.approx(0.15 * drawn)
    assert (compared["unknown"], compared["counts"]) == (["reactive"], False)
    assert told["tariff_per_year"] is None

    (sized,) = told["battery"]
    hours = (lately(utc_now(), site)[1] - begin) / timedelta(hours=1)
    days = round(hours / 24)
    by_price = 40 * 0.95 * (0.30 - 0.02) - 40 / 0.95 * 0.10
    assert sized["months"] == [pytest.approx(days * by_price + 10 * 25, rel=0.05)]
    assert sized["at_most_per_year"]["error"] is None


def test_a_site_operator_reads_the_numbers_with_their_errors(tmp_path: Path) -> None:
    site = site_of(tmp_path, TARIFF)
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    may = MonthOf(begin, 0.871, 400.0, 150.0, 15.0, 12e3, 0.9)
    told = Advice(
        site,
        begin,
        begin + timedelta(days=61),
        base=BaseLoad(10e3, 500.0, 11e3, 8e3, 0.4, 58, 0.97),
        price=0.25,
        drivers=[
            drivers(site.prices.components[0], [Made(begin, 90e3), Made(begin + timedelta(days=1), 80e3)], site.zone)
        ],
        factor=[may],
        compared=[
            Compared("2026-05", 100.0, 90.0, 1.0, True, ()),
            Compared("2026-06", 80.0, 74.0, 0.5, False, ("reactive",)),
        ],
        sized=[Sized(50e3, 25e3, [300.0, 340.0], 0.8), Sized(100e3, 50e3, [500.0], 0.7)],
        missing=["something"],
    )
    said = "\n".join(words(told))
    for line in (
        "base load: 10.0 kW ± 0.5 kW day and night, 40% of what the site uses",
        "at the mean price of 0.2500 EUR a kWh it costs 21900 EUR a year; a tenth less of it saves 2190",
        "out of 58 days; 97% of the time was measured",
        "the next day's was 10.0 kW lower, worth 100 EUR",
        "Friday 2-3 h (1 of 1)",
        "mean 0.871, 150 kvarh beyond what is free: 15.00 EUR, 12 kvar of compensation would have ended it",
        "; 90% measured",
        "50% known, makes no year; not known: reactive",
        "a year: 120 EUR of 1 month, how much months differ is not known",
        "50 kWh, 25 kW: 3840 ± 480 EUR of 2 months, 0.8 full cycles a day",
        "100 kWh, 50 kW: 6000 EUR of 1 month, how much months differ is not known",
        "0.8 full cycles a day; to be expected are 2117 to 4234 EUR a year",
        "0.7 full cycles a day; to be expected are 3780 to 5880 EUR a year",
        "a plan that must forecast keeps 63% to 98% of that, as measured at other sites: yours may lie outside",
        "not known: something",
    ):
        assert line in said
    assert json.dumps(facts(told))
    own = replace(told, kept=Kept(0.7, 0.8, 4))
    assert "0.7 full cycles a day; to be expected are 4200 to 4800 EUR a year" in "\n".join(words(own))
    assert "the site's own battery kept 70% to 80% of that in 4 months" in "\n".join(words(own))
    assert facts(own)["battery"][1]["expected_per_year"] == pytest.approx((4200, 4800))


@pytest.mark.parametrize(
    ("more", "size", "share"),
    [
        ("", 1.0, (0.6, 0.8, 3)),
        ("", 0.5, (0.63, 0.98, 0)),
        ('per = "year"\n', 1.0, (0.63, 0.98, 0)),
    ],
    ids=["its own", "another size", "a price per year"],
)
async def test_what_the_ledger_says_was_kept(
    sqlite_archive: str, tmp_path: Path, more: str, size: float, share: tuple[float, float, int]
) -> None:
    """Four spans of four quarters in which 8 could have been saved at most: 4.8, 5.6 and 6.4 were, of the last one
    half is not known."""
    site, database = site_of(tmp_path, TARIFF + more), engine(sqlite_archive)
    at, rows = datetime(2026, 5, 1, tzinfo=UTC), list[dict[str, Any]]()
    for number, saved in enumerate([1.2] * 4 + [1.4] * 4 + [1.6] * 4 + [1.6] * 2 + [None] * 2):
        empty = dict.fromkeys(MoneyQuarter._fields, None)
        paid = {"imported": 0.0, "exported": 0.0, "energy": 1.0, "demand": 0.0, "wear": 0.1, "battery": 1.0}
        without = {"energy_without": None if saved is None else saved + 1.1, "demand_without": 0.0}
        rows.append({"site": "plant"} | empty | paid | without | {"at": at + number * timedelta(minutes=15)})
    async with database.begin() as connection:
        await put(connection, money, rows)
    whole = together(site.battery).energy
    own = Sized(whole * size, 1.0, [8.0] * 4, 0.5, [slice(first, first + 4) for first in (0, 4, 8, 12)])
    settings = Settings(parse_broker("mqtt://127.0.0.1", "status", None, {}), sqlite_archive)
    found = await _Asked(History(database), settings, site, [at], at)._kept(at, [own])
    await database.dispose()
    assert astuple(found) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('currency = "CHF"\n' + FLAT, "is in CHF, the site's tariff in EUR; give both in one currency"),
        ("import.period = []\n", "give at least one [[import.period]]"),
        (None, "--tariff:"),
    ],
    ids=["another currency", "no price", "no file"],
)
def test_a_tariff_that_cannot_be_compared_is_refused(
    advice: Callable[..., tuple[int, str]], tmp_path: Path, text: str | None, why: str
) -> None:
    other = tmp_path / "other.toml"
    if text is not None:
        other.write_text(text, encoding="utf-8")
    code, said = advice("--tariff", str(other))
    assert code == 1
    assert why in said


@pytest.mark.parametrize("wrong", [["--months", "0"], ["--size", "-5"], ["--size", "big"]])
def test_numbers_that_cannot_be_are_refused(advice: Callable[..., tuple[int, str]], wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        advice(*wrong)
