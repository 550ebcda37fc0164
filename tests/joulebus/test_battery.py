"""`joulebus battery`, out of an archive in which two batteries have lived for three weeks."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.archive.roller import put
from joulebus.cli import main
from optimizer.health import Counted
from runtime.database import engine
from runtime.rollups import floor
from schemas.tables import energy, rollup_15m
from schemas.units import utc_now
from tests.consumers.test_archive_money import site_of
from tests.optimizer.cells import Cells

TARIFF = "import.period = [{ price = 0.20 }]\nexport.period = [{ price = 0.05 }]\n"
DAYS = 21
TWO = """[
    { name = "hall", pcs = "pcs1", bms = "bms1", energy = 200e3 },
    { name = "yard", pcs = "pcs2", bms = "bms2", energy = 200e3 },
]
"""
MORE = """
    { name = "pcs2", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:513", rated_power = 100e3 },
    { name = "bms2", profile = "pylontech_powercube_m2", address = "tcp://127.0.0.1:514" },
]
"""


def told(device: str, lived: Counted) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The archive's rows of a PCS and its BMS; the second day of the PCS is missing."""
    begin = floor(utc_now(), 900) - timedelta(days=DAYS)
    for number, (soc, into, out) in enumerate(zip(lived.soc, lived.charged, lived.discharged, strict=True)):
        key = {"site": "plant", "at": begin + number * timedelta(minutes=15)}
        values = dict.fromkeys(("low", "mean", "high", "last", "twa"), float(soc))
        rest = {"point": "soc", "samples": 900, "seconds": 900.0, "plus": 0.0, "minus": 0.0}
        yield rollup_15m, key | {"device": f"bms{device}"} | values | rest
        if not 96 <= number < 192:
            spent = {"point": "p", "out_wh": float(out), "in_wh": float(into), "source": "counter", "seconds": 900.0}
            yield energy, key | {"device": f"pcs{device}"} | spent


def fill(url: str, **lived: Counted) -> None:
    async def run() -> None:
        database = engine(url)
        async with database.begin() as connection:
            for device, one in lived.items():
                rows = [*told(device[-1], one)]
                for table in (rollup_15m, energy):
                    mine = [row for which, row in rows if which is table]
                    for first in range(0, len(mine), 500):
                        await put(connection, table, mine[first : first + 500])
        await database.dispose()

    asyncio.run(run())


@pytest.fixture
def words(archive_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("JOULEBUS_DATABASE", archive_url)
    site_of(tmp_path, TARIFF)
    return ["battery", "--site", str(tmp_path / "site.toml"), "--days", str(DAYS)]


def test_energy_and_efficiency_are_found_beside_the_site_file(
    words: list[str], archive_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert "not estimated: too few stretches" in capsys.readouterr().out
    fill(archive_url, of1=Cells().lived(DAYS, np.random.default_rng(3)))
    assert main([*words, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out).values()
    found = told["found"]
    assert abs(found["energy"] - 170e3) < 3 * found["energy_sigma"] < 6e3
    assert abs(found["efficiency"] - 0.94) < 3 * found["efficiency_sigma"] < 0.02
    assert told["known"] == pytest.approx(1 - 1 / DAYS)
    assert told["usable"]["energy"] == pytest.approx(found["energy"])
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "200.0 kWh in the site file" in said
    assert "85% of the site file's" in said
    assert "good enough for a plan: 1" in said
    assert "known of the last 21 days: 95%" in said


def test_each_of_several_batteries_has_its_own(
    sqlite_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is as new and one is aged."""
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    site_of(tmp_path, TARIFF)
    path = tmp_path / "site.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace('{ pcs = "pcs1", bms = "bms1", energy = 200e3 }\n', TWO)
    path.write_text(text.rstrip().removesuffix("]") + MORE, encoding="utf-8")
    rng = np.random.default_rng(7)
    fill(sqlite_archive, of1=Cells(energy=197e3).lived(DAYS, rng), of2=Cells(energy=150e3).lived(DAYS, rng))
    assert main(["battery", "--site", str(path), "--days", str(DAYS), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [*told] == ["hall", "yard"]
    assert told["hall"]["found"]["energy"] == pytest.approx(197e3, rel=0.02)
    assert told["yard"]["found"]["energy"] == pytest.approx(150e3, rel=0.02)


def test_a_site_without_a_battery_is_said_to_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site_of(tmp_path, TARIFF)
    path = tmp_path / "site.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not any(word in line for word in ("battery =", '"pcs1"', '"bms1"'))]
    path.write_text("\n".join(kept), encoding="utf-8")
    assert main(["battery", "--site", str(path)]) == 1
    assert "plant has no battery" in capsys.readouterr().err
