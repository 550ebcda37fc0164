"""Dispatch in a closed loop with a battery, its meter and their physics, in virtual time.

At a constant load it settles, whatever the readings' rhythm and however late the meter.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import begin
from optimizer.site_load import ASSUMED_DELAY
from schemas.messages import Telemetry, Value
from schemas.site import Site
from simulator.build import Condition, build
from simulator.plant import Plant, Surroundings
from tests.consumers.test_dispatch_desk import UNBILLED, plant_site
from tests.optimizer.test_dispatch import planned
from tests.timed import some

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
DT = 0.1
TICK = 2.0
RATED = 100e3


@dataclass
class Loop:
    """A site whose bridge does what it is told, at once; only devices and meter take their time."""

    site: Site
    pcs_poll: float = 1.0
    meter_poll: float = 1.0
    meter_delay: float = 0.0
    ramp: float | None = None
    """W/s of the battery; None follows at once."""
    noise: float = 0.0
    """W of each reading, on both sides."""
    phase: tuple[float, float, float] = (0.0, 0.05, 0.1)
    """Seconds by which PCS, meter and dispatch are apart."""
    seed: int = 0
    second: float = 0.0
    wanted: list[tuple[float, float]] = field(default_factory=list)
    grid: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        pcs, bms, meter = (self.site.named(name) for name in ("pcs1", "bms1", "grid"))
        polls = {"pcs1": self.pcs_poll, "bms1": bms.poll, "grid": self.meter_poll}
        device = [one.model_copy(update={"poll": polls.get(one.name, one.poll)}) for one in self.site.device]
        self.desk = Desk.of(self.site.model_copy(update={"device": device}))
        self.desk.control = begin(NOON)
        self.plant: Plant = build(self.site, self.site.battery, {"pcs1": Condition(50.0)}, ramp=self.ramp)
        self.plant.pcs.timeout = 0.0
        self.random, self._seq = Random(self.seed), count(1)
        self._shown: deque[float] = deque(maxlen=round(self.meter_delay / DT) + 1)
        assert (pcs.name, meter.name) == ("pcs1", "grid")

    def run(self, seconds: float, load: float) -> None:
        for _ in range(round(seconds / DT)):
            self.second = round(self.second + DT, 3)
            self.plant.step(DT, Surroundings(load, 0.0))
            self._shown.append(self.plant.grid)
            self.grid.append((self.second, self.plant.grid))
            self._read("pcs1", self.pcs_poll, self.phase[0])
            self._read("grid", self.meter_poll, self.phase[1])
            self._read("bms1", 1.0, 0.0)
            if self._due(TICK, self.phase[2]):
                self._command()

    def _due(self, every: float, phase: float) -> bool:
        since = (self.second - phase) % every
        return since < DT - 1e-9 or every - since < 1e-9

    def _read(self, device: str, poll: float, phase: float) -> None:
        if not self._due(poll, phase):
            return
        battery, spread = self.plant.battery, self.random.uniform(-self.noise, self.noise)
        values: dict[str, dict[str, Value]] = {
            "pcs1": {"p": self.plant.pcs.p + spread, "state": "running"},
            "grid": {"p": self._shown[0] + spread},
            "bms1": {"soc": battery.soc, "u": battery.voltage, "ccl": battery.ccl, "dcl": battery.dcl},
        }
        now = NOON + timedelta(seconds=self.second)
        said = Telemetry(at=now, epoch="0" * 16, seq=next(self._seq), values=values[device])
        self.desk.read(device, said, now, self.second)

    def _command(self) -> None:
        order = self.desk.instruct(NOON + timedelta(seconds=self.second), self.second).get("pcs1")
        if order is not None:
            self.wanted.append((self.second, order.wanted.power))
            self.plant.pcs.p_set = order.wanted.power
            self.desk.has_sent("pcs1", order, self.second)

    def moves(self, since: float) -> list[float]:
        """By how much the setpoint was moved, each time it was."""
        powers = [power for second, power in self.wanted if second >= since]
        return [b - a for a, b in pairwise(powers) if abs(b - a) > 1.0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return plant_site(tmp_path_factory.mktemp("site"), tariff=UNBILLED)


PAIRS = [(0.5, 0.5), (1.0, 1.0), (5.0, 0.5), (0.5, 5.0), (2.0, 1.0), (1.0, 2.0), (5.0, 5.0)]
"""Seconds between two readings of the PCS and of the meter."""


def settling(loop: Loop) -> float:
    """Seconds in which a step of 60 kW must be settled: both are read twice, the battery moves, the meter shows it."""
    return (
        2 * (loop.pcs_poll + loop.meter_poll)
        + 60e3 / (loop.ramp or 1e9)
        + 2 * ASSUMED_DELAY
        + loop.meter_delay
        + 3 * TICK
    )


@pytest.mark.parametrize(("polls", "delay", "ramp"), some(PAIRS, [0.0, 0.5, 2.0, 5.0], [None, 50e3, 5e3], one_in=3))
def test_at_a_constant_load_it_settles(
    site: Site, polls: tuple[float, float], delay: float, ramp: float | None
) -> None:
    loop = Loop(site, *polls, delay, ramp)
    within = settling(loop)
    for load in (60e3, 20e3):
        began = loop.second
        loop.run(within + 40, load)
        assert loop.moves(began + within) == [], f"load {load}: still moving"
        assert loop.plant.grid == pytest.approx(0.0, abs=0.01 * RATED)


def test_with_good_devices_it_follows_a_step_at_once(site: Site) -> None:
    loop = Loop(site, 0.5, 0.5, 0.0, 50e3)
    loop.run(40, 20e3)
    began = loop.second
    loop.run(40, 80e3)
    beyond = [second for second, power in loop.grid if second > began and abs(power) > 0.01 * RATED]
    assert max(beyond) - began < 5.0
    assert len(loop.moves(began - TICK)) == 1, "in one move"


@pytest.mark.parametrize("noise", [0.0, 400.0])
@pytest.mark.parametrize("ramp", [None, 5e3], ids=["at once", "5 %/s"])
@pytest.mark.parametrize("delay", [0.0, 2.0, 5.0])
def test_it_follows_a_load_that_ramps(site: Site, delay: float, ramp: float | None, noise: float) -> None:
    """By 1 kW each second, up and down, beside a noisy battery: it is never more than three dead times behind."""
    loop = Loop(site, 1.0, 1.0, delay, ramp, noise=noise, seed=2)
    loop.run(60, 10e3)
    began = loop.second
    for number in range(240):
        loop.run(0.5, 10e3 + 500.0 * min(number, 240 - number))
    behind = 3 * (delay + loop.pcs_poll + loop.meter_poll + TICK) * 1000.0
    assert max(abs(power) for second, power in loop.grid if second > began) <= behind + 3 * noise
    assert max(loop.moves(began)) <= 0.1 * RATED, "without jumps"


@pytest.mark.parametrize(("load", "power"), [(220e3, -30e3), (100e3, -80e3)], ids=["the import limit", "as planned"])
@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_limit_of_the_site_is_closed_without_swinging(site: Site, delay: float, load: float, power: float) -> None:
    """It buys 80 kW, and the site may draw 250."""
    loop = Loop(site, 1.0, 1.0, delay, 50e3)
    plan = planned(-80e3, load=100e3)
    loop.desk.plans.hear(plan.model_copy(update={"at": NOON, "until": NOON + timedelta(hours=1)}), NOON)
    loop.run(settling(loop), load)
    began = loop.second
    loop.run(60, load)
    assert loop.moves(began) == []
    assert loop.plant.pcs.p == pytest.approx(power, abs=500)
    assert loop.plant.grid <= 250e3 + 500


@settings(max_examples=25)
@given(
    polls=st.tuples(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 5.0]), st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 5.0])),
    delay=st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.4, 2.0, 3.0]),
    ramp=st.sampled_from([None, 100e3, 20e3, 5e3]),
    phase=st.tuples(*[st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4])] * 3),
    load=st.floats(-60e3, 90e3),
)
def test_it_settles_in_whatever_rhythm(
    site: Site,
    *,
    polls: tuple[float, float],
    delay: float,
    ramp: float | None,
    phase: tuple[float, float, float],
    load: float,
) -> None:
    loop = Loop(site, *polls, delay, ramp, phase=phase)
    loop.run(20, 5e3)
    within = settling(loop) + 60e3 / (ramp or 1e9)
    began = loop.second
    loop.run(within + 30, load)
    assert loop.moves(began + within) == []


@pytest.mark.parametrize("noise", [200.0, 400.0, 1000.0])
@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_noise_of_the_readings_makes_no_swing(site: Site, delay: float, noise: float) -> None:
    """0.2 to 1 % of the rated power on every reading of both devices: it wanders by no more than that noise."""
    loop = Loop(site, 1.0, 1.0, delay, 50e3, noise=noise, seed=1)
    loop.run(60, 50e3)
    began = loop.second
    loop.run(300, 50e3)
    assert max(abs(power) for second, power in loop.grid if second > began) <= 3 * noise + 0.005 * RATED


def test_what_was_known_before_a_silence_is_not_steered_by(site: Site) -> None:
    """The bridge was away for a minute, the load has changed: not one command is made of the old net load."""
    loop = Loop(site, 1.0, 1.0, 0.0, 50e3)
    loop.run(30, 60e3)
    loop.second += 60.0
    loop.plant.pcs.p_set = 0.0  # the bridge's fallback
    loop.plant.step(10.0, Surroundings(10e3, 0.0))
    began = loop.second
    loop.run(30, 10e3)
    powers = {power for second, power in loop.wanted if second > began}
    assert powers <= {0.0} | {power for power in powers if abs(power - 10e3) < 1e3}, powers
    assert loop.plant.grid == pytest.approx(0.0, abs=0.01 * RATED)
