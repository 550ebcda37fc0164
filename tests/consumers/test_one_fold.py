"""Dispatch and optimize know the same of one site: both are told the same messages, in virtual time.

Each story was another truth for each of the two, or for the order in which its messages came.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import begin
from consumers.optimize.situation import Situation
from optimizer.situation.ages import PCS_SILENT, PLANNED
from optimizer.situation.heard import Known
from schemas.messages import ControlDispatch, LoadDispatch, LoadState, Mode, Telemetry, Value
from schemas.site import Site
from schemas.units import Quality
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_racks import DEVICES, RACKS
from tests.consumers.test_dispatch_racks import site as racks_site
from tests.consumers.test_hybrid_sun import site as site  # noqa: PLC0414  # a fixture
from tests.consumers.test_optimize_look import flexible

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
CELLS: dict[str, Value] = {"soc": 60.0, "u": 800.0, "ccl": 80.0, "dcl": 80.0, "i": 0.0, "contactor": "closed"}
"""64 kW each way."""
BAD = Quality.IMPLAUSIBLE


@dataclass
class Both:
    """The two shells, and one hand that tells them everything."""

    site: Site
    second: float = 0.0
    seqs: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.desk, self.situation = Desk.of(self.site), Situation.of(self.site)
        self.desk.control = begin(NOON)

    def hear(self, device: str, sample: Telemetry) -> None:
        now = NOON + timedelta(seconds=self.second)
        self.desk.read(device, sample, now, self.second)
        self.situation.fold(device, sample, now, self.second)
        assert self.desk.fold.seen == self.situation.seen

    def says(self, device: str, values: dict[str, Value], *bad: str, ahead: float = 0.0, **more: Any) -> None:
        """`bad`: the points whose quality is not good; `ahead`: of the device's clock, in seconds."""
        seq = self.seqs[device] = self.seqs.get(device, 0) + 1
        said: dict[str, Any] = {"at": NOON + timedelta(seconds=self.second + ahead), "epoch": "0" * 16, "seq": seq}
        self.hear(device, Telemetry(**said | more, values=values, quality=dict.fromkeys(bad, BAD)))

    def all_say(self, **others: dict[str, Value]) -> None:
        """A site with one battery, each of its devices once."""
        said: dict[str, dict[str, Value]] = {
            "grid": {"p": 300e3}, "pcs1": {"p": 0.0, "state": "running"}, "bms1": CELLS, "pv1": {"p": 0.0},
        }  # fmt: skip
        for device, values in (said | others).items():
            self.says(device, values)

    def known(self, device: str, point: str) -> tuple[Known, Known]:
        """To dispatch, and to a plan."""
        seen = self.situation.seen
        now, planned = (seen.known(device, point, self.second, least) for least in (PCS_SILENT, PLANNED))
        return now, planned

    def power(self) -> float:
        """W that dispatch wants of the batteries together."""
        now = NOON + timedelta(seconds=self.second)
        orders = self.desk.instruct(now, self.second).values()
        return sum(order.wanted.power for order in orders if order.action is None)


@pytest.fixture
def plant(tmp_path: Path) -> Both:
    return Both(plant_site(tmp_path))


@pytest.fixture
def racks(tmp_path: Path) -> Both:
    return Both(racks_site(tmp_path, RACKS, DEVICES))


# what is known, and to whom ------------------------------------------------------------------------------

G, N, S, D = Known.GOOD, Known.NEVER, Known.SILENT, Known.DOUBTED


def _goes_on(it: Both, seconds: int, values: dict[str, Value], *bad: str, **more: Any) -> float:
    for _ in range(seconds):
        it.second += 1
        it.says("grid", values, *bad, **more)
    return it.second


KNOWN: dict[str, tuple[Callable[[Both], object], tuple[Known, Known], float | None]] = {
    "nothing was said yet": (lambda it: it.known("grid", "p"), (N, N), None),
    "it speaks": (lambda it: _goes_on(it, 3, {"p": 7.0}), (G, G), 7.0),
    "it is silent for 9 s": (lambda it: (_goes_on(it, 3, {"p": 7.0}), _wait(it, 9)), (S, G), 7.0),
    "it is silent for 70 s": (lambda it: (_goes_on(it, 3, {"p": 7.0}), _wait(it, 70)), (S, S), 7.0),
    "its quality is bad for 9 s": (
        lambda it: (_goes_on(it, 3, {"p": 7.0}), _goes_on(it, 9, {"p": 8.0}, "p")), (D, G), 7.0,
    ),
    "its quality is bad for 70 s": (
        lambda it: (_goes_on(it, 3, {"p": 7.0}), _goes_on(it, 70, {"p": 8.0}, "p")), (D, D), 7.0,
    ),
    "its quality was never good": (lambda it: _goes_on(it, 70, {"p": 8.0}, "p"), (D, D), None),
    "the point is absent": (lambda it: (_goes_on(it, 3, {"p": 7.0}), _goes_on(it, 70, {"q": 1.0})), (D, D), 7.0),
    "0 W is a power": (lambda it: _goes_on(it, 3, {"p": 0.0}), (G, G), 0.0),
    "only its counter is told": (lambda it: _goes_on(it, 3, {"e_import": 5.0}), (D, D), None),
    "no plant has so much": (lambda it: _goes_on(it, 3, {"p": 1e13}), (D, D), None),
    "out of the outbox": (lambda it: _goes_on(it, 3, {"p": 7.0}, historical=True), (N, N), None),
    "its clock is set ahead by a day": (
        lambda it: (_goes_on(it, 3, {"p": 7.0}), _goes_on(it, 3, {"p": 9.0}, ahead=86_400.0)), (G, G), 9.0,
    ),
    "its clock was set ahead, and it is silent": (
        lambda it: (_goes_on(it, 3, {"p": 7.0}, ahead=86_400.0), _wait(it, 70)), (S, S), 7.0,
    ),
}  # fmt: skip


def _wait(it: Both, seconds: float) -> float:
    it.second += seconds
    return it.second


@pytest.mark.parametrize("what", KNOWN)
def test_what_is_known_of_the_meter(plant: Both, what: str) -> None:
    """Seconds for dispatch, a minute for a plan, and what is too old, doubted or never heard is no power."""
    story, expected, value = KNOWN[what]
    story(plant)
    assert plant.known("grid", "p") == expected
    assert plant.situation.seen.power("grid") == value


def test_what_a_plan_lacks_is_said_as_it_is(plant: Both) -> None:
    """A meter that speaks, and whose power is not believed, was called silent."""
    for _ in range(70):
        plant.second += 1
        plant.says("grid", {"p": 1.0}, "p")
        plant.says("pcs1", {"p": 0.0})
        if plant.second < 5:
            plant.says("bms1", CELLS)
    assert plant.situation.lacks(plant.second) == "grid is not good; bms1 is silent"
    assert Both(plant.site).situation.lacks(0.0) == "grid, pcs1, bms1 was never heard"


# the cells -----------------------------------------------------------------------------------------------


def _racks_say(it: Both, second: dict[str, Value] | None, *bad: str) -> None:
    it.says("grid", {"p": 300e3})
    for pcs in ("pcs1", "pcs2"):
        it.says(pcs, {"p": 0.0, "state": "running"})
    it.says("bms1", CELLS)
    if second is not None:
        it.says("bms2", second, *bad)


OPEN = CELLS | {"contactor": "open", "soc": 20.0, "ccl": 0.0, "dcl": 0.0}
RACKED: dict[str, tuple[dict[str, Value] | None, tuple[str, ...], float, float | None, float, float]] = {
    "both are connected": (CELLS, (), 121.6e3, 60.0, 200e3, 121.6e3),
    "one is open: the other goes on": (OPEN, (), 60.8e3, 60.0, 100e3, 60.8e3),
    "one is silent: nobody knows the whole": (None, (), 0.0, None, 0.0, float("inf")),
    "one has a doubtful SoC": (CELLS, ("soc",), 0.0, None, 0.0, float("inf")),
    "one has doubtful limits": (CELLS, ("dcl",), 0.0, 60.0, 200e3, 0.0),
}
"""What the second of two racks says and what of it is doubted: W that dispatch takes; SoC, Wh and W of the plan."""


@pytest.mark.parametrize("what", RACKED)
def test_one_of_two_racks(racks: Both, what: str) -> None:
    """A plan counted on the energy of a rack that was open and on the power of one that was silent, while dispatch
    left out the one and rested for the other."""
    second, bad, power, soc, energy, planned = RACKED[what]
    for _ in range(5):
        racks.second += 1
        _racks_say(racks, second, *bad)
    assert racks.power() == pytest.approx(power)
    heard = racks.situation.batteries(racks.second)
    assert [one.energy for one in heard] == ([energy] if energy else [])
    assert (racks.situation.soc(racks.second) if heard else None) == soc
    assert racks.situation.allowed(racks.second)[1] == pytest.approx(planned)


def test_what_is_left_of_a_worn_battery_is_shared_by_its_racks(racks: Both) -> None:
    racks.situation.worn["battery"] = 150e3, 0.9
    for _ in range(3):
        racks.second += 1
        _racks_say(racks, OPEN)
    (one,) = racks.situation.as_worn(racks.situation.batteries(racks.second))
    assert (one.energy, one.efficiency) == (75e3, 0.9)


def test_a_pcs_that_is_silent_is_not_planned_with(racks: Both) -> None:
    for _ in range(70):
        racks.second += 1
        _racks_say(racks, CELLS)
        racks.says("pcs1", {"p": 0.0})
    assert [one.pcs for one in racks.situation.batteries(racks.second)] == [["pcs1", "pcs2"]]
    for _ in range(70):
        racks.second += 1
        for device in ("bms1", "bms2"):
            racks.says(device, CELLS)
        racks.says("grid", {"p": 300e3})
        racks.says("pcs1", {"p": 0.0})
    (one,) = racks.situation.batteries(racks.second)
    assert racks.site.rated(one) == 100e3


def test_limits_and_soc_may_come_in_turn(plant: Both) -> None:
    """Two blocks of registers, two messages: dispatch never knew both, a plan did."""
    for second in range(6):
        plant.second += 1
        plant.all_say(bms1={"soc": 60.0} if second % 2 else {"u": 800.0, "ccl": 80.0, "dcl": 80.0})
    assert plant.power() == pytest.approx(60.8e3)
    assert plant.situation.soc(plant.second) == 60.0


def test_a_derate_is_the_same_for_both(plant: Both) -> None:
    for dcl, most in ((80.0, 60.8e3), (10.0, 7.6e3), (0.0, 0.0)):
        for _ in range(2):
            plant.second += 1
            plant.all_say(bms1=CELLS | {"dcl": dcl})
        assert plant.power() == pytest.approx(most)
        assert plant.situation.allowed(plant.second)[1] == pytest.approx(most)


# PV, loads, devices that are gone ------------------------------------------------------------------------


def test_a_message_without_the_sun_does_not_make_it_dark(site: Site) -> None:
    """8 of the inverter's 10 kW were PV's. Each message that left them out, or doubted them, gave all 10 kW to the
    battery, while the plan still knew the 8."""
    it = Both(site)
    rest: dict[str, Value] = {"p": 0.0, "state": "running", "soc": 50.0, "dc_u": 400.0, "ccl": 50.0, "dcl": 50.0}
    for second in range(4):
        it.second += 1
        it.says("hybrid", rest | ({"pv_p_1": 8e3, "pv_p_2": 0.0} if second < 3 else {}))
        it.says("grid", {"p": 20e3})
    assert it.power() == pytest.approx(2e3)
    assert it.situation.pv(it.second) == pytest.approx(8e3)


def test_a_load_that_shows_less_than_nothing_is_off(tmp_path: Path) -> None:
    """A noise of -20 W: the plan kept the 10 kW from before for a minute."""
    it = Both(flexible(tmp_path))
    for turn in range(100):
        it.second += 10
        it.all_say(oven={"p": 10e3 if turn < 2 else -20.0})
    assert it.situation.rest(it.second) == pytest.approx(it.situation.load(it.second), abs=10.0)


def test_what_dispatch_said_of_loads_gets_old(tmp_path: Path) -> None:
    """Of a dispatch that was gone for hours the plan still took what a load had taken until then."""
    situation = Situation.of(flexible(tmp_path))
    states = {name: LoadDispatch(state=LoadState(on=True, since=NOON), reason="") for name in ("oven", "sold")}
    said = ControlDispatch(at=NOON, mode=Mode.AUTO, reason="", batteries={}, loads=states)
    situation.hear_dispatch(said, 100.0)
    assert situation.loads(101.0).keys() == {"oven"}, "what is in the site file no more is not planned"
    assert situation.loads(200.0) == {}


def test_a_device_that_is_in_the_site_file_no_more_changes_nothing(plant: Both) -> None:
    plant.all_say()
    before = plant.situation.load(0.0), plant.power()
    for _ in range(5):
        plant.says("old_meter", {"p": 900e3})
    assert (plant.situation.load(0.0), plant.power()) == before
    assert "old_meter" not in plant.situation.seen.spoke


# as messages come ----------------------------------------------------------------------------------------


def test_what_is_sent_again_after_a_reconnect_is_not_now(plant: Both) -> None:
    """Twenty unconfirmed samples come once more, all at once: from the third on each was taken for the newest."""
    samples = []
    for second in range(20):
        plant.second += 1
        plant.says("grid", {"p": float(second)})
        samples.append(Telemetry(at=NOON + timedelta(seconds=plant.second), epoch="0" * 16, seq=second + 1,
                                 values={"p": float(second)}))  # fmt: skip
    for sample in samples:
        plant.second += 0.001
        plant.hear("grid", sample)
        assert plant.situation.seen.power("grid") == 19.0
        assert plant.desk.fold.billing.power == 19.0


def test_what_an_older_run_of_the_bridge_said_is_not_now(plant: Both) -> None:
    old = Telemetry(at=NOON + timedelta(seconds=1), epoch="a" * 16, seq=900, values={"p": 1.0})
    plant.second = 1
    plant.hear("grid", old)
    for _ in range(3):
        plant.second += 1
        plant.says("grid", {"p": 2.0})
        plant.hear("grid", old)
        assert plant.situation.seen.power("grid") == 2.0


@dataclass(order=True)
class Sent:
    """A sample on its way. What it says is its number."""

    comes: float
    device: str
    number: int
    made: float
    what: str


def rhythms(random: Random) -> list[Sent]:
    """Each device in a rhythm of its own of 1 to 10 s, late by up to 4 s, so also out of order; some are doubted, some
    come again, alone or all that was said so far in a flood, and some have a time of the next day."""
    found, flood = list[Sent](), random.uniform(10, 40)
    for device in ("grid", "pcs1", "bms1", "pv1"):
        period = random.uniform(1, 10)
        for number in range(1, int(40 / period) + 1):
            made, what = number * period, random.choice(["good", "good", "bad", "late", "again", "outbox", "future"])
            if what == "future" and (number % 4 or number < 4):
                what = "good"  # one alone: where all are so, its clock was set
            found.append(Sent(made + (random.uniform(0, 4) if what == "late" else 0.0), device, number, made, what))
            if what == "again":
                found.append(Sent(made + random.uniform(0, 30), device, number, made, what))
            if made < flood and what != "future":
                found.append(Sent(flood + number / 1e4, device, number, made, "good"))
    return sorted(found)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_only_the_newest_good_value_counts_and_never_an_older_one(rhythmic: Both, random: Random) -> None:
    """`hear` proves that both shells know the same after each message."""
    it, newest, before = Both(rhythmic.site), dict[str, int](), dict[str, float]()
    for sent in rhythms(random):
        it.second, device = sent.comes, sent.device
        at = NOON + timedelta(seconds=sent.made, days=sent.what == "future")
        values: dict[str, Value] = {"p": float(sent.number), "soc": float(sent.number)}
        quality = dict.fromkeys(values, BAD) if sent.what == "bad" else {}
        it.hear(device, Telemetry(
            at=at, epoch="0" * 16, seq=sent.number, values=values, quality=quality, historical=sent.what == "outbox",
        ))  # fmt: skip
        seen = it.situation.seen
        value = seen.power(device) if device != "bms1" else seen.cells["battery"].racks["bms1"].rack.soc
        assert (value or 0.0) >= before.get(device, 0.0), "it never goes back in time"
        of_now = sent.comes - sent.made < 10 and sent.what not in {"outbox", "future"}
        if of_now and sent.number > newest.get(device, 0):
            newest[device] = sent.number
            assert sent.what == "bad" or value == sent.number, "and what is newer is believed at once"
        elif sent.what == "future":  # what has its number or a lower one is not newer
            newest[device] = max(sent.number, newest.get(device, 0))
        before[device] = value or 0.0


@pytest.fixture(scope="module")
def rhythmic(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(plant_site(tmp_path_factory.mktemp("rhythm")))
