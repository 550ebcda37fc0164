"""The seventh hostile read, of money: what `joulebus backtest` told wrongly, or not at all."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from joulebus.backtest.charts import bars, lines, lying
from joulebus.backtest.table import read
from joulebus.cli import main
from schemas.troubles import Trouble
from tests.joulebus.backtest import files

ROWS = files.lines(files.rows(3))


def spoilt(raw: bytes) -> bytes:
    """Bits that a disk turned."""
    return raw[:30] + bytes(one ^ 0x77 for one in raw[30:34]) + raw[34:]


def with_row(change: Callable[[str], str]) -> bytes:
    return "\n".join([*ROWS[:50], change(ROWS[50]), *ROWS[51:]]).encode()


def turned(row: str) -> str:
    """PV counted negative while it produces."""
    at, load, pv = row.split(",")
    return f"{at},{load},-{pv}"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (spoilt(gzip.compress("\n".join(ROWS).encode())), "cannot be read"),
        (with_row(lambda row: f"{row},5,6"), "Expected 3 fields in line 51, saw 5: give each row the 3 cells"),
        (with_row(lambda row: f'"{row}'), "and no open quote"),
        (with_row(lambda row: row.replace("2025", "9999")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: row.replace("2025", "0001")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: row.replace("2025", "1960")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: f"{row.split(',')[0]},1e300,0"), "row 51: load_kw is '1e300', and beyond 1e+07"),
        ("\n".join([ROWS[0], *map(turned, ROWS[1:])]).encode(), "counted negative in this file, turn its sign"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    """Each of the first four ended in a traceback; a row of 1960 was left out uncounted, and PV of the other sign
    became a site without PV."""
    path = tmp_path / "data.csv"
    path.write_bytes(raw)
    with pytest.raises(Trouble) as told:
        read(path, ZoneInfo("UTC"))
    assert words in str(told.value)


def test_what_inverters_draw_at_night_is_no_wrong_sign(tmp_path: Path) -> None:
    dark = [ROWS[0], *(f"{row.rsplit(',', 1)[0]},-0.04" for row in ROWS[1:])]
    found = read(files.write(tmp_path / "data.csv", dark), ZoneInfo("UTC"))
    assert found.repairs["negative_pv_taken_for_zero"] == len(ROWS) - 1


def test_a_file_of_an_old_mac_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes("\r".join(ROWS).encode())
    assert len(read(path, ZoneInfo("UTC")).minutes) == len(ROWS) - 1


def test_pictures_of_nothing_but_zeros_are_drawn() -> None:
    """A site that stood still ended the backtest in a division by zero after all was played."""
    assert "NaN" not in bars(["2025-03"], {"none": [0.0]}, "kW") + lines({"load": [0.0] * 96}, "kW") + lying(
        {"a": 0}, ""
    )


FLAGS = ["--battery-kw=50", "--battery-kwh=100", "--from=2025-03-03", "--timezone=UTC", "--strategy=self-consumption"]


def backtest(folder: Path, *more: str) -> int:
    data = files.write(folder / "data.csv", ROWS)
    return main(["backtest", f"--data={data}", f"--out={folder / 'out'}", *FLAGS, *more])


@pytest.mark.parametrize("days", [10**7, 10**9])
def test_days_beyond_every_calendar_are_refused(tmp_path: Path, days: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(tmp_path, f"--days={days}") == 2
    assert f"--days {days}: write 1 to" in capsys.readouterr().err


def test_the_trace_balances_while_pv_is_curtailed(tmp_path: Path) -> None:
    """It told PV that was never produced: load - PV - battery was not the grid."""
    assert backtest(tmp_path, "--days=3", "--export-limit-kw=5", "--strategy=none") == 0
    with (tmp_path / "out" / "trace.csv").open(encoding="utf-8") as file:
        rows = [{name: float(row[name]) for name in row if name.endswith("_kw")} for row in csv.DictReader(file)]
    assert min(row["grid_kw"] for row in rows) == -5
    there = [float(row.rsplit(",", 1)[1]) for row in ROWS[1:]]
    assert any(row["pv_kw"] < pv - 1 for row, pv in zip(rows, there, strict=True))
    for row in rows:
        assert row["load_kw"] - row["pv_kw"] - row["battery_kw"] == pytest.approx(row["grid_kw"], abs=3e-4)
