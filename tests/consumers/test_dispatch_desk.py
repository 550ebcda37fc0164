"""The desk: which command goes out now, told by what was heard. No broker, no clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from consumers.dispatch.desk import Desk, Order
from consumers.dispatch.modes import ask, begin
from schemas.messages import Action, Authority, ControlRequest, Mode, Telemetry, Value
from schemas.site import Site, load_site
from schemas.units import Quality

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
SITE = """
site = "{name}"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 250e3, export_limit = 100e3 }}
battery = {{ pcs = "pcs1", bms = "bms1", energy = 200e3 }}
device = [
    {{ name = "grid", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" }},
    {{ name = "pcs1", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:503", rated_power = 100e3 }},
    {{ name = "bms1", profile = "pylontech_powercube_m2", address = "tcp://127.0.0.1:504" }},
    {{ name = "pv1", profile = "sunspec_pv", address = "tcp://127.0.0.1:505", rated_power = 60e3 }},
]
"""
TARIFF = """
import.period = [{ start = 17:00:00, end = 21:00:00, price = 0.30 }, { price = 0.12 }]
export.period = [{ price = 0.05 }]
demand = { price = 15.0 }
"""


def plant_site(folder: Path, name: str = "plant", tariff: str = TARIFF, more: str = "") -> Site:
    """A site of shipped profiles: meter, PCS, BMS and PV."""
    (folder / "tariff.toml").write_text(dedent(tariff), encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(more + SITE.format(name=name), encoding="utf-8")
    return load_site(path)


class Story:
    """A desk and its second hand."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk.of(plant_site(folder))
        self.desk.control = begin(NOON)
        self.second = 100.0
        self.seq = 0

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.second)

    def hear(self, device: str, *, old: float = 0, quality: dict[str, Quality] | None = None, **values: Value) -> None:
        self.seq += 1
        at = self.now - timedelta(seconds=old)
        said = Telemetry(at=at, epoch="0" * 16, seq=self.seq, values=values, quality=quality or {}, historical=old > 10)
        self.desk.fold.hear(device, said, self.now, self.second)

    def hear_all(self, grid: float = 30e3, power: float = 0.0, state: str = "running") -> None:
        self.hear("pcs1", p=power, state=state)
        self.hear("bms1", soc=50.0, u=800.0, ccl=100.0, dcl=100.0)
        self.hear("grid", p=grid)

    def ask(self, mode: str, **more: float | datetime) -> None:
        assert self.desk.control is not None
        wish = ControlRequest.model_validate({"at": self.now, "mode": Mode(mode), "who": "anna", **more})
        self.desk.control = ask(self.desk.control, wish, self.now)
        assert self.desk.control.refusal == ""

    def order(self) -> Order | None:
        return self.desk.order(self.now, self.second)

    def power(self) -> float | None:
        """W of the setpoint that goes out; None for nothing or an action."""
        order = self.order()
        return order.wanted.power if order and order.action is None else None

    def action(self) -> Action | None:
        order = self.order()
        return order.action if order else None


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_without_a_plan_it_covers_the_load(story: Story) -> None:
    story.hear_all(grid=30e3, power=10e3)
    assert story.power() == 40e3
    assert story.desk.detail == "auto: 40.0 kW, no valid plan: covers the load"


def test_the_loop_does_not_wind_up_while_the_meter_is_silent(story: Story) -> None:
    """The battery follows, the meter does not tell: the same net load holds, then the last power, then rest."""
    story.hear_all(grid=30e3)
    powers = []
    for _ in range(8):
        powers.append(story.power())
        story.second += 1
        story.hear("pcs1", p=30e3, state="running")
        story.hear("bms1", soc=50.0, u=800.0, ccl=100.0, dcl=100.0)
    assert powers == [30e3] * 6 + [0.0] * 2


@pytest.mark.parametrize("old", [20, 3600])
def test_what_comes_late_is_not_steered_by(story: Story, old: float) -> None:
    story.hear_all(grid=30e3)
    story.hear("grid", old=old, p=90e3)
    assert story.power() == 30e3


def test_a_value_that_cannot_be_believed_is_none(story: Story) -> None:
    story.hear_all(grid=30e3)
    story.second += 6
    story.hear("pcs1", p=30e3, state="running")
    story.hear("bms1", soc=50.0, u=800.0, ccl=100.0, dcl=100.0)
    story.hear("grid", p=5e3, quality={"p": Quality.FROZEN})
    assert story.power() == 0.0
    assert "the grid meter is silent for 6 s" in story.desk.detail


def test_a_limit_without_its_voltage_is_no_limit(story: Story) -> None:
    story.hear_all()
    for _ in range(6):
        story.second += 1
        story.hear("pcs1", p=0.0, state="running")
        story.hear("grid", p=30e3)
        story.hear("bms1", soc=50.0, ccl=100.0, dcl=100.0)
    assert story.power() == 0.0
    assert "the BMS is silent for 6 s" in story.desk.detail


def test_nothing_is_sent_to_a_silent_pcs(story: Story) -> None:
    assert story.order() is None
    story.hear_all()
    assert story.power() == 30e3
    story.second += 6
    assert story.order() is None
    assert story.desk.detail == "auto: pcs1 is silent; nothing is sent"


def test_a_stopped_pcs_is_started_once_and_again_later_each_time(story: Story) -> None:
    started = []
    for _ in range(400):
        story.second += 1
        story.hear_all(state="standby")
        if story.action() is Action.START:
            started.append(story.second - 101)
    assert started == [0, 10, 30, 70, 150, 310]
    story.hear_all(state="running")
    assert story.power() == 30e3
    story.hear_all(state="off")
    assert story.action() is Action.START  # it ran in between: the count begins anew


def test_a_fault_rests(story: Story) -> None:
    story.hear_all(state="fault")
    assert story.power() == 0.0
    assert story.desk.detail == "auto: rests: the PCS is fault"


def test_manual_sends_what_was_asked_until_the_lease_ends(story: Story) -> None:
    story.hear_all()
    story.ask("manual", power=-25e3, until=story.now + timedelta(seconds=60))
    order = story.order()
    assert order is not None
    assert (order.wanted.power, order.wanted.authority) == (-25e3, Authority.OPERATOR)
    story.second += 60
    story.hear_all()
    order = story.order()
    assert order is not None
    assert (order.wanted.power, order.wanted.authority) == (30e3, Authority.SELF_CONSUMPTION)


def test_local_sends_nothing(story: Story) -> None:
    story.hear_all()
    story.ask("local")
    assert story.order() is None
    story.hear_all(state="off")
    assert story.order() is None  # nor does it start what somebody stopped at the device


def test_a_lockout_rests_then_stops_once_then_is_quiet(story: Story) -> None:
    story.hear_all(power=30e3, grid=0.0)
    assert story.power() == 30e3
    story.ask("lockout")
    story.hear_all(power=0.0)
    assert story.power() == 0.0  # however still it stands: the setpoint goes first
    story.second += 2
    story.hear_all(power=20e3)
    assert story.power() == 0.0  # still moving
    story.second += 2
    story.hear_all(power=0.0)
    assert story.action() is Action.STOP
    story.second += 2
    story.hear_all(power=0.0)
    assert story.power() == 0.0  # still running: it may take a while
    story.hear_all(power=0.0, state="off")
    assert story.order() is None
    assert story.desk.detail == "lockout: the PCS is stopped"


def test_a_lockout_stops_a_battery_that_does_not_come_to_rest(story: Story) -> None:
    story.ask("lockout")
    actions = []
    for _ in range(12):
        story.hear_all(power=30e3)
        if story.action() is Action.STOP:
            actions.append(story.second - 100)
        story.second += 2
    assert actions == [10, 20]


def test_after_a_lockout_auto_starts_again(story: Story) -> None:
    story.ask("lockout")
    story.hear_all(state="off")
    assert story.order() is None
    story.second += 1
    story.ask("auto")
    assert story.action() is Action.START
