"""The plan knows the limits that dispatch says: which hold, until when, and how often that makes a plan anew."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from consumers.dispatch.grid_limits import GridLimits
from consumers.optimize.limits_heard import LimitsHeard, shape
from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.think import think
from optimizer.grid_bounds import bounds
from schemas.messages import Alarm, AlarmPriority, AlarmState, Authority, ControlLimits, HeldLimit
from schemas.site import Site
from schemas.topics import ALARM, CONTROL_LIMITS
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_grid_limits import SOURCES, request
from tests.consumers.test_dispatch_service import on_the_bus, until
from tests.consumers.test_optimize_pure import CELLS, NOON, fold, told
from tests.consumers.test_optimize_pure import said as said_of
from tests.consumers.test_optimize_service import scene
from tests.optimizer.outlooks import limit


def _plant() -> Site:
    with TemporaryDirectory() as folder:
        site = plant_site(Path(folder))
        assert site.profiles
        assert site.prices
    return site.model_copy(update={"command_sources": SOURCES})


SITE = _plant()
MOST = SITE.grid.import_limit


RAISED = Alarm(
    at=NOON,
    state=AlarmState.UNACKNOWLEDGED,
    priority=AlarmPriority.CRITICAL,
    device="bms1",
    point="alarms",
    text="It trips.",
    since=NOON,
)


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def with_safe(site: Site) -> Site:
    grid = site.grid.model_copy(update={"safe_feed_in": 30.0, "safe_consumption": 4200.0, "dso_hold": 900.0})
    return site.model_copy(update={"grid": grid})


def said(*held: HeldLimit, at: datetime = NOON, **sums: Any) -> ControlLimits:
    known = bounds(SITE.grid, held)
    return ControlLimits.model_validate(
        {"at": at, "import_limit": known.import_limit, "export_limit": known.export_limit, "held": [*held]} | sums
    )


def sizes(site: Site, at: float, heard: LimitsHeard) -> list[float]:
    """W that may be drawn, so many minutes after noon."""
    return [bounds(site.grid, heard.held(later(at), at * 60)).import_limit]


ENDS: dict[str, tuple[bool, HeldLimit, dict[float, float]]] = {
    "it has an end": (False, limit(until=later(20)), {0: 10e3, 15: 10e3, 30: MOST}),
    "it ends in the middle of a quarter hour": (False, limit(until=later(16)), {0: 10e3, 15: 10e3, 30: MOST}),
    "nobody said an end": (False, limit(), {0: 10e3, 34 * 60: 10e3}),
    "its end is when it is said anew": (True, limit(until=later(5)), {0: 10e3, 34 * 60: 10e3}),
    "an operator's end is an end": (True, limit(until=later(20), authority=Authority.OPERATOR), {15: 10e3, 30: MOST}),
    "its signal was lost": (True, limit(until=later(-9), cause="lost"), {0: 10e3, 34 * 60: 10e3}),
    "the safe one": (True, limit(power=4200.0, cause="safe", until=later(-99)), {0: 4200.0, 34 * 60: 4200.0}),
}


@pytest.mark.parametrize("what", ENDS)
def test_each_slot_keeps_the_limits_that_hold_when_it_begins(what: str) -> None:
    safe, one, expected = ENDS[what]
    site = with_safe(SITE) if safe else SITE
    situation = told(site)
    situation.held = [one]
    found = look(situation, Past(site), {}, NOON, 0.0).outlook
    slots = dict(zip(found.starts, found.import_limit.tolist(), strict=True))
    assert {minute: slots[later(minute)] for minute in expected} == expected


def test_the_plan_and_dispatch_make_the_same_of_what_was_asked() -> None:
    """W, %, both scopes: sums and slots come from one function, whoever asks."""
    desk = GridLimits(SITE)
    for wish in ({"power": 42e3, "direction": "consumption"}, {"percent": 30.0},
                 {"power": 8.4e3, "direction": "consumption", "scope": "steerable"}):  # fmt: skip
        assert desk.hear(request(**wish), NOON) is None
    heard = LimitsHeard(SITE)
    heard.hear(desk.said(NOON), NOON, 0.0)
    assert bounds(SITE.grid, heard.held(NOON, 0.0)) == desk.bounds(NOON)


def test_pv_that_is_limited_gives_no_more_in_the_plan() -> None:
    situation = told(SITE)
    situation.held = [limit("feed_in", 5e3, scope="steerable", until=later(30))]
    found = look(situation, Past(SITE), {}, NOON, 0.0).outlook
    assert situation.pv(0.0) == 20e3
    assert [float(power) for power in found.pv[:3]] == [5e3, 5e3, pytest.approx(20e3, rel=0.2)]


def test_the_plan_says_which_limit_shaped_it_and_what_it_cannot_keep() -> None:
    situation = told(SITE)
    situation.held = [limit(power=20e3, until=later(45), reason="14a"), limit(power=900e3, source="wide")]
    plan, wrong, _ = think(situation, Past(SITE), {}, NOON, 0.0)
    assert wrong == []
    assert plan.limits == ["consumption at most 20 kW, by dso as dso, asked: 14a, until 10 Jun 12:45"]
    assert plan.shortage == []
    fold(situation, "bms1", said_of(0.1, CELLS | {"soc": 5.0}), 0.0)  # empty
    plan, wrong, _ = think(situation, Past(SITE), {}, NOON, 0.0)
    assert wrong == []
    assert len(plan.shortage) == 1
    when = "from 10 Jun 12:00 to 10 Jun 12:45: up to 2"
    assert plan.shortage[0].startswith(f"the import limit of dso as dso, 20.0 kW, cannot be kept {when}")


def test_what_was_said_last_holds_and_a_dispatch_that_is_silent_leaves_what_is_safe() -> None:
    plain, heard = LimitsHeard(SITE), LimitsHeard(with_safe(SITE))
    for one in (plain, heard):
        one.hear(said(limit(power=50e3)), NOON, 0.0)
        one.hear(None, NOON, 1.0)
    assert sizes(SITE, 14.0, heard) == [50e3]
    assert sizes(SITE, 16.0, heard) == [4200.0]
    assert "dispatch is silent" in heard.held(later(16), 960.0)[-1].reason
    assert sizes(SITE, 1e4, plain) == [50e3], "nothing is declared safe: the last word holds"
    heard.hear(said(at=later(17)), later(17), 1020.0)
    assert sizes(SITE, 17.0, heard) == [MOST]


def test_after_a_restart_a_retained_word_is_as_old_as_it_says() -> None:
    heard, never = LimitsHeard(with_safe(SITE)), LimitsHeard(with_safe(SITE))
    heard.hear(said(at=later(-16)), NOON, 0.0, retained=True)
    assert sizes(SITE, 0.0, heard) == [4200.0]
    assert sizes(SITE, 0.0, never) == [MOST], "dispatch has dso_hold to speak"
    assert sizes(SITE, 15.0, never) == [4200.0]


def test_sums_that_are_narrower_than_what_is_named_hold_too() -> None:
    heard = LimitsHeard(SITE)
    heard.hear(said(import_limit=30e3, export_limit=0.0), NOON, 0.0)
    found = bounds(SITE.grid, heard.held(NOON, 0.0))
    assert (found.import_limit, found.export_limit) == (30e3, 0.0)


def test_a_limit_that_ends_as_foreseen_is_no_other_limit() -> None:
    one, other = limit(until=later(20)), limit(until=later(50))
    assert shape(SITE, [one], later(10)) != shape(SITE, [], later(10))
    assert shape(SITE, [one], later(20)) == shape(SITE, [], later(20))
    assert shape(SITE, [one], later(10)) != shape(SITE, [other], later(10))


async def test_a_limit_makes_a_plan_at_once_and_a_storm_of_them_few(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    """The retained one shapes the first plan; the next one a plan within 2 s; ten more make one, after 10 s."""
    site, empty = plant_site(tmp_path, site_name), f"sqlite+aiosqlite:///{tmp_path / 'never-migrated.db'}"

    def word(power: float) -> ControlLimits:
        now = utc_now()
        return said(limit(power=power, since=now, until=now + timedelta(minutes=40)), at=now)

    async with on_the_bus(broker, "dispatch") as dispatch:
        await dispatch.say(CONTROL_LIMITS, word(90e3), site=site_name)
        async with scene(broker, site, empty) as played:
            await until(lambda: played.plans, within=30)
            await until(lambda: "at most 90 kW" in " ".join(played.plans[-1].limits))
            made = len(played.plans)
            await dispatch.say(CONTROL_LIMITS, word(20e3), site=site_name)
            # a retained one that came behind the first plan was another limit already
            await until(lambda: len(played.plans) > made, within=4 if made == 1 else 70)
            made = len(played.plans)
            assert played.plans[-1].steps[1].grid <= 20e3 + 1
            assert "held by the import limit of 20.0 kW by dso" in played.plans[-1].steps[1].reason
            for number in range(10):
                await dispatch.say(CONTROL_LIMITS, word(21e3 + number), site=site_name)
                await asyncio.sleep(0.1)
            await until(lambda: "21.009 kW" in " ".join(played.plans[-1].limits), within=15)
            assert len(played.plans) <= made + 2  # one more where its minute has come
            made = len(played.plans)
            async with on_the_bus(broker, "alarms") as alarms:  # what can be done may have changed
                await alarms.say(ALARM, RAISED, site=site_name, alarm="bms_trip-bms1")
                await until(lambda: len(played.plans) > made, within=15)
                await alarms.say(ALARM, None, site=site_name, alarm="bms_trip-bms1")
        await dispatch.say(CONTROL_LIMITS, None, site=site_name)
