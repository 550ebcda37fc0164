"""`joulebus money`, as a person types it."""

import asyncio
import csv
import io
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumers.archive.roller import put
from joulebus.bill import lately
from joulebus.cli import main
from joulebus.money import WORDS
from runtime.database import engine
from schemas.tables import CAUSES, rollup_15m
from schemas.units import utc_now
from tests.consumers.test_archive_money import accounts, measure, quarter, site_of

TARIFF = """
import.period = [{ price = 0.20 }]
export.period = [{ price = 0.05 }]
"""


@pytest.fixture
def words(sqlite_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    site_of(tmp_path, TARIFF)
    return ["money", "--site", str(tmp_path / "site.toml")]


def test_nothing_is_said_to_be_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert "nothing is priced yet" in capsys.readouterr().out


def test_what_was_paid_and_what_was_saved(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quarter with 8 kW from the grid and 12 kW from the battery: 2 kWh, 0.40; without it 5 kWh, 1.00. Wear 3 kWh x
    0.02. In the other, two days before, a battery is silent: 2 kWh, 0.40."""
    now = utc_now()
    last = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) - timedelta(minutes=30)

    async def fill() -> None:
        database = engine(f"sqlite+aiosqlite:///{tmp_path}/archive.db")
        await measure(database, quarter(last, grid=8e3, battery=12e3))
        await measure(database, quarter(last - timedelta(days=2), grid=8e3, battery=None))
        await accounts(database, site_of(tmp_path, TARIFF)).write(now)
        await database.dispose()

    asyncio.run(fill())
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "in EUR; kg of CO2"
    days = said[: said.index("")]
    assert max(map(len, said)) <= 80
    assert days[-2].split() == ["sum", "0.86", "0.80", "0.00", "0.06", "1.40", "0.54", "-", "-"]
    assert "saved: of 1 of 2 quarters of an hour; a battery was silent in the others" in days[-1]
    assert [line[:7] for line in said].count("bill of") == 2
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["quarters"] for one in told["days"]] == [1, 1]
    assert told["sum"]["energy"] == pytest.approx(0.80)
    assert told["sum"]["load"] is None
    assert main([*words, "--csv"]) == 0
    table = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert [one["compared"] for one in table] == ["0", "1"]
    assert float(table[1]["autarky"]) == pytest.approx(0.6)


def test_every_cause_has_its_words() -> None:
    assert set(WORDS) == set(CAUSES)


BILLED = """
fixed = 31.0
reactive = { price = 0.10, cos_phi = 0.9 }
import.period = [{ price = 0.20 }]
export.period = [{ price = 0.05 }]
[[demand]]
name = "all"
price = 10.0
minutes = 30
contract = { power = 5.0, price = 2.0, penalty = 4.0 }
"""


def var(at: datetime, power: float) -> list[dict[str, Any]]:
    """Reactive power of the meter."""
    names = ("low", "mean", "high", "last", "twa")
    plus = {"plus": max(power, 0.0) / 4, "minus": max(-power, 0.0) / 4, "seconds": 900.0, "samples": 900}
    return [{"site": "plant", "device": "grid", "point": "q", "at": at, **dict.fromkeys(names, power), **plus}]


@pytest.mark.parametrize("measures", [True, False], ids=["reactive", "without"])
def test_the_bill_of_a_month_line_by_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], measures: bool
) -> None:
    """Half an hour with 8 and 12 kW: 5 kWh, 1.00, and 10 kW, 5 of them beyond the contract: 100, 20, and 10 for it.
    Then 2 kW fed in for a quarter: 0.5 kWh, 0.025. 4 kvar of each sign: 3 kvarh, of which 5 x 0.484 are free."""
    month = lately(utc_now(), site_of(tmp_path, BILLED))[0]
    begin = month + timedelta(days=3)
    powers = [(8e3, 4e3), (12e3, -4e3), (-2e3, 4e3)]

    async def fill() -> None:
        database = engine(f"sqlite+aiosqlite:///{tmp_path}/archive.db")
        for number, (power, reactive) in enumerate(powers):
            at = begin + number * timedelta(minutes=15)
            await measure(database, quarter(at, grid=power))
            async with database.begin() as connection:
                await put(connection, rollup_15m, var(at, reactive) if measures else [])
        await accounts(database, site_of(tmp_path, BILLED)).write(utc_now())
        await database.dispose()

    asyncio.run(fill())
    name = f"{month.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m}"
    assert main([*words, "--month", name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    lines = {one["name"]: one["amount"] for one in told["lines"]}
    free = 5 * math.tan(math.acos(0.9))
    assert lines == pytest.approx({
        "import": 1.0, "export": -0.025, "all": 100.0, "all: contract": 10.0, "all: beyond contract": 20.0,
        "reactive": (3 - free) * 0.10 if measures else None, "fixed": 31.0,
    })  # fmt: skip
    assert (told["energy"], told["demand"]) == (pytest.approx(0.975), pytest.approx(130.0))
    assert (told["billed"], told["booked"]) == (3, 3)
    assert told["seen"]["all"] < 0.01
    assert main([*words, "--month", name]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"bill of {name}, in EUR\n")
    assert ", demand 130.00 of 130.00" in said
    assert f"known of {told['quarters']} quarters of an hour: 3 by the bill, 3 by the ledger" in said
    assert "all: 0.1% of its windows were seen" in said
    assert ("not known" in said) is not measures


def test_a_month_that_is_none_or_to_come(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--month", "June"]) == 2
    assert "--month June: write a month such as 2026-06" in capsys.readouterr().err
    assert main([*words, "--month", f"{utc_now().year + 1}-06"]) == 1
    assert "nothing is known" in capsys.readouterr().out
