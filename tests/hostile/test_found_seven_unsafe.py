"""A plan that is a policy, rules, flexible loads and the planner itself, each at its worst moment."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from consumers.alarms.catalog import load_catalog
from consumers.dispatch.load_shedding import RELEASE
from consumers.optimize.service import Optimize
from consumers.optimize.thinking import Planner
from consumers.optimize.thought import Thought
from optimizer.dispatch import decide
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause, Plan, Telemetry, Value
from tests.consumers import test_load_desk
from tests.consumers.test_dispatch_desk import TARIFF, UNBILLED, Story, plant_site
from tests.consumers.test_dispatch_policy import CAP, COVER, HOLD
from tests.consumers.test_dispatch_rules import live, story
from tests.consumers.test_load_desk import LAMPS, PUMP
from tests.consumers.test_optimize_limits import RAISED
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS, planned
from tests.virtual import loop, virtual

ALWAYS = 'when = [{ device = "grid", point = "p", above = -1e6, hold = 0 }]'


def policy_of(it: Story, policy: list[tuple[float, float]]) -> Plan:
    """Holds the billed peak of 60 kW from the begin of this quarter hour on."""
    at = it.now.replace(minute=it.now.minute // 15 * 15, second=0)
    plan = planned(0.0, at=at, policy=policy, cap=CAP)
    later = plan.steps[0].model_copy(update={"at": at + timedelta(minutes=15), "seconds": 86_400.0})
    valid = {"at": it.now, "until": it.now + timedelta(hours=1), "steps": [*plan.steps, later]}
    return plan.model_copy(update=valid | {"peak": CAP, "peaks": {"demand": CAP}})


@pytest.mark.parametrize("policy", [COVER, HOLD], ids=["covers", "holds"])
@pytest.mark.parametrize(
    ("then", "load"),
    [("power = -80e3", 50e3), ("charge_limit = 0, discharge_limit = 0", 100e3)],
    ids=["fills", "rests"],
)
def test_a_rule_passes_no_billed_peak_that_a_policy_would_have_held(
    tmp_path: Path, policy: list[tuple[float, float]], then: str, load: float
) -> None:
    """Rules stand below the billed peak. Beside a policy only the policy's own power kept it: a rule that fills the
    battery drew 130 kW of a peak of 60 kW, and one that lets it rest let 100 kW pass."""
    it = story(tmp_path, f'rule = [{{ name = "one", {ALWAYS}, then = {{ {then} }}, off = 20 }}]', tariff=TARIFF)
    it.desk.plans.hear(policy_of(it, policy), it.now)
    grid = [load - power for power in live(it, 600, load)]
    assert sum(grid) / len(grid) <= 1.02 * CAP
    assert grid[-1] <= 1.05 * CAP


def test_a_load_believes_no_telemetry_that_an_outbox_sends_late(tmp_path: Path) -> None:
    """After an outage a bridge sends hours of samples: a load counted each of them as a start of now, and its energy
    and minimum times began anew."""
    it = test_load_desk.Story(tmp_path, PUMP + "minimum_off = 300\nstarts_per_hour = 2\n")
    it.tick(4)
    for number in range(40):
        at = it.now - timedelta(hours=3 - number / 60)
        values: dict[str, Value] = {"p": 10e3 * (number % 2)}
        late = Telemetry(at=at, epoch="0" * 16, seq=number + 1, historical=True, values=values)
        it.desk.read("one", late, it.now, it.second)
        it.second += 0.1
    one = it.desk.loads.seen["one"]
    assert (len(one.starts), one.on, one.taken) == (0, False, 0.0)
    it.desk.read("one", late.model_copy(update={"seq": 2, "historical": False}), it.now, it.second)
    assert not one.on, "one that comes twice"


def test_a_clock_that_was_set_ahead_for_a_while_costs_no_deadline(tmp_path: Path) -> None:
    """Three days ahead and back: until that day what was taken before counted for each deadline, and a car that was
    filled once was filled no more."""
    it = test_load_desk.Story(tmp_path, PUMP)
    it.tick(4)
    one = it.desk.loads.seen["one"]
    said = Telemetry(at=it.now, epoch="0" * 16, seq=1000, values={"p": 0.0})
    one.hear("one", said, it.now + timedelta(days=3), it.second + 1)
    one.taken = 20e3
    one.hear("one", said.model_copy(update={"seq": 1001}), it.now, it.second + 2)
    assert one.due == it.now.replace(hour=18, minute=0, second=0)
    assert one.taken == 0.0
    before = one.due - timedelta(seconds=3)
    one.due, one.taken = one.load.deadline(one.due), 0.1
    one.hear("one", said.model_copy(update={"seq": 1002}), before, it.second + 3)
    assert one.taken == 0.1, "a few seconds back across a deadline begin nothing anew"


def test_a_load_that_draws_more_than_its_rating_does_not_chatter_before_its_deadline(tmp_path: Path) -> None:
    """11.3 kW of 11: it gains time while it runs, and was switched off and on each minute until its deadline."""
    it = test_load_desk.Story(tmp_path, PUMP.replace("20e3", "5e3"))
    it.powers = lambda: {name: 1.03 * share * 10e3 for name, share in it.shares.items()}  # type: ignore[method-assign]
    it.tick(4)
    it.second += 7.48 * 3600
    shares = list[float]()
    while not (shares and shares[-2:] == [1.0, 0.0]):  # until it has taken its energy
        it.tick(2)
        shares.append(it.shares["one"])
        assert len(shares) < 1000
    assert sum(a != b for a, b in pairwise(shares)) == 2
    assert it.why() == "off: it has taken its 5 kWh"


class Away(Optimize):
    """Its archive is away."""

    async def _fill(self) -> str:
        return "; without the archive"


def optimizing(folder: Path, planner: Planner) -> Optimize:
    database = f"sqlite+aiosqlite:///{folder}/archive.db"
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), database, None, folder)
    return Away(Part("optimize", plant_site(folder), settings), planner)


@virtual
async def test_a_planner_that_hangs_is_begun_once(tmp_path: Path) -> None:
    """Each minute another thread began beside those that hung: after some minutes none was left for the outbox, the
    prices and the bill, and two planners learned in one memory."""
    begun = list[asyncio.Future[Any]]()

    def planner(*_: object) -> Thought:
        raise AssertionError

    def hangs(_: object, work: Any, *arguments: Any) -> asyncio.Future[Any]:
        future = loop().create_future()
        if planner in getattr(work, "args", ()):
            begun.append(future)
        else:
            future.set_result(work(*arguments))
        return future

    optimize = optimizing(tmp_path, planner)
    loop().run_in_executor = hangs  # type: ignore[method-assign,assignment]  # a thread that does not come back
    for _ in range(4):
        await optimize._once()
    assert len(begun) == 1
    assert (optimize.part.counts["failed"], optimize.part.causes.names) == (4, [Cause.NO_PLAN])
    begun[0].set_exception(ZeroDivisionError("at last"))
    await optimize._once()
    assert len(begun) == 2, "the next one"
    await optimize.history.engine.dispose()


@virtual
async def test_a_day_of_refused_plans_is_said_as_soon_as_none_is_valid(tmp_path: Path) -> None:
    """Nobody heard of it: the detail changed, and the batteries went by self-consumption for as long as nobody
    looked."""
    good = list[Plan]()

    def planner(*given: Any) -> Thought:
        now = given[3]
        plan = planned(0.0).model_copy(update={"at": now, "until": now + timedelta(hours=1)})
        return Thought(plan, [] if not good else ["SoC 99.00 % is above 90 %"], {})

    optimize = optimizing(tmp_path, planner)
    await optimize._once()
    assert optimize.plan is not None
    good.append(optimize.plan)
    await asyncio.sleep(60)
    await optimize._once()
    assert optimize.part.causes.names == [], "one that is refused may be chance"
    for _ in range(57):
        await asyncio.sleep(60)
        await optimize._once()
    assert optimize.part.causes.names == [Cause.PLAN_FAILS], "the last one stands"
    for _ in range(3):
        await asyncio.sleep(60)
        await optimize._once()
    assert optimize.part.causes.names == [Cause.NO_PLAN]
    assert "SoC 99.00 %" in optimize.part.causes.words
    said = {one.contains: (one.priority, one.on_delay) for one in load_catalog().services}
    assert said[Cause.NO_PLAN][0] == "medium"
    assert said[Cause.PLAN_FAILS][1] <= 300, "long before the hour is over"
    good.clear()
    await optimize._once()
    assert optimize.part.causes.names == []
    await optimize.history.engine.dispose()


BACKUP = "plan = { backup_minutes = 30 }\n"
"""40 kW of load for half an hour are 21 kWh in the cells: 10.5 % above the 10 % that its owner keeps."""


@pytest.mark.parametrize(
    ("policy", "over", "load", "least"),
    [
        ([], True, 60e3, 0.0),
        ([], False, 60e3, 0.0),
        (HOLD, False, 120e3, 0.0),
        (COVER, False, 260e3, 10e3),
    ],
    ids=["its plan is over", "self-consumption without a plan", "a peak", "the import limit comes first"],
)
def test_a_backup_stays_in_the_battery_whatever_becomes_of_the_plan(
    tmp_path: Path, policy: list[tuple[float, float]], over: bool, load: float, least: float
) -> None:
    """No price and no peak takes it, and only the planner knew: dispatch emptied the battery into a peak, into a load
    that was higher than forecast, and into any load when the planner was gone for an hour."""
    it = Story(plant_site(tmp_path, more=BACKUP, tariff=TARIFF))
    if policy or over:
        it.desk.plans.hear(policy_of(it, policy), it.now)
    if over:
        it.second += 3 * 3600
    soc = 30.0 if not (policy or over) else 19.5
    powers = live(it, 300, load, soc if over or policy else 34.0)
    assert powers[-1] == pytest.approx(least, abs=1.0)


def test_a_reserve_that_is_called_is_not_hunted_for(tmp_path: Path) -> None:
    """Below what is kept nothing is given, PV is stored, and the power fades in: no chatter at the edge."""
    it = Story(plant_site(tmp_path, more=BACKUP))
    plan = policy_of(it, COVER)
    it.desk.plans.hear(plan, it.now)
    last, falls = 21.0, list[float]()
    for _ in range(40):
        falls += live(it, 4, 40e3, soc := last)
        last = soc - 0.05
    assert all(b <= a + 1.0 for a, b in pairwise(falls))
    assert falls[0] == pytest.approx(40e3, abs=10)
    assert falls[-1] == 0.0
    assert live(it, 60, -20e3, 15.0)[-1] == pytest.approx(-20e3, abs=100)


@pytest.mark.parametrize(
    ("soc", "load", "power"), [(50.0, 95e3, 70e3), (50.0, -95e3, -80e3), (15.0, 60e3, 0.0), (89.0, -60e3, 0.0)]
)
def test_what_is_promised_is_free_without_a_plan_too(tmp_path: Path, soc: float, load: float, power: float) -> None:
    """30 kW up and 20 kW down for an hour: 32 kWh above the least and 19 kWh of room below the most."""
    promised = 'reserve = [{ name = "fcr", up = 30e3, down = 20e3, minutes = 60 }]\n'
    it = Story(plant_site(tmp_path, more=promised, tariff=UNBILLED))
    assert live(it, 30, load, soc)[-1] == pytest.approx(power, abs=300)


SELL, BUY = [(-200e3, 90e3), (200e3, 90e3)], [(-200e3, -90e3), (200e3, -90e3)]
ODD = [(100e3, 1e12), (-100e3, -1e12), (0.0, 0.0)]


@pytest.mark.parametrize("policy", [SELL, BUY, COVER, HOLD, ODD, [(0.0, 0.0)], [(0.0, 1e12)] * 100])
@pytest.mark.parametrize("last", [-100e3, 0.0, 100e3])
def test_no_policy_passes_a_limit_or_an_edge_by_the_batterys_doing(
    policy: list[tuple[float, float]], last: float
) -> None:
    """Whatever it says, also with PV that is curtailed and a battery beside that nobody steers."""
    most, step = RATINGS.grid, planned(0.0, policy=policy, cap=CAP).steps[0]
    nets, socs = (-150e3, -99e3, 0.0, 99e3, 300e3), (5.0, 10.0, 50.0, 90.0, 95.0)
    for net, spare, soc, charging in product(nets, (None, 0.0, 50e3), socs, (0.0, 30e3)):
        seen = replace(MOMENT, net=net, spare=spare, soc=soc, charging=charging, last=last)
        power = decide(RATINGS, seen, AUTO, billing=QUIET, step=step, peak=CAP).power
        idle, grid = net + charging, net + charging - power
        assert grid <= max(idle, most.import_limit) + 1.0
        assert -grid <= max(-idle, most.export_limit) + 1.0
        assert soc > 10 or power <= 0
        assert soc < 90 or power >= 0


def test_what_was_shed_does_not_come_back_while_the_meter_is_silent(tmp_path: Path) -> None:
    """Nobody knew whether it fits: after a minute of silence, and after a restart until the first reading, it drew
    again beyond the limit."""
    it = test_load_desk.Story(tmp_path, LAMPS)
    it.base = 95e3
    it.tick(10)
    assert it.shares["two"] == 0.0
    hear = it.desk.read
    it.desk.read = lambda name, *said: None if name == "grid" else hear(name, *said)  # type: ignore[method-assign]
    it.tick(600)
    assert (it.shares["two"], it.why("two").startswith("waits: the grid connection is not seen")) == (0.0, True)
    it.desk.read = hear  # type: ignore[method-assign]
    it.base = 20e3
    it.tick(RELEASE + 4)
    assert it.shares["two"] == 1.0
    it.desk.read = lambda name, *said: None if name == "grid" else hear(name, *said)  # type: ignore[method-assign]
    it.tick(600)
    assert it.shares["two"] == 1.0, "what runs runs on"


def test_an_alarm_that_comes_and_goes_makes_no_plan_each_ten_seconds(tmp_path: Path) -> None:
    """It made one for as long as it chattered: six times the load, and six times the plans that are kept."""
    occasions = optimizing(tmp_path, lambda *_: Thought(planned(0.0), [], None)).occasions
    urged = 0
    for second in range(0, 3600, 10):
        occasions.hear_alarm("bms1-trips", RAISED, float(second))
        urged += occasions.news
        occasions.begin(float(second))
        occasions.hear_alarm("bms1-trips", None, float(second))
    assert urged == 6
    occasions.hear_alarm("another", RAISED, 3600.0)
    assert occasions.news
