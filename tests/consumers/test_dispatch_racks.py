"""A battery with two PCS on two racks on the desk of dispatch, and a site without any battery."""

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from consumers.dispatch.account import account
from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import Stored
from schemas.messages import Action, Cause, ControlRequest, Mode
from schemas.site import Site
from schemas.site_file import load_site
from tests.consumers.test_dispatch_desk import NOON, TARIFF, Story

SITE = """
site = "racks"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = { meter = "grid", import_limit = 400e3, export_limit = 100e3 }
battery = BATTERY
device = [
    { name = "grid", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" },
DEVICES
]
"""
DEVICES = """
    { name = "pcs1", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:503", rated_power = 100e3 },
    { name = "bms1", profile = "pylontech_powercube_m2", address = "tcp://127.0.0.1:504" },
    { name = "pcs2", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:505", rated_power = 50e3 },
    { name = "bms2", profile = "byd_c130", address = "tcp://127.0.0.1:506" },
"""
RACKS = '{ pcs = ["pcs1", "pcs2"], bms = ["bms1", "bms2"], energy = 200e3 }'


def site(folder: Path, battery: str, devices: str) -> Site:
    (folder / "tariff.toml").write_text(dedent(TARIFF.replace("demand = { price = 15.0 }\n", "")), encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(SITE.replace("BATTERY", battery).replace("DEVICES", devices), encoding="utf-8")
    return load_site(path)


class Racks(Story):
    """Each rack allows 80 A at 800 V."""

    def hear_racks(
        self,
        grid: float,
        *,
        out: str = "",
        state: str = "running",
        silent: str = "",
        socs: tuple[float, ...] = (60.0, 40.0),
    ) -> None:
        self.second += 2
        for turn in range(2):
            for number, soc in enumerate(socs, 1):
                if silent != f"pcs{number}":
                    self.hear(f"pcs{number}", p=0.0, state=state if number == 2 else "running")
                if silent != f"bms{number}":
                    contactor = "open" if out == f"bms{number}" else "closed"
                    self.hear(f"bms{number}", soc=soc, u=800.0, ccl=80.0, dcl=80.0, i=0.0, contactor=contactor)
            if not turn:
                self.hear("grid", p=grid)

    def powers(self) -> dict[str, float]:
        return {pcs: order.wanted.power for pcs, order in self.orders().items() if order.action is None}


@pytest.fixture
def racks(tmp_path: Path) -> Racks:
    return Racks(site(tmp_path, RACKS, DEVICES))


def test_both_pcs_share_what_the_racks_allow_together(racks: Racks) -> None:
    """Two racks of 64 kW at their cells give 121.6 kW behind their losses."""
    racks.hear_racks(grid=300e3)
    found = racks.powers()
    assert sum(found.values()) == pytest.approx(2 * 64e3 * 0.95, abs=1)
    assert found["pcs1"] == pytest.approx(2 * found["pcs2"], rel=0.01)


def test_a_rack_that_is_open_counts_no_more_and_the_rest_goes_on(racks: Racks) -> None:
    racks.hear_racks(grid=300e3, out="bms2")
    assert sum(racks.powers().values()) == pytest.approx(64e3 * 0.95, abs=1)
    assert racks.desk.fold.cells["battery"].now.soc == 60.0, "nor does its SoC"


def test_a_rack_that_was_never_heard_is_unknown(racks: Racks) -> None:
    racks.hear_racks(grid=300e3, silent="bms2")
    assert set(racks.powers().values()) == {0.0}
    assert "the BMS does not say what it allows" in racks.desk.detail


def test_a_pcs_that_trips_leaves_its_part_to_the_other(racks: Racks) -> None:
    racks.hear_racks(grid=300e3)
    racks.powers()
    racks.hear_racks(grid=300e3, state="fault")
    assert racks.powers()["pcs1"] == pytest.approx(100e3), "its rating, and not two thirds of what the cells allow"
    said = account(racks.desk, racks.orders(), NOON, racks.second)
    assert said is not None
    assert {name: one.takes_part for name, one in said.batteries.items()} == {
        "battery-pcs1": True, "battery-pcs2": False,
    }  # fmt: skip


def test_at_low_power_one_inverter_works(racks: Racks) -> None:
    racks.hear_racks(grid=10e3)
    assert sorted(racks.powers().values()) == [0.0, pytest.approx(10e3)]


def test_a_site_without_a_battery_has_nothing_to_steer(tmp_path: Path) -> None:
    story = Story(site(tmp_path, "[]", ""))
    story.second += 2
    story.hear("grid", p=30e3)
    assert story.orders() == {}
    assert story.desk.detail == "auto: the site has no battery to steer"
    said = account(story.desk, {}, NOON, story.second)
    assert said is not None
    assert (said.reason, said.batteries) == ("the site has no battery to steer", {})


@pytest.mark.parametrize(
    "wish", [{"mode": Mode.MANUAL, "power": 1e3, "until": NOON + timedelta(hours=1)}, {"action": Action.GRID_FORMING}]
)
def test_who_wants_to_steer_none_is_told_so(tmp_path: Path, wish: dict[str, object]) -> None:
    story = Story(site(tmp_path, "[]", ""))
    story.desk.begin(Stored(), Stored(), NOON, story.second)
    request = ControlRequest.model_validate({"id": "a", "at": NOON, "who": "anna", "why": "test", **wish})
    said = story.desk.hear(request, NOON, story.second)
    assert (said.followed, said.cause) == (False, Cause.UNKNOWN)
    assert "no battery" in said.reason


def test_a_lockout_holds_without_a_battery_too(tmp_path: Path) -> None:
    desk = Desk.of(site(tmp_path, "[]", ""))
    desk.begin(Stored(), Stored(), NOON, 0.0)
    request = ControlRequest(id="a", at=NOON, who="anna", why="test", mode=Mode.LOCKOUT)
    assert desk.hear(request, NOON, 1.0).followed
    assert desk.instruct(NOON, 2.0) == {}
