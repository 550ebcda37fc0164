"""What is planned for is all batteries that are heard, as one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from schemas.messages import Telemetry, Value
from tests.consumers.test_dispatch_batteries import two

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
SAID: dict[str, dict[str, Value]] = {
    "grid": {"p": 10e3},
    "pcs1": {"p": 40e3},
    "pcs2": {"p": 20e3},
    "bms1": {"soc": 80.0, "u": 800.0, "ccl": 200.0, "dcl": 200.0},
    "bms2": {"soc": 50.0, "u": 800.0, "ccl": 200.0, "dcl": 200.0},
}


def told(folder: Path, *silent: str) -> Situation:
    situation = Situation.of(two(folder))
    for seq, (device, values) in enumerate(SAID.items(), 1):
        if device not in silent:
            said = Telemetry(at=NOON, epoch="0" * 16, seq=seq, values=values)
            situation.fold(device, said, NOON, 0.0)
    return situation


def test_both_are_planned_for_as_one(tmp_path: Path) -> None:
    situation = told(tmp_path)
    assert situation.missing(0.0) == []
    assert [situation.load(0.0), situation.soc(0.0)] == pytest.approx([70e3, 70.0])
    outlook = look(situation, Past(situation.site), {}, NOON, 0.0).outlook
    assert [outlook.battery.energy, outlook.rated, outlook.soc] == pytest.approx([300e3, 150e3, 70.0])


@pytest.mark.parametrize("silent", ["pcs2", "bms2"])
def test_without_one_the_other_is_planned_for(tmp_path: Path, silent: str) -> None:
    situation = told(tmp_path, silent)
    assert situation.missing(0.0) == []
    outlook = look(situation, Past(situation.site), {}, NOON, 0.0).outlook
    assert (outlook.battery.energy, outlook.rated, outlook.soc) == (200e3, 100e3, 80.0)


def test_without_all_of_them_there_is_no_plan(tmp_path: Path) -> None:
    assert told(tmp_path, "pcs1", "bms2").missing(0.0) == ["pcs1", "bms2"]


def test_the_past_of_the_load_goes_on_without_one(tmp_path: Path) -> None:
    past = Past(two(tmp_path))
    later = NOON.replace(hour=11)
    past.means = {"grid": {NOON: 1e3, later: 1e3}, "pcs1": {NOON: 2e3, later: 2e3}, "pcs2": {NOON: 4e3}}
    assert past.load() == [(NOON, 7e3), (later, 3e3)]
