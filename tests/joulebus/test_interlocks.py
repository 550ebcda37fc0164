"""The cause-and-effect matrix, on the terminal and on its page."""

from pathlib import Path

import pytest

from bridges.control.interlock_rules import shipped
from joulebus.cli import main
from joulebus.documents import DOCUMENTS

ROOT = Path(__file__).parents[2]
OWN = """
[[interlock]]
name = "cell_too_hot"
kind = "bms"
point = "cell_t_max"
above = 50
clear = 45
effect = ["stop"]
reset = "operator"

[[interlock]]
name = "emergency_stop"
kind = "pcs"
omit = "this unit has no button"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "simulator").symlink_to(ROOT / "simulator")
    (tmp_path / "tariff.toml").write_text((ROOT / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / "site.toml"
    path.write_text((ROOT / "site.toml").read_text(encoding="utf-8") + OWN, encoding="utf-8")
    return path


def rows(out: str) -> dict[str, str]:
    return {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if not line.startswith(" ")}


def test_the_matrix_of_a_site_says_what_each_cause_does(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interlocks", str(site)]) == 0
    out = capsys.readouterr().out
    assert "  battery  charge  discharge  start  stop, open  lock out  ends      cause" in out
    found = rows(out)
    assert found["cell_over_voltage-bms"] == "hall X operator cell_u_max > 3.65, clear at 3.5"
    assert found["contactor_open-bms"] == "hall X X auto contactor is not closed; off 1 s"
    assert found["short_circuit-bms"].startswith("hall X X X X X operator short_circuit_protection")
    assert found["contactor_open-bms2"].startswith("yard X X")
    assert found["cell_too_hot-bms"] == "* hall X X X X operator cell_t_max > 50, clear at 45"
    assert "emergency_stop-pcs" not in found
    assert "taken out: emergency_stop of pcs: this unit has no button" in out


def test_a_site_with_one_battery_needs_no_column_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interlocks", str(ROOT / "tests" / "one_battery.toml")]) == 0
    out = capsys.readouterr().out
    assert "battery" not in out.splitlines()[0]
    assert rows(out)["contactor_open-bms"].startswith("X X auto")


def test_what_belongs_to_no_battery_acts_on_all(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hot = '[[interlock]]\nname = "draw"\ndevice = "meter"\npoint = "p"\nabove = 9e5\nclear = 8e5\neffect = ["stop"]\n'
    site.write_text(f"{site.read_text(encoding='utf-8')}\n{hot}", encoding="utf-8")
    assert main(["interlocks", str(site)]) == 0
    assert rows(capsys.readouterr().out)["draw-meter"].startswith("* all ")


def test_without_a_site_it_is_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interlocks"]) == 0
    found = rows(capsys.readouterr().out)
    assert {rule.name for rule in shipped()} == set(found) - {"interlock"}


def test_check_says_what_only_the_bms_guards(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(site)]) == 0
    assert ".chemistry" not in capsys.readouterr().out
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace('chemistry = "lfp"', "", 1).replace(OWN, ""), encoding="utf-8")
    assert main(["check", str(site)]) == 0
    assert "hall.chemistry is not given: the BMS alone guards against cell_u_max too high" in capsys.readouterr().out


def test_a_rule_that_could_not_act_is_refused_with_its_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = site.read_text(encoding="utf-8")
    site.write_text(
        text.replace('point = "cell_t_max"\nabove = 50', 'point = "cell_tmax"\nabove = 50'), encoding="utf-8"
    )
    assert main(["check", str(site)]) == 1
    line = site.read_text(encoding="utf-8").splitlines().index('point = "cell_tmax"') + 1
    said = (
        f"{site}:{line}: interlock.0.point: point 'cell_tmax' of device 'bms' does not exist; did you mean 'cell_t_max'"
    )
    assert said in capsys.readouterr().err


def test_the_page_shows_every_shipped_interlock_and_its_text() -> None:
    page = DOCUMENTS["interlocks.md"]()
    for rule in shipped():
        assert f"`{rule.name}`" in page
        assert rule.text in page
    assert "stateDiagram-v2" in page
