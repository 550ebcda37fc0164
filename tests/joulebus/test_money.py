"""`joulebus money`, as a person types it."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from joulebus.cli import main
from joulebus.money import WORDS
from runtime.database import engine
from schemas.tables import CAUSES
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
    assert said[-2].split() == ["sum", "0.86", "0.80", "0.00", "0.06", "1.40", "0.54", "-", "-"]
    assert "saved: of 1 of 2 quarters of an hour; a battery was silent in the others" in said[-1]
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
