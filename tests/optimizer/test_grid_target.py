"""A plan's policy carried out at the real rhythm: a reading each second, a decision each two, a plan each minute."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from optimizer.dispatch import Moment, decide
from optimizer.running_step import RunningStep
from optimizer.running_window import RunningWindow
from schemas.messages import Step
from schemas.tariff import Demand
from tests.optimizer.outlooks import BERLIN, NOON
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS, planned

CAP, MOST = 60e3, 95e3
"""W: the peak that is held, and what the BMS lets out."""
Policy = list[tuple[float, float]]
HOLD: Policy = [(0.0, 0.0), (CAP, 0.0), (CAP + MOST, MOST)]
COVER: Policy = [(-90e3, -90e3), (0.0, 0.0), (MOST, MOST)]
REST: Policy = [(-90e3, -90e3), (0.0, 0.0), (200e3, 0.0)]
LET_GO: Policy = [(0.0, 0.0), (CAP, 0.0), (100e3, 40e3), (101e3, 10e3), (200e3, 10e3)]
SELL: Policy = [(-100e3, 40e3), (200e3, 40e3)]
BUY: Policy = [(-100e3, -50e3), (200e3, -50e3)]
PART: Policy = [(0.0, 0.0), (30e3, 30e3), (200e3, 30e3)]
STORE_PART: Policy = [(-100e3, -20e3), (-20e3, -20e3), (0.0, 0.0), (100e3, 0.0)]


def step_of(policy: Policy, cap: float | None = CAP, **change: object) -> Step:
    return planned(0.0, load=40e3).steps[0].model_copy(update={"policy": policy, "cap": cap, **change})


def at_once(policy: Policy, net: float, cap: float | None = CAP, peak: float | None = CAP, **change: object) -> float:
    """Nothing was seen of the step: the moment stands for all of it."""
    moment = replace(MOMENT, now=NOON, net=net, **change)  # type: ignore[arg-type]
    return decide(RATINGS, moment, AUTO, billing=QUIET, step=step_of(policy, cap), peak=peak).power


@pytest.mark.parametrize(
    ("policy", "net", "power"),
    [
        (HOLD, 40e3, 0.0),
        (HOLD, 90e3, 30e3),
        (HOLD, -30e3, 0.0),
        (COVER, 40e3, 40e3),
        (COVER, -40e3, -40e3),
        (REST, 40e3, 0.0),
        (REST, -40e3, -40e3),
        (PART, 90e3, 30e3),
        (PART, 20e3, 20e3),
        (STORE_PART, -60e3, -20e3),
        (SELL, 10e3, 40e3),
        (BUY, 5e3, -50e3),
        (BUY, 30e3, -30e3),
        (LET_GO, 90e3, 30e3),
    ],
    ids=[
        "below the cap", "holds the cap", "sells its PV", "covers", "stores", "rests", "rests and stores", "a part",
        "no more than there is", "stores a part", "sells", "buys", "buys, but makes no peak", "holds what it means to",
    ],
)  # fmt: skip
def test_what_a_policy_gives_for_a_whole_step(policy: Policy, net: float, power: float) -> None:
    assert at_once(policy, net) == pytest.approx(power, abs=100)


def test_a_peak_that_the_policy_lets_rise_does_not_empty_the_battery() -> None:
    """110 kW are let pass at most: of 150 it gives the 10 that it means to give, not all it has."""
    assert at_once(LET_GO, 150e3, cap=140e3) == pytest.approx(10e3, abs=200)


def test_in_hours_that_a_demand_does_not_count_its_peak_is_no_peak() -> None:
    """The policy gives what it means to give, and nothing is held."""
    nights = Demand.model_validate({"price": 10.0, "hours": [{"start": "22:00", "end": "06:00"}]})
    moment, billing = replace(MOMENT, now=NOON, net=90e3), RunningWindow(BERLIN, nights)
    got = decide(RATINGS, moment, AUTO, billing=billing, step=step_of(HOLD), peak=CAP)
    assert got.power == pytest.approx(30e3, abs=100)
    assert "holds" not in got.reason


# in time --------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A meter each second, a decision each 2 s, a setpoint that works 2 s later."""

    policy: Callable[[int], Policy] = lambda _: HOLD
    cap: float | None = CAP
    every: int = 900
    """Seconds between two plans."""
    ends: float = float("inf")
    """The plan is gone then."""
    minutes: int = 15
    billed: float = 0.0
    change: dict[str, object] = field(default_factory=dict)
    """Of the step."""
    means: list[float] = field(default_factory=list)
    """W of each window that is over."""
    powers: list[float] = field(default_factory=list)
    grids: list[float] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def run(self, load: Callable[[int], float], seconds: int = 901) -> "Site":
        billing = RunningWindow(BERLIN, Demand.model_validate({"price": 10.0, "minutes": self.minutes}))
        running, told, power = RunningStep(), [0.0, 0.0], 0.0
        for second in range(seconds):
            now, net = NOON + timedelta(seconds=second), load(second)
            told, power = [*told[1:], told[-1]], told[0]
            billing = billing.fold(now, net - power)
            self.means += [one.mean for one in billing.closed]
            self.powers.append(power)
            self.grids.append(net - power)
            if second % 2 == 0:
                step = self._step(second)
                running = running.fold(now, net, power, step, billing.imported(now))
                told[-1] = self._decide(now, net, told[-1], billing, step, running)
        return self

    def _step(self, second: int) -> Step | None:
        begin, policy = second - second % self.every, self.policy(second)
        start, length = NOON + timedelta(seconds=begin), 900 - begin % 900
        if second >= self.ends:
            return None
        return step_of(policy, self.cap, at=start, seconds=float(length), **self.change)

    def _decide(  # noqa: PLR0917  # what is known of a moment: it reads well in a row
        self, now: datetime, net: float, last: float, billing: RunningWindow, step: Step | None, running: RunningStep
    ) -> float:
        moment = Moment(now, net, 0.5, 50.0, 90e3, MOST, 0.5, last, running=running)
        peak = None if self.cap is None else max(CAP, self.billed)
        billed = max(self.billed, billing.peak)
        got = decide(RATINGS, moment, AUTO, billing=billing, step=step, peak=peak, billed=billed)
        self.reasons.append(got.reason)
        return got.power

    @property
    def given(self) -> float:
        """Wh."""
        return sum(max(power, 0.0) for power in self.powers) / 3600

    @property
    def moved(self) -> float:
        """W, all moves together."""
        return sum(abs(b - a) for a, b in zip(self.powers, self.powers[1:], strict=False))


def motors(second: int) -> float:
    """80 kW, and each two minutes a motor that draws 60 more for five seconds."""
    return 80e3 + (60e3 if second % 120 < 5 else 0.0)


@pytest.mark.parametrize(
    ("load", "given"),
    [
        (lambda _: 90e3, 30e3 / 4),
        (motors, 22.5e3 / 4),
        (lambda second: 40e3 if second < 450 else 75e3, 0.0),
        (lambda second: 40e3 if second < 450 else 110e3, 15e3 / 4),
        (lambda second: 110e3 if second < 700 else 70e3, 41.1e3 / 4),
        (lambda second: 60e3 + 80e3 * (second % 60 < 10), 13.4e3 / 4),
        (lambda second: 55e3 if second < 600 else 150e3, 26.7e3 / 4),
    ],
    ids=["a plateau", "motors start", "a late rise below it", "a late rise", "it falls", "bursts", "nearly all it has"],
)
def test_the_mean_of_a_window_is_held_and_no_energy_is_lost(load: Callable[[int], float], given: float) -> None:
    site = Site().run(load)
    assert site.means[0] <= CAP
    assert site.given == pytest.approx(given, rel=0.02, abs=250)


def test_short_peaks_pass() -> None:
    """A clamp would answer 60 kW; the mean of the window is what costs."""
    site = Site().run(motors)
    assert site.moved < 0.4 * 7 * 2 * 60e3


def test_a_peak_that_is_billed_already_is_free() -> None:
    """The plan rests at 70 kW, and did not know that 80 are billed."""
    site = Site(lambda _: REST, billed=80e3).run(lambda _: 70e3)
    assert site.given == 0
    assert Site(lambda _: REST).run(lambda _: 70e3).means[0] <= CAP


@pytest.mark.parametrize("every", [60, 900])
def test_a_plan_each_minute_holds_the_same_mean(every: int) -> None:
    """Each plan knows what its window had before: it meets the cap, not what is left of one step."""
    site = Site(every=every).run(lambda _: 90e3, 1801)
    assert all(CAP - 500 <= one <= CAP for one in site.means)


def test_it_covers_and_stores_second_by_second() -> None:
    """Clouds: the mean of the quarter hour says nothing of a second, and nothing is bought or sold by that."""
    sun = Random(1)
    sky = [sun.choice([-40e3, 30e3, 5e3, -5e3]) for _ in range(91)]
    site = Site(lambda _: COVER).run(lambda second: sky[second // 10])
    away = [grid for second, grid in enumerate(site.grids) if second % 10 > 4]
    assert max(abs(grid) for grid in away) < 501  # the deadband


def test_of_pv_between_clouds_none_is_given_back_where_the_plan_rests() -> None:
    site = Site(lambda _: REST, cap=None).run(lambda second: -30e3 if second // 60 % 3 == 0 else 40e3)
    assert site.given == 0
    assert min(site.powers) == pytest.approx(-30e3, abs=501)


def test_energy_that_was_missed_is_made_up_for_without_hurry() -> None:
    """A plan comes in the middle of a step: no more than twice what it means."""
    site = Site(lambda second: REST if second < 600 else PART, cap=None).run(lambda _: 100e3)
    assert max(site.powers) == pytest.approx(60e3, abs=501)
    assert max(site.powers[:600]) == 0


@pytest.mark.parametrize(("stored", "most"), [(0.18 * 0.95, 1.1), (0.10, 30.0)], ids=["the same", "less later"])
def test_plans_that_differ_in_nothing_make_no_swing(stored: float, most: float) -> None:
    """Each minute the policy is another: where both cost the same the first of a quarter hour goes on."""
    change: dict[str, object] = {"marginal_value": stored}
    site = Site(lambda second: COVER if second // 60 % 2 == 0 else REST, cap=None, change=change)
    site.run(lambda _: 40e3)
    assert site.moved <= most * 40e3


def test_late_plans_next_steps_hold_and_then_what_knows_the_peak() -> None:
    """After an hour no plan is left: the reserve is kept, the peak is held all the same."""
    site = Site(ends=1200).run(lambda _: 90e3, 1801)
    assert all(one <= CAP + 50 for one in site.means)
    assert site.reasons[-1].startswith("no valid plan: keeps 50 % for the month's peak")


def test_reasons_are_few_and_have_numbers() -> None:
    chance = Random(3)
    site = Site(every=60).run(lambda _: chance.gauss(90e3, 8e3), 901)
    assert "holds 60 kW mean of 12:00-12:15; 10 EUR/kW" in site.reasons
    assert len({*site.reasons[15:]}) <= 15


@pytest.mark.parametrize(
    ("minutes", "load", "needed", "most"),
    [
        (30, lambda second: 20e3 if second < 900 else 110e3, 2.5e3, 2.7e3),
        (60, lambda second: 20e3 if second < 900 else 110e3, 27.5e3, 28e3),
        (30, lambda second: 110e3 if second < 600 else 35e3, 0.0, 5.5e3),
        (60, lambda second: 75e3 if second < 2700 else 15e3, 0.0, 11e3),
        (30, motors, 11.25e3, 11.6e3),
        (60, motors, 22.5e3, 23e3),
    ],
    ids=["30: it rises", "60: it rises", "30: it falls", "60: it falls", "30: motors", "60: motors"],
)
def test_windows_of_another_length_are_held_in_their_own_integral(
    minutes: int, load: Callable[[int], float], needed: float, most: float
) -> None:
    """A policy is by quarter hours. What one quarter of the window leaves, or draws beyond, the others make up for; of
    a load that falls by itself no more is spent than the battery must have in hand for one that does not."""
    site = Site(minutes=minutes, every=900).run(load, minutes * 60 + 1)
    assert site.means[0] <= CAP
    assert needed - 250 <= site.given <= most


def test_another_demand_keeps_its_own_planned_peak() -> None:
    """The policy lets 60 kW pass, a demand beside it 50."""
    other = RunningWindow(BERLIN, Demand(name="other", price=5.0))
    held = [(QUIET, CAP), (other, 50e3)]
    moment = replace(MOMENT, now=NOON, net=70e3)
    got = decide(RATINGS, moment, AUTO, billing=QUIET, step=step_of(HOLD), peak=50e3, held=held)
    assert got.power == pytest.approx(20e3, abs=100)
    assert got.reason.startswith("holds 50 kW mean of 12:00-12:15; 5 EUR/kW")


# properties -----------------------------------------------------------------------------------------------

LOADS = st.lists(st.tuples(st.integers(4, 400), st.floats(0, CAP + 0.85 * MOST)), min_size=1, max_size=30)


def pieces(each: list[tuple[int, float]]) -> Callable[[int], float]:
    """One after the other, again and again."""
    line = [power for seconds, power in each for _ in range(seconds)]
    return lambda second: line[second % len(line)]


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])  # to shrink seconds takes minutes
@given(LOADS, st.sampled_from([60, 900]))
@example([(109, 53661.0), (217, 88986.0)], 900)
def test_no_window_passes_the_cap_that_the_battery_could_hold(each: list[tuple[int, float]], every: int) -> None:
    assert Site(every=every).run(pieces(each)).means[0] <= CAP * 1.0005


@st.composite
def within_the_load(draw: st.DrawFn) -> Policy:
    """Any policy that neither buys nor sells."""
    nets = sorted(draw(st.lists(st.floats(-150e3, 150e3), min_size=2, max_size=8)))
    return [(net, draw(st.floats(0, 1)) * net) for net in nets] if nets else []


@given(
    policy=within_the_load(),
    net=st.floats(-1.5e5, 1.5e5),
    mean=st.floats(-1.5e5, 1.5e5),
    battery=st.floats(-1e5, 1e5),
    last=st.floats(-1e5, 1e5),
    peak=st.none() | st.floats(0, 1.5e5),
    second=st.floats(1, 899),
)
def test_an_error_neither_buys_nor_sells(  # whatever was seen of the step before
    *, policy: Policy, net: float, mean: float, battery: float, last: float, peak: float | None, second: float
) -> None:
    line = sorted([*(pair for pair in policy if pair[0]), (0.0, 0.0)])
    step, now = step_of(line, peak), NOON + timedelta(seconds=second)
    running = RunningStep(
        now, net, battery, mean, mean, NOON, 0.0, second, mean * second / 3600, battery * second / 3600
    )
    moment = replace(MOMENT, now=now, net=net, last=last, running=running)
    got = decide(RATINGS, moment, AUTO, billing=QUIET, step=step, peak=peak).power
    assert min(net, 0.0) - 501 <= got <= max(net, 0.0) + 501


@given(net=st.floats(0, 2e5), more=st.floats(0, 5e4), used=st.floats(0, 1e5))
def test_more_load_gives_no_less_power(net: float, more: float, used: float) -> None:
    billing = replace(QUIET, at=MOMENT.now, power=used, energy=used / 12, seen=300.0)
    powers = [
        decide(RATINGS, replace(MOMENT, net=one), AUTO, billing=billing, step=step_of(HOLD), peak=CAP).power
        for one in (net, net + more)
    ]
    assert powers[1] >= powers[0] - 1
