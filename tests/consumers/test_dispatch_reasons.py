"""The commands that go out say what binds each, as codes; whoever knows no such field takes them all the same."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction, action
from consumers.dispatch.reasons import Reasons, whys
from optimizer.why_words import Place, sentence
from runtime.signature import forgery, signed
from schemas.messages import Action, Authority, Cause, Command, Outcome, OutcomeState, Why
from tests.consumers.test_dispatch_desk import NOON, Story, plant_site
from tests.consumers.test_dispatch_grid_limits import SOURCES, request
from tests.consumers.test_load_desk import HALL, LAMPS, PUMP
from tests.consumers.test_load_desk import Story as Loads
from tests.optimizer.test_dispatch import planned


def older(one: Command) -> None:
    """A bridge from before there were reasons: a key that it does not know is an order half understood."""
    unknown = json.loads(one.model_dump_json()).keys() - (Command.model_fields.keys() - {"why"})
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(unknown)}")


def command(number: int = 1, why: list[Why] | None = None, what: Action | None = None) -> Command:
    return Command(
        id=f"dispatch-{number}", at=NOON, until=NOON + timedelta(seconds=10), source="dispatch",
        authority=Authority.PLAN, values={} if what else {"p_set": 1.0}, action=what, reason="story", why=why or [],
    )  # fmt: skip


def covers(story: Story) -> None:
    story.hear_all(grid=30e3)


def a_dso_limits(story: Story) -> None:
    story.desk.limits.site = story.desk.limits.site.model_copy(update={"command_sources": SOURCES})
    wish = request(direction="consumption", power=10e3, at=story.now)
    assert story.desk.limits.hear(wish, story.now) is None
    story.desk.plans.hear(planned(0.0, why=[Why(code="rests")]), story.now)
    story.hear_all(grid=60e3)


def locked_out(story: Story) -> None:
    story.hear_all(grid=30e3, power=20e3)
    story.ask("lockout", why="service")


def by_hand(story: Story) -> None:
    story.hear_all(grid=30e3)
    story.ask("manual", power=20e3, until=story.now + timedelta(hours=1))


STORIES: dict[str, tuple[Callable[[Story], None], str]] = {
    "no plan": (covers, "no valid plan: covers the load and stores PV"),
    "a limit that was sent": (
        a_dso_limits,
        "held by the import limit of 10.0 kW by dso; rests",
    ),
    "a lockout": (locked_out, "locked out by anna at 12:01"),
    "a person": (by_hand, "asked by anna until 13:01"),
}


@pytest.mark.parametrize(("happens", "words"), STORIES.values(), ids=STORIES)
def test_a_setpoint_says_what_binds_it(tmp_path: Path, happens: Callable[[Story], None], words: str) -> None:
    story = Story(plant_site(tmp_path))
    happens(story)
    order = story.order()
    assert order is not None
    sent = Reasons().add(command(), story.desk, "pcs1", order, 0.0)
    assert 1 <= len(sent.why) <= 2
    assert sentence(sent.why, Place("EUR", story.desk.site.zone), story.now).startswith(words)


def test_a_load_says_what_decides(tmp_path: Path) -> None:
    story = Loads(tmp_path, PUMP, LAMPS)
    story.plan(one=10e3, two=20e3)
    story.tick(10)
    assert [said(story.desk, name) for name in ("one", "two")] == ["as it is planned", "as it is planned"]
    story.second += 7 * 3600
    story.tick(10)
    assert said(story.desk, "one") == "20.0 kWh are missing until 20:00"
    (tmp_path / "warm").mkdir()
    cold = Loads(tmp_path / "warm", HALL)
    cold.temperature = 10.0
    cold.tick(10)
    assert said(cold.desk, "one") == "for its comfort band, t is 10.0 °C"


def said(desk: Desk, load: str) -> str:
    found = whys(desk, load, Instruction(action(Action.STOP, "", Authority.PLAN).wanted), NOON)
    return sentence(found, Place("EUR", desk.site.zone), NOON)


def test_a_bridge_that_knows_no_reasons_is_told_without(tmp_path: Path) -> None:
    """It refuses one command, as an order half understood; a stop it takes at once."""
    story, reasons = Story(plant_site(tmp_path)), Reasons()
    covers(story)
    order = story.order()
    assert order is not None
    stop = reasons.add(command(1, what=Action.STOP), story.desk, "pcs1", order, 0.0)
    older(stop)
    with pytest.raises(ValueError, match="why"):
        older(reasons.add(command(2), story.desk, "pcs1", order, 0.0))
    no = Outcome(id="dispatch-2", at=NOON, state=OutcomeState.REFUSED, cause=Cause.INVALID)
    assert not reasons.hear("pcs1", no.model_copy(update={"id": "dispatch-1"}), 1.0), "of another command"
    assert not reasons.hear("pcs2", no, 1.0), "of another bridge"
    assert reasons.hear("pcs1", no, 1.0)
    older(reasons.add(command(3), story.desk, "pcs1", order, 1.0))
    assert reasons.add(command(4), story.desk, "pcs2", order, 1.0).why, "another bridge is asked for itself"


def test_a_command_with_a_reason_is_signed_whole_and_read_again() -> None:
    why = Why(code="holds_peak", value=448e3, price=10.0, at=NOON, per="month")
    sent = signed(command(why=[why]), "a", "key").model_dump_json().encode()
    assert not forgery(sent, "a", "key")
    assert forgery(sent.replace(b"448000", b"449000"), "a", "key")
    assert Command.model_validate_json(sent).why == [why]
    assert len(sent) - len(signed(command(), "a", "key").model_dump_json()) < 120
