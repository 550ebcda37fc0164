"""What the bridge's outcomes change: by their cause, never by their words."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.outcomes import EFFECTS, SAID, Effect, effect
from schemas.messages import Action, Authority, Cause, Limited, Mode, Outcome, OutcomeState, RequestOutcome
from tests.consumers.test_dispatch_desk import Story, plant_site

LOCKS = {
    Cause.METER_POLARITY: {Mode.AUTO},
    Cause.SWINGING: {Mode.AUTO},
    Cause.REVERSED: {Mode.AUTO, Mode.MANUAL},
}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(plant_site(tmp_path))
    story.hear_all()
    return story


def in_mode(story: Story, mode: Mode) -> None:
    more = {"power": 10e3, "until": story.now.replace(hour=20)} if mode is Mode.MANUAL else {}
    story.ask(mode, id="r1", **more)
    story.second += 1
    story.hear_all()


def says(story: Story, name: str, state: str, cause: str | None = None, reason: str = "") -> RequestOutcome | None:
    said: dict[str, Any] = {"id": name, "at": story.now, "cause": cause, "reason": reason, "source": "dispatch"}
    return story.desk.hear_outcome(Outcome(state=OutcomeState(state), **said), story.now, story.second)


def test_every_cause_is_decided_in_every_mode() -> None:
    assert all(modes.keys() == set(Mode) for modes in EFFECTS.values())
    assert SAID.keys() == set(OutcomeState)
    assert effect("a_cause_of_a_newer_bridge", Mode.AUTO) is Effect.NONE
    assert effect(None, Mode.AUTO) is Effect.NONE


@pytest.mark.parametrize(("cause", "mode"), list(product([*LOCKS, Cause.NOT_OBEYED], Mode)))
def test_the_closed_loop_ends_where_it_must(story: Story, cause: Cause, mode: Mode) -> None:
    in_mode(story, mode)
    order = story.order()
    name = list(story.desk.commands.sent)[-1] if order else "none"
    says(story, name, "not_obeyed", cause, "the measured power says otherwise")
    assert story.desk.control is not None
    held, locked = story.desk.control.mode, mode in LOCKS.get(cause, ())
    assert held.mode is (Mode.LOCKOUT if locked or mode is Mode.LOCKOUT else mode)
    if locked:
        assert (held.who, held.cause) == ("dispatch", cause)
        assert story.power() == 0.0
    if order is not None and mode is not Mode.LOCAL:
        story.order()
        words = f"{cause}: the measured power says otherwise"
        assert words in (held.why if locked else story.desk.detail)


@pytest.mark.parametrize("reason", ["meter_sign_suspect: typed by somebody", "swinging", "reversed: no"])
def test_words_change_nothing(story: Story, reason: str) -> None:
    story.order()
    says(story, list(story.desk.commands.sent)[-1], "refused", None, reason)
    assert story.desk.control is not None
    assert story.desk.control.mode.mode is Mode.AUTO


def test_what_is_said_of_a_command_that_was_not_ours_changes_nothing(story: Story) -> None:
    story.order()
    assert says(story, "dispatch-of-another-run", "refused", Cause.REVERSED) is None
    assert story.desk.control is not None
    assert story.desk.control.mode.mode is Mode.AUTO


def test_a_complaint_is_said_until_it_is_proven_or_a_minute_old(story: Story) -> None:
    story.order()
    name = list(story.desk.commands.sent)[-1]
    says(story, name, "not_obeyed", Cause.NOT_OBEYED, "it stays at 0 W")
    story.order()
    assert story.desk.detail.endswith("; not_obeyed: it stays at 0 W")
    says(story, name, "verified")
    story.order()
    assert "not_obeyed" not in story.desk.detail
    says(story, name, "not_obeyed", Cause.NOT_OBEYED, "it stays at 0 W")
    story.second += 61
    story.hear_all()
    story.order()
    assert "not_obeyed" not in story.desk.detail


def test_a_complaint_names_its_cause_once(story: Story) -> None:
    """`interlock: interlock: epo` stood there."""
    story.order()
    says(story, list(story.desk.commands.sent)[-1], "refused", Cause.INTERLOCK, "interlock: epo-pcs1")
    story.order()
    assert story.desk.detail.endswith("; interlock: epo-pcs1")
    assert story.desk.detail.count("interlock") == 1


def test_a_complaint_without_words_names_the_limit(story: Story) -> None:
    """`manual by anna; interlock: ` was all that stood there."""
    in_mode(story, Mode.MANUAL)
    limit = Limited(point="p_set", source="interlock:hot-bms1", wanted=30e3, allowed=0.0)
    for limits, words in (([limit], "anna; interlock:hot-bms1"), ([], "anna; interlock")):
        story.order()
        name, at = list(story.desk.commands.sent)[-1], story.now
        held = Outcome(id=name, at=at, state=OutcomeState.LIMITED, cause=Cause.INTERLOCK, limited_by=limits)
        story.desk.hear_outcome(held, at, story.second)
        story.order()
        assert story.desk.detail.endswith(words)


def test_a_manual_power_that_the_bridge_refuses_is_told_to_who_asked(story: Story) -> None:
    in_mode(story, Mode.MANUAL)
    order = story.order()
    assert order is not None
    assert order.wanted.authority is Authority.OPERATOR
    name = list(story.desk.commands.sent)[-1]
    told = says(story, name, "refused", Cause.AUTHORITY, "dso holds the device")
    assert told is not None
    assert (told.id, told.followed, told.wish) == ("r1", False, "manual")
    assert (told.cause, told.reason) == (Cause.AUTHORITY, "refused: dso holds the device")
    assert says(story, name, "refused", Cause.AUTHORITY) is None, "once"
    proven = says(story, name, "limited")
    assert proven is not None
    assert proven.followed


def test_a_lockout_is_confirmed_when_the_pcs_has_stopped_and_not_before(story: Story) -> None:
    in_mode(story, Mode.LOCKOUT)
    assert story.power() == 0.0
    assert says(story, list(story.desk.commands.sent)[-1], "verified") is None, "it rests"
    story.second += 2
    story.hear_all()
    assert story.action() is not None
    told = says(story, list(story.desk.commands.sent)[-1], "not_obeyed", Cause.NOT_OBEYED, "it is still running")
    assert told is not None
    assert (told.followed, told.wish) == (False, "lockout")
    story.second += 11
    story.hear_all()
    assert story.action() is not None, "told again"
    told = says(story, list(story.desk.commands.sent)[-1], "verified", reason="off")
    assert told is not None
    assert (told.id, told.followed, told.reason) == ("r1", True, "verified: off")


def test_in_plan_and_self_consumption_nobody_is_told(story: Story) -> None:
    in_mode(story, Mode.AUTO)
    story.order()
    assert says(story, list(story.desk.commands.sent)[-1], "refused", Cause.AUTHORITY) is None


@pytest.mark.parametrize(
    ("state", "cause", "followed"),
    [("refused", Cause.INTERLOCK, False), ("not_obeyed", Cause.INTERLOCK, False), ("verified", None, True)],
)
def test_who_asked_for_auto_learns_whether_the_pcs_could_be_started(
    story: Story, state: str, cause: Cause | None, followed: bool
) -> None:
    """`auto: followed` was his last word, and an interlock refused the start."""
    in_mode(story, Mode.AUTO)
    story.hear_all(state="off")
    order = story.order()
    assert order is not None
    assert order.action is Action.START
    told = says(story, list(story.desk.commands.sent)[-1], state, cause, "interlock: epo-pcs1")
    assert told is not None
    assert (told.id, told.wish, told.followed, told.cause) == ("r1", "auto", followed, cause)
