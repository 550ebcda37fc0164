"""What an operator, an integrator and a BI engineer were told that is not so, each working from the documents alone."""

from pathlib import Path

import pytest

from consumers.archive.growth import Measured, Rate, forecast
from joulebus.cli import main
from schemas.site_parts import Retention
from tests.bridges.conftest import DEMO


def test_the_forecast_counts_rows_that_are_closed_within_the_hour_once() -> None:
    """To the integrator: the demo was said to need 111 GB, 90 of them rows that leave their table within the hour."""
    told = {"command": Rate(51_840, 600), "journal": Rate(155_520, 320), "run": Rate(518, 4000)}
    bounds = {one.table: one.bound for one in forecast(told, Retention(), {})}
    assert bounds["command"] + bounds["journal"] < bounds["run"] / 10
    half_an_hour = {"journal": Measured(rows=3240, size=2_000_000, last_day=3240)}
    (line,) = forecast({"journal": Rate(155_520, 320)}, Retention(), half_an_hour)
    assert line.rows_per_day == 155_520, "those that are closed are no more counted, and come as before"


def test_a_day_on_which_devices_were_silent_makes_no_bound_smaller() -> None:
    """To the integrator: `never more than` was said of a day of five-minute samples, 70 times below what polls make."""
    told = {"telemetry": Rate(777_600, 500)}
    (line,) = forecast(
        told, Retention(raw_days=90), {"telemetry": Measured(rows=12_000, size=6_000_000, last_day=2754)}
    )
    assert line.rows_per_day == 777_600


def test_what_needs_no_broker_asks_for_no_password_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the integrator: with one set of variables for all parts, as documented, there was no way to migrate."""
    variables = tmp_path / "variables"
    variables.write_text(
        f"JOULEBUS_BROKER=mqtt://{{role}}@127.0.0.1:1\nJOULEBUS_BROKER_PASSWORD_FILE={tmp_path}/{{role}}\n"
        f"JOULEBUS_DATABASE=sqlite+aiosqlite:///{tmp_path}/archive.db\n"
    )
    monkeypatch.delenv("JOULEBUS_DATABASE", raising=False)
    assert main(["migrate", "--env", str(variables)]) == 0
    assert main(["money", "--env", str(variables), "--site", str(DEMO)]) == 1
    assert "nothing is priced yet" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["money", "gaps"])
@pytest.mark.parametrize("days", ["0", "-3", "99999999", "nan"])
def test_days_that_nobody_can_look_back_are_refused(
    command: str, days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the operator: 0 days were `100 % complete`, and many were a traceback."""
    with pytest.raises(SystemExit, match="2"):
        main([command, f"--days={days}"])
    assert "--days: " in capsys.readouterr().err
