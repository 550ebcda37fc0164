"""What the battery does now, against what was planned and what is measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optimizer.bill import peaks
from optimizer.dispatch import DEADBAND, Moment, Ratings, Wanted, current_step, decide
from optimizer.grid_target import SMALL
from optimizer.outlook import Outlook
from optimizer.plan import plan as plan_for
from optimizer.running_window import RunningWindow
from optimizer.stored_worth import Worth, worth
from schemas.messages import Authority, ControlMode, Mode, Plan, Step
from schemas.tariff import Demand
from schemas.units import EARLIEST, LATEST
from tests.optimizer.outlooks import BERLIN, NOON, battery, grid, wild

RATINGS = Ratings(battery(), grid(import_limit=250e3, export_limit=80e3), 100e3)
AUTO = ControlMode(at=NOON, mode=Mode.AUTO, who="dispatch")
QUIET = RunningWindow(BERLIN, Demand(price=15.0))
MOMENT = Moment(
    now=NOON + timedelta(minutes=5), net=40e3, meter_age=0.5, soc=50.0, charge=90e3, discharge=95e3, bms_age=0.5
)


def planned(power: float, load: float = 40e3, pv: float = 0.0, *, peak: float | None = None, **change: Any) -> Plan:
    """A plan of one step that holds now."""
    step = Step(
        at=NOON,
        seconds=900,
        power=power,
        soc=50,
        grid=load - pv - power,
        load=load,
        pv=pv,
        price_import=0.20,
        price_export=0.05,
        marginal_value=0.15,
        reason="as planned",
    ).model_copy(update=change)
    return Plan(
        id="1", at=NOON, until=NOON + timedelta(hours=1), currency="EUR", steps=[step], peak=peak, cost=0, cost_idle=0
    )


def wanted(
    plan: Plan | None,
    billing: RunningWindow = QUIET,
    mode: ControlMode = AUTO,
    ratings: Ratings = RATINGS,
    peak: float | None = None,
    **change: Any,
) -> Wanted:
    """As dispatch asks: the plan's step that holds, and its peak where it has one."""
    moment = replace(MOMENT, **change)
    most = peak if plan is None or plan.peak is None else max(plan.peak, billing.peak)
    return decide(ratings, moment, mode, billing=billing, step=current_step(plan, moment.now), peak=most)


LATER = 0.25
"""Per kWh: what is stored is worth more than what it would save now."""


@pytest.mark.parametrize(
    ("plan", "net", "power"),
    [
        (planned(40e3), 40e3, 40e3),
        (planned(40e3), 55e3, 55e3),
        (planned(40e3), 10e3, 10e3),
        (planned(40e3), -20e3, 0.0),
        (planned(30e3), 55e3, 30e3),
        (planned(30e3), 20e3, 20e3),
        (planned(60e3), 10e3, 60e3),
        (planned(-50e3), 40e3, -50e3),
        (planned(-60e3, 0.0, 60e3), -60e3, -60e3),
        (planned(-60e3, 0.0, 60e3), -80e3, -80e3),
        (planned(-60e3, 0.0, 60e3), -20e3, -20e3),
        (planned(-60e3, 0.0, 60e3), 30e3, 0.0),
        (planned(-40e3, 0.0, 60e3), -70e3, -40e3),
        (planned(-90e3, 0.0, 60e3), -20e3, -90e3),
        (planned(0.0), 70e3, 0.0),
        (planned(0.0), -30e3, -30e3),
        (planned(0.0, price_export=0.15), -30e3, 0.0),
        (planned(30e3, 90e3, marginal_value=LATER), 50e3, 0.0),
        (planned(30e3, 90e3, marginal_value=LATER), 120e3, 60e3),
        (planned(30e3, 90e3, marginal_value=LATER), -20e3, 0.0),
    ],
    ids=[
        "covers the load",
        "more load than forecast is covered, too",
        "less load than forecast is not exported",
        "a surplus is not sold by an error",
        "a part of the load: no more than planned",
        "a part of the load: no more than there is",
        "sells what it meant to sell",
        "buys what it meant to buy",
        "stores PV",
        "stores all of the PV",
        "less sun than forecast is not bought",
        "no sun at all",
        "stores a part of the PV",
        "stores PV and buys",
        "rests",
        "rests, but stores what is worth more than its price",
        "rests and sells PV that is well paid",
        "it was for the peak, and the load is below it",
        "it was for the peak, and the load is above it",
        "it was for the peak, and there is a surplus",
    ],
)
def test_a_plan_is_followed_on_what_is_measured(plan: Plan, net: float, power: float) -> None:
    got = wanted(plan, net=net)
    assert got.power == pytest.approx(power)
    assert got.authority is Authority.PLAN


@pytest.mark.parametrize(
    ("change", "power", "words"),
    [
        ({"meter_age": 2.0}, 40e3, "as planned"),
        ({"meter_age": 4.0, "last": 22e3}, 22e3, "holds: the grid meter has been silent for more than 2.5 s"),
        ({"meter_age": 5.5, "last": 22e3}, 0.0, "rests: the grid meter has been silent for more than 5 s"),
        ({"net": None}, 0.0, "rests: grid meter and battery were not read together yet"),
        ({"bms_age": 5.5}, 0.0, "rests: the BMS has been silent for more than 5 s"),
        ({"charge": None}, 0.0, "rests: the BMS does not say what it allows"),
        ({"soc": None}, 0.0, "rests: the BMS does not say what it allows"),
        ({"discharge": 15e3}, 15e3, "as planned; limited by the BMS"),
        ({"discharge": 0.0}, 0.0, "as planned; limited by the BMS"),
        ({"soc": 10.0}, 0.0, "as planned; limited by the SoC of 10.0 %"),
        ({"net": 140e3, "discharge": 150e3}, 100e3, "as planned; limited by the PCS rating"),
        ({"last": 40.3e3}, 40.3e3, "as planned"),
        ({"last": 41e3}, 40e3, "as planned"),
    ],
    ids=[
        "a fresh meter",
        "an old meter holds",
        "a dead meter rests",
        "a meter never heard rests",
        "a silent BMS rests",
        "no CCL rests",
        "no SoC rests",
        "the BMS limits",
        "the BMS forbids",
        "empty",
        "the rating",
        "inside the deadband nothing changes",
        "outside of it it does",
    ],
)
def test_what_is_not_known_is_not_used(change: dict[str, Any], power: float, words: str) -> None:
    got = wanted(planned(40e3), **change)
    assert got.power == pytest.approx(power)
    assert got.reason == words


@pytest.mark.parametrize(
    ("net", "power", "reason"),
    [(40e3, 40e3, "no valid plan: covers the load"), (-30e3, -30e3, "no valid plan: stores PV")],
)
def test_without_a_plan_it_serves_the_site_itself(net: float, power: float, reason: str) -> None:
    expired = planned(-50e3).model_copy(update={"until": NOON + timedelta(minutes=1)})
    for plan in (None, expired):
        assert wanted(plan, net=net) == Wanted(power, reason, Authority.SELF_CONSUMPTION)


def seen(power: float, peak: float = 0.0) -> RunningWindow:
    """Five minutes at a power."""
    return replace(QUIET, at=MOMENT.now, power=power, energy=power / 12, seen=300.0, peak=peak)


@pytest.mark.parametrize(
    ("plan", "billing", "net", "power"),
    [
        (planned(0.0, peak=60e3), seen(60e3), 60e3, 0.0),
        (planned(0.0, peak=60e3), seen(60e3), 90e3, 30e3),
        (planned(0.0, peak=60e3), seen(120e3), 60e3, 30e3),
        (planned(0.0, peak=60e3), seen(0.0), 90e3, 0.0),
        (planned(0.0, peak=60e3), seen(60e3, peak=100e3), 90e3, 0.0),
        (planned(-50e3, peak=60e3), seen(60e3), 40e3, -20e3),
        (planned(0.0), seen(120e3), 90e3, 0.0),
    ],
    ids=[
        "at the peak",
        "a sudden load is held",
        "what was too much is made up for",
        "what was too little may be used",
        "a higher peak is billed already",
        "charging never makes a peak",
        "no demand tariff",
    ],
)
def test_the_window_s_mean_stays_at_the_month_s_peak(
    plan: Plan, billing: RunningWindow, net: float, power: float
) -> None:
    got = wanted(plan, billing, net=net)
    assert got.power == pytest.approx(power)
    assert ("the month's peak" in got.reason) == (power != 0.0)


PEAK = 60e3
FULL, KEPT, LOW = 80.0, 50.0, 30.0
"""% SoC: well above, at and below the half that is kept for the peak."""


@pytest.mark.parametrize(
    ("soc", "net", "billing", "power", "words"),
    [
        (FULL, 40e3, seen(40e3), 40e3, "covers the load"),
        (KEPT, 40e3, seen(40e3), 0.0, "keeps 50 % for the month's peak"),
        (KEPT + 2, 70e3, seen(40e3), 40e3, "keeps 50 % for the month's peak"),
        (KEPT, 90e3, seen(60e3), 30e3, "keeps 50 % for the month's peak; limited by the month's peak"),
        (LOW, 90e3, seen(60e3), 30e3, "keeps 50 % for the month's peak; limited by the month's peak"),
        (LOW, 90e3, seen(0.0), 0.0, "keeps 50 % for the month's peak"),
        (LOW, 20e3, seen(20e3), -28e3, "refills the 50 % kept for the month's peak"),
        (KEPT - 1, 20e3, seen(20e3), -20e3, "refills the 50 % kept for the month's peak"),
        (LOW, 59e3, seen(59e3), 0.0, "keeps 50 % for the month's peak"),
        (LOW, -30e3, seen(0.0), -78e3, "refills the 50 % kept for the month's peak"),
        (KEPT, -30e3, seen(0.0), -30e3, "stores PV"),
        (FULL, -30e3, seen(0.0), -30e3, "stores PV"),
        (10.0, 90e3, seen(60e3), 0.0, "limited by the month's peak, the SoC of 10.0 %"),
    ],
)
def test_without_a_plan_the_peak_is_held_and_a_reserve_kept_for_it(
    *, soc: float, net: float, billing: RunningWindow, power: float, words: str
) -> None:
    got = wanted(None, billing, soc=soc, net=net, peak=PEAK)
    assert got.power == pytest.approx(power)
    assert words in got.reason
    assert got.authority is Authority.SELF_CONSUMPTION


@given(soc=st.floats(10, 90), net=st.floats(-2e5, 2e5), peak=st.floats(0, 2e5))
def test_without_a_plan_nothing_jumps(soc: float, net: float, peak: float) -> None:
    """A little more SoC or load makes little more power: no chatter at the edge of the reserve."""
    one = wanted(None, soc=soc, net=net, peak=peak).power
    near = wanted(None, soc=min(soc + 0.01, 90), net=net + 10, peak=peak).power
    if 10 < soc < 89.9:
        # one of the two may stay where the battery is, as the change is not worth a write
        assert abs(near - one) <= 0.01 / 5 * 100e3 + 10 + DEADBAND * 100e3 + 1


@given(soc=st.floats(10, 90), net=st.floats(-2e5, 2e5), used=st.floats(0, 2e5), peak=st.floats(1e3, 2e5))
def test_refilling_the_reserve_makes_no_peak(soc: float, net: float, used: float, peak: float) -> None:
    billing = seen(used)
    got = wanted(None, billing, soc=soc, net=net, peak=peak).power
    room = billing.room(MOMENT.now, peak)
    assert net - got <= max(room, net - min(95e3, 100e3)) + 1 or soc <= 10


@settings(max_examples=60)
@given(wild())
def test_what_a_plan_discharges_is_worth_less_now_only_for_the_peak_or_a_limit(outlook: Outlook) -> None:
    """So dispatch reads a plan: the value of stored energy tells why it discharges. What is fed in pays for the load
    that must be covered first."""
    if not outlook.battery.soc_min <= outlook.soc <= outlook.battery.soc_max:
        return
    steps = plan_for(outlook).steps
    grid_ = np.array([step.grid for step in steps])
    held = set[int]()
    for windows, made in zip(outlook.windows, peaks(outlook, grid_), strict=True):
        for number, mean in enumerate(windows.means(grid_, outlook.hours)):
            if mean >= 0.99 * made[windows.periods[number]] - SMALL:
                held |= {*np.flatnonzero(windows.of[number]).tolist()}
    for index, step in enumerate(steps):
        covers = SMALL < step.power <= max(step.load - step.pv, 0.0) + SMALL and step.grid >= 0
        if not covers or worth(step, outlook.battery) is not Worth.LESS or step.price_import <= 0:
            continue  # where drawing is free, or paid for, it may pay to make room
        assert index in held or step.grid >= outlook.import_limit[index] - SMALL


DAWN, DUSK = datetime(1970, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, 23, 59, tzinfo=UTC)
NUMBERS = st.floats(-1e308, 1e308) | st.sampled_from([1e308, -1e308, 1e300, -1e300, 0.0])
POWERS = st.floats(-1e12, 1e12)
CALENDAR_ENDS = [one.replace(tzinfo=None) for one in (EARLIEST, LATEST - timedelta(seconds=1))]
INSTANTS = st.datetimes(*CALENDAR_ENDS, timezones=st.just(UTC)) | st.sampled_from([DAWN, DUSK, NOON])


@st.composite
def strange_plans(draw: st.DrawFn) -> Plan:
    """Whatever is a valid message: any moment of the calendar, any finite number, no steps at all."""
    steps = [
        planned(0.0).steps[0].model_copy(update={"at": draw(INSTANTS)} | {name: draw(NUMBERS) for name in QUANTITIES})
        for _ in range(draw(st.integers(0, 3)))
    ]
    line = draw(st.lists(st.tuples(POWERS, POWERS), max_size=4))
    steps = [one.model_copy(update={"policy": line, "cap": draw(st.none() | POWERS)}) for one in steps]
    times = {"at": draw(INSTANTS), "until": draw(INSTANTS), "peak": draw(st.none() | POWERS)}
    return planned(0.0).model_copy(update={"steps": steps, **times})


QUANTITIES = ("seconds", "power", "grid", "load", "pv", "price_import", "price_export", "marginal_value")


@given(plan=strange_plans(), net=NUMBERS, last=NUMBERS, now=INSTANTS)
@example(plan=planned(50e3, seconds=1e308), net=1e5, last=0.0, now=NOON)
@example(plan=planned(50e3, at=DUSK, seconds=1e308), net=1e5, last=0.0, now=NOON)
def test_no_plan_and_no_reading_is_too_strange(plan: Plan, net: float, last: float, now: datetime) -> None:
    step = current_step(plan, now)
    got = decide(RATINGS, replace(MOMENT, net=net, last=last), AUTO, billing=seen(0.0), step=step, peak=plan.peak).power
    assert -90e3 <= got <= 95e3


@pytest.mark.parametrize(
    ("power", "net", "allowed", "by"),
    [
        (-90e3, 200e3, -50e3, "the import limit"),
        (95e3, 0.0, 80e3, "the export limit"),
        (0.0, 300e3, 50e3, "the import limit"),
        (0.0, -120e3, -40e3, "the export limit"),
    ],
)
def test_the_site_s_limits_hold(power: float, net: float, allowed: float, by: str) -> None:
    plan = planned(power, load=max(net, 0.0), pv=max(-net, 0.0), price_export=0.5)
    got = wanted(plan, net=net)
    assert got.power == pytest.approx(allowed)
    assert got.reason == f"as planned; limited by {by}"


def test_a_manual_power_is_the_operator_s_within_the_limits() -> None:
    manual = ControlMode(at=NOON, mode=Mode.MANUAL, who="anna", power=120e3, until=NOON + timedelta(hours=1))
    expected = Wanted(95e3, "manual by anna; limited by the BMS", Authority.OPERATOR)
    assert wanted(planned(-50e3), mode=manual) == expected
    assert wanted(None, mode=manual, net=None).power == 95e3  # a person may know more than a dead meter
    assert wanted(None, mode=manual, bms_age=60.0).power == 0.0


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    watts = st.floats(0, 2e5)
    return replace(
        MOMENT,
        net=draw(st.floats(-3e5, 3e5)),
        soc=draw(st.floats(0, 100)),
        charge=draw(watts),
        discharge=draw(watts),
        last=draw(st.floats(-1e5, 1e5)),
    )


@given(
    moment=moments(),
    power=st.floats(-1e5, 1e5),
    load_pv=st.tuples(st.floats(0, 3e5), st.floats(0, 3e5)),
    used=st.floats(0, 3e5),
    peak=st.none() | st.floats(0, 3e5),
)
@example(  # a last power that breaks a limit by less than a watt is not held
    moment=Moment(NOON, net=-51.0, soc=0.0, charge=1.0, discharge=0.0, last=1.0),
    power=0.0,
    load_pv=(0.0, 0.0),
    used=0.0,
    peak=None,
)
def test_no_limit_of_the_battery_is_ever_broken(
    *, moment: Moment, power: float, load_pv: tuple[float, float], used: float, peak: float | None
) -> None:
    net, planned_net = moment.net or 0.0, load_pv[0] - load_pv[1]
    step = planned(power, *load_pv).steps[0]
    got = decide(RATINGS, moment, AUTO, billing=seen(used), step=step, peak=peak).power
    assert -min(moment.charge or 0.0, 100e3) - 1 <= got <= min(moment.discharge or 0.0, 100e3) + 1
    assert got <= 0 or (moment.soc or 0.0) > 10
    assert got >= 0 or (moment.soc or 0.0) < 90
    # Energy is bought or sold only where the plan meant it, or a limit of the site or the month asks for it.
    if got < -1 and power >= min(planned_net, 0.0) - 50:
        assert net - got <= max(net, 0.0) + 500
    if got > 1 and power <= max(planned_net, 0.0) + 50 and peak is None:
        assert net - got >= min(net, 0.0) - 500
