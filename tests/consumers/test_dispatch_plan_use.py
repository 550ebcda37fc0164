"""Whether the plan is followed, the last one goes on, or the fallback holds: said in the mode, since when and why."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from consumers.dispatch.kept import Kept, Stored
from consumers.dispatch.plan_use import plan_held
from consumers.dispatch.plans import Plans
from schemas.messages import ControlMode, Mode, Plan, PlanHeld, PlanUse
from tests.consumers.test_dispatch_desk import NOON, Story, plant_site
from tests.consumers.test_dispatch_plans import at, of

ZONE = ZoneInfo("Europe/Berlin")
FOLLOWED, LAST, FALLBACK = PlanUse.FOLLOWED, PlanUse.LAST, PlanUse.FALLBACK


@pytest.mark.parametrize(
    ("heard", "seen"),
    [
        ({}, [(0, FALLBACK, 0), (60, FALLBACK, 0)]),
        ({0: of("a", 0)}, [(1, FOLLOWED, 1), (179, FOLLOWED, 1), (181, LAST, 181), (3599, LAST, 181)]),
        ({0: of("a", 0)}, [(1, FOLLOWED, 1), (3500, LAST, 3500), (3600, FALLBACK, 3600), (9000, FALLBACK, 3600)]),
        ({0: of("a", 0), 60: of("b", 60)}, [(1, FOLLOWED, 1), (200, FOLLOWED, 1), (241, LAST, 241)]),
        ({0: of("a", 0), 5000: of("b", 5000)}, [(4000, FALLBACK, 4000), (5000, FOLLOWED, 5000)]),
        ({0: of("a", 0), 300: None}, [(200, LAST, 200), (300, FALLBACK, 300)]),
    ],
    ids=["none was heard", "none comes after it", "its hour is over", "a new one each minute", "back", "taken back"],
)
def test_each_is_said_with_its_begin(heard: dict[int, Plan | None], seen: list[tuple[int, PlanUse, int]]) -> None:
    plans, before = Plans(), None
    for second in sorted({*heard, *(second for second, _, _ in seen)}):
        if second in heard:
            plans.hear(heard[second], at(second))
        now = at(second)
        held = plan_held(plans.at(now), plans.latest, now, before, ZONE, peak=True)
        for _, use, since in (one for one in seen if one[0] == second):
            assert (held.use, held.since) == (use, at(since))
            assert bool(held.why) == (use is not FOLLOWED)
        if seen[0][0] <= second:
            before = held


def test_the_words_name_the_plan_and_what_is_done_without() -> None:
    plan = of("a", 0)
    last = plan_held(plan, plan, at(1000), None, ZONE, peak=True)
    over = plan_held(None, plan, at(4000), last, ZONE, peak=True)
    never = plan_held(None, None, at(4000), None, ZONE, peak=False)
    assert last.why == "none has come after the plan of 10 Jun 12:00"
    assert over.why == (
        "the plan of 10 Jun 12:00 is no longer valid, and none has come after it: the batteries serve the site alone, "
        "and keep a reserve for the billed peak"
    )
    assert never.why == "no plan was heard: the batteries serve the site alone"
    # a run that begins later has never heard the plan: the one before it had
    assert plan_held(None, None, at(5000), over, ZONE, peak=True) == over


def test_the_mode_says_it_in_auto_only(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all()
    story.desk.instruct(story.now, story.second)
    said = story.desk.mode.said()
    assert said is not None
    assert said.plan is not None
    assert said.plan.use is FALLBACK
    story.ask("manual", power=10e3, until=story.now + timedelta(minutes=5))
    story.desk.instruct(story.now, story.second)
    said = story.desk.mode.said()
    assert said is not None
    assert (said.mode, said.plan) == (Mode.MANUAL, None)


def test_a_restart_goes_on_with_its_begin(tmp_path: Path) -> None:
    since = NOON - timedelta(hours=2)
    held = PlanHeld(use=FALLBACK, since=since, made=since - timedelta(hours=1))
    mode = ControlMode(at=since, mode=Mode.AUTO, who="anna", plan=held)
    story = Story(plant_site(tmp_path))
    story.desk.control = None
    kept = Kept(at=since, mode=ControlMode(at=since, mode=Mode.AUTO, who="anna"))
    story.desk.begin(Stored(kept=kept), Stored(mode), story.now, story.second)
    story.desk.instruct(story.now, story.second)
    said = story.desk.mode.said()
    assert said is not None
    assert said.plan is not None
    assert (said.plan.use, said.plan.since) == (FALLBACK, since)


def test_an_older_dispatch_and_an_older_reader_are_understood() -> None:
    older = ControlMode.model_validate_json('{"at": "2026-06-10T10:00:00Z", "mode": "auto", "who": "anna"}')
    assert older.plan is None
    newer = ControlMode(at=NOON, mode=Mode.AUTO, who="", plan=PlanHeld(use=LAST, since=NOON, made=NOON, why="x"))
    assert ControlMode.model_validate_json(newer.model_dump_json()) == newer
