"""The desk: which command goes out now, told by what was heard. No broker, no clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.modes import begin
from schemas.messages import Action, Authority, ControlRequest, Mode, RequestOutcome, Telemetry, Value
from schemas.site import Site
from schemas.site_file import load_site
from schemas.units import Quality

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
SITE = """
site = "{name}"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 250e3, export_limit = 100e3 }}
battery = {{ pcs = "pcs1", bms = "bms1", energy = 200e3{battery} }}
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
UNBILLED = TARIFF.replace("demand = { price = 15.0 }\n", "")


def plant_site(folder: Path, name: str = "plant", tariff: str = TARIFF, more: str = "", battery: str = "") -> Site:
    """A site of shipped profiles: meter, PCS, BMS and PV. `battery` stands behind the others of its keys."""
    (folder / "tariff.toml").write_text(dedent(tariff), encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(more + SITE.format(name=name, battery=battery), encoding="utf-8")
    return load_site(path)


class Story:
    """A desk and its second hand."""

    def __init__(self, site: Site) -> None:
        self.desk = Desk.of(site)
        self.desk.control = begin(NOON)
        self.second = 100.0
        self.ahead = 0.0
        """Seconds of the wall clock before the true time."""
        self.seq = 0

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.second + self.ahead)

    def hear(
        self,
        device: str,
        more: dict[str, Value] | None = None,
        *,
        old: float = 0,
        quality: dict[str, Quality] | None = None,
        **said_: Value,
    ) -> None:
        self.seq += 1
        values = said_ | (more or {})
        at = self.now - timedelta(seconds=old)
        said = Telemetry(at=at, epoch="0" * 16, seq=self.seq, values=values, quality=quality or {})
        self.desk.read(device, said, self.now, self.second)

    def hear_all(self, grid: float = 30e3, power: float = 0.0, state: str = "running", soc: float = 50.0) -> None:
        """The battery once more at the end: only then it is known that it stood still while the meter was read."""
        self.hear("pcs1", p=power, state=state)
        self.hear("bms1", soc=soc, u=800.0, ccl=100.0, dcl=100.0)
        self.hear("grid", p=grid)
        self.hear("pcs1", p=power, state=state)

    def wishes(self, mode: str, **more: Any) -> RequestOutcome:
        asks = {"at": self.now, "mode": Mode(mode), "who": "anna", **more}
        return self.desk.hear(ControlRequest.model_validate(asks), self.now, self.second)

    def ask(self, mode: str, **more: Any) -> None:
        assert self.wishes(mode, **more).followed

    def order(self) -> Instruction | None:
        """What goes out, and is on its way at once."""
        return self.orders().get("pcs1")

    def orders(self) -> dict[str, Instruction]:
        """The same of each battery, by its PCS."""
        orders = self.desk.instruct(self.now, self.second)
        for number, (pcs, order) in enumerate(orders.items()):
            self.desk.sends(f"dispatch-{self.second:.0f}{f'-{number}' if number else ''}", pcs, order)
            self.desk.has_sent(pcs, order, self.second)
        return orders

    def power(self) -> float | None:
        """W of the setpoint that goes out; None for nothing or an action."""
        order = self.order()
        return order.wanted.power if order and order.action is None else None

    def action(self) -> Action | None:
        order = self.order()
        return order.action if order else None


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(plant_site(tmp_path))


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


@pytest.mark.parametrize("old", [20, 3600, -20, -3e9])
def test_a_sample_of_another_time_is_not_steered_by(story: Story, old: float) -> None:
    story.hear_all(grid=30e3)
    story.second += 1
    story.hear_all(grid=30e3)
    story.hear("grid", old=old, p=90e3)
    story.hear("pcs1", p=0.0, state="running")
    assert story.power() == 30e3


@pytest.mark.parametrize("ahead", [86_400.0, -86_400.0, 3600.0, -70.0])
def test_a_wall_clock_that_is_set_costs_a_moment_and_no_more(story: Story, ahead: float) -> None:
    """The bridge's clock and ours are set together; ages and order of what is heard go on."""
    story.hear_all(grid=30e3)
    assert story.power() == 30e3
    story.ahead = ahead
    powers = []
    for _ in range(8):
        story.second += 1
        story.hear_all(grid=40e3)
        powers.append(story.power())
    assert set(powers) == {30e3, 40e3}, "the last net load until the new time is believed, never a rest"
    assert powers[-4:] == [40e3] * 4
    story.ahead = 0.0
    for _ in range(8):
        story.second += 1
        story.hear_all(grid=50e3)
    assert story.power() == 50e3


def test_a_value_that_cannot_be_believed_is_none(story: Story) -> None:
    story.hear_all(grid=30e3)
    for seconds in (4, 2):
        story.second += seconds
        story.hear("pcs1", p=30e3, state="running")
        story.hear("bms1", soc=50.0, u=800.0, ccl=100.0, dcl=100.0)
    story.hear("grid", p=5e3, quality={"p": Quality.FROZEN})
    assert story.power() == 0.0
    assert "the grid meter has been silent for more than 5 s" in story.desk.detail


def test_a_limit_without_its_voltage_is_no_limit(story: Story) -> None:
    story.hear_all()
    for _ in range(6):
        story.second += 1
        story.hear("pcs1", p=0.0, state="running")
        story.hear("grid", p=30e3)
        story.hear("bms1", soc=50.0, ccl=100.0, dcl=100.0)
    assert story.power() == 0.0
    assert "the BMS has been silent for more than 5 s" in story.desk.detail


def test_nothing_is_sent_to_a_silent_pcs(story: Story) -> None:
    assert story.order() is None
    story.hear_all()
    assert story.power() == 30e3
    story.second += 6
    assert story.order() is None
    assert story.desk.detail == "auto: pcs1 is silent; nothing is sent"


@pytest.mark.parametrize(
    ("device", "poll"),
    [("pcs1", 20.0), ("bms1", 6.0), ("bms1", 20.0), ("grid", 10.0), ("grid", 20.0)],
)
def test_a_device_that_is_read_seldom_does_not_flap(tmp_path: Path, device: str, poll: float) -> None:
    """For two minutes its readings come in their time, so there is nothing to rest for."""
    plant_site(tmp_path)
    path = tmp_path / "site.toml"
    text = path.read_text(encoding="utf-8").replace(f'name = "{device}",', f'name = "{device}", poll = {poll},')
    path.write_text(text, encoding="utf-8")
    story = Story(load_site(path))
    powers, steered = [], False
    for _ in range(240):
        story.second += 0.5
        for name, values in READ.items():
            if story.second % (poll if name == device else 0.5) == 0:
                story.hear(name, values)
        if story.second % 2 == 0:
            powers.append(story.power())
            steered = steered or powers[-1] == 40e3
            assert not steered or powers[-1] == 40e3, story.desk.detail
    assert steered


READ: dict[str, dict[str, Value]] = {
    "pcs1": {"p": 0.0, "state": "running"},
    "bms1": {"soc": 50.0, "u": 800.0, "ccl": 100.0, "dcl": 100.0},
    "grid": {"p": 40e3},
}


def test_a_fault_rests(story: Story) -> None:
    story.hear_all(state="fault")
    assert story.power() == 0.0
    assert story.desk.detail == "auto: rests: the PCS is in fault"


def test_manual_sends_what_was_asked_until_the_lease_ends(story: Story) -> None:
    story.hear_all()
    story.ask("manual", power=-25e3, until=story.now + timedelta(seconds=60))
    order = story.order()
    assert order is not None
    assert (order.wanted.power, order.wanted.authority) == (-25e3, Authority.OPERATOR)
    for seconds in (58, 2):
        story.second += seconds
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


def test_a_lockout_goes_on_while_the_pcs_is_silent(story: Story) -> None:
    """It said that it is stopped, and then nothing more: nobody knows whether it still is."""
    story.hear_all(state="off")
    story.ask("lockout")
    assert story.order() is None
    sent = []
    for _ in range(15):
        story.second += 2
        order = story.order()
        sent.append(None if order is None else order.action or order.wanted.power)
    assert sent[:2] == [None, None], "its word counts as long as a reading does"
    assert set(sent[2:]) == {0.0, Action.STOP}


def test_after_a_lockout_auto_starts_again(story: Story) -> None:
    story.ask("lockout")
    story.hear_all(state="off")
    assert story.order() is None
    story.second += 1
    story.ask("auto")
    assert story.action() is Action.START
