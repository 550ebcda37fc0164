"""How large an archive becomes: told before it happens, and true of years in a file."""

import json
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.archive_years import Life, measure
from consumers.archive.growth import Line, Measured, Rate, Source, forecast, full_on, rates, size_in, sources, total
from consumers.archive.migrate import migrate
from joulebus.cli import main
from schemas import tables
from schemas.site_retention import Retention
from tests.bridges.conftest import DEMO
from tests.consumers.test_archive_rollups import NOON, SITE

TOLD = [Source(86_400, 20), Source(8640, 5)]


async def test_years_stay_under_the_bound_and_questions_keep_their_time(tmp_path: Path) -> None:
    """Two years of a point a minute; `python -m benchmarks.archive_years` has ten at a sample a second."""
    life = Life(names=("meter",), places=("p",), poll=60, kept=Retention(raw_days=5, minute_days=30, years=2))
    found = await measure(tmp_path, life, years=2, days=1)
    assert found["rows"] > 200_000
    assert 0.3 < found["size_to_bound"] <= 1, found
    assert found["forgotten_rows"] >= 1440 + 1440 + 96 * 2 + 24 * 2 - 10
    assert found["file_mb"] < found["filled_mb"] + 8, "a log beside it, and no more"
    assert max(ratio for name, ratio in found.items() if name.endswith("_to_30_days")) < 20, found


def test_every_table_has_a_rate_and_a_line() -> None:
    for server in (True, False):
        told = rates(TOLD, 1, 1, server=server)
        assert set(told) >= {table.name for table in tables.metadata.sorted_tables}
        lines = forecast(told, Retention(), {})
        assert [one.bound for one in lines] == sorted((one.bound for one in lines), reverse=True)
        assert total(lines) < inf


def test_the_sources_are_the_devices_with_their_polls() -> None:
    assert [one.samples for one in sources(SITE)] == [86_400.0] * 4
    assert all(one.points > 5 for one in sources(SITE))


@pytest.mark.parametrize(
    ("kept", "days"),
    [
        ({"raw_days": 30}, 31),  # a partition of a day more
        ({"raw_days": 90}, 97),  # of a week
        ({"raw_days": 0}, inf),
    ],
)
def test_a_class_is_kept_its_days_and_a_partition(kept: dict[str, int], days: float) -> None:
    (line,) = forecast({"telemetry": Rate(100, 10)}, Retention(**kept), {})
    assert line.bound == days * 1000


def test_plans_are_thinned_to_one_an_hour() -> None:
    (line,) = forecast({"plan": Rate(1440, 1)}, Retention(plan_days=30, years=10), {})
    assert line.bound == pytest.approx(31 * 1440 + (3652.5 - 30) * 24)


def test_what_is_measured_stands_in_place_of_what_is_assumed() -> None:
    kept, told = Retention(raw_days=10), {"telemetry": Rate(100, 10)}
    (assumed,) = forecast(told, kept, {"telemetry": Measured(rows=10, size=4096)})
    assert (assumed.rows_per_day, assumed.bytes_per_row, assumed.filled) == (100, 10, 4096)
    (seen,) = forecast(told, kept, {"telemetry": Measured(rows=2000, size=8000, last_day=500)})
    assert [seen.rows_per_day, seen.bytes_per_row] == pytest.approx([575, 4.6])


def test_the_day_on_which_the_disk_is_full() -> None:
    lines = [Line("telemetry", 1000, 1000, 0, inf), Line("flow", 10, 100, 10, 10_000, 10_000)]
    assert full_on(lines, 100e6, NOON) == NOON + timedelta(days=101)
    bounded = [Line("telemetry", 1000, 1000, 50, 50e6)]
    assert full_on(bounded, 100e6, NOON) is None
    assert full_on(bounded, 20e6, NOON) == NOON + timedelta(days=21)
    assert full_on(bounded, 0, NOON) == NOON + timedelta(days=1)


@given(st.integers(1, 3650), st.integers(1, 1000), st.floats(0, 4000))
def test_a_size_grows_up_to_its_bound_and_never_over_it(raw: int, rows: int, day: float) -> None:
    lines = forecast(rates([Source(rows, 9)], 1, 0, server=False), Retention(raw_days=raw), {})
    assert size_in(lines, day) <= size_in(lines, day + 1) <= total(lines)


class Disk(NamedTuple):
    free: int


def test_the_forecast_is_told_before_there_is_an_archive_and_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOULEBUS_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/archive.db")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Disk(10**12))
    assert main(["archive", "status", "--forecast", "--site", str(DEMO)]) == 0
    said = capsys.readouterr().out
    assert "site file alone" in said
    assert "is empty; run: joulebus migrate" in said
    assert not (tmp_path / "archive.db").exists(), "to look makes no file"
    assert "never more than " in said
    migrate(f"sqlite+aiosqlite:///{tmp_path}/archive.db")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Disk(10**9))
    assert main(["archive", "status", "--forecast", "--site", str(DEMO)]) == 1
    said = capsys.readouterr().out
    assert "site file alone" not in said
    assert "it is full on " in said
    assert main(["archive", "status", "--forecast", "--json", "--site", str(DEMO)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {one["table"] for one in told["tables"]} == set(tables.metadata.tables)
    assert told["free"] == 10**9
    assert told["bound"] > sum(one["bound"] for one in told["tables"]) - 1
