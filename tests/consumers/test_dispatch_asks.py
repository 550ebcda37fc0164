"""An operator asks for a grid mode: by name, with a reason, at rest; everything else is refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.messages import (
    Action,
    Authority,
    Cause,
    ControlRequest,
    Mode,
    Outcome,
    OutcomeState,
    RequestOutcome,
)
from tests.consumers.test_dispatch_desk import Story, plant_site

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def wish(story: Story, **change: Any) -> ControlRequest:
    asks = {"id": "w1", "at": story.now, "action": Action.GRID_FORMING, "who": "anna", "why": "island test"} | change
    return ControlRequest.model_validate(asks)


def asked(story: Story, request: ControlRequest, *, retained: bool = False) -> RequestOutcome:
    return story.desk.hear(request, story.now, story.second, retained=retained)


@pytest.mark.parametrize(
    ("before", "state", "change", "cause", "words"),
    [
        ("lockout", "off", {}, None, ""),
        ("lockout", "standby", {"action": Action.GRID_FOLLOWING}, None, ""),
        ("auto", "off", {}, None, ""),
        ("manual", "off", {}, None, ""),
        (
            "lockout",
            "running",
            {},
            Cause.WRONG_STATE,
            "only at rest, the PCS (pcs1) is running: ask for a lockout first",
        ),
        ("lockout", "", {}, Cause.WRONG_STATE, "the PCS (pcs1) is silent"),
        ("lockout", "fault", {}, Cause.WRONG_STATE, "the PCS (pcs1) is in fault"),
        ("lockout", "off", {"who": "  "}, Cause.INVALID, "the request does not say who asks"),
        ("manual", "off", {"who": "ben"}, Cause.AUTHORITY, "manual is held by anna"),
        ("local", "off", {}, Cause.LOCAL, "anna steers at the device; nothing is sent"),
        ("lockout", "off", {"at": NOON}, Cause.EXPIRED, "the request is 105 s old"),
    ],
)
def test_a_story(
    *, tmp_path: Path, before: str, state: str, change: dict[str, Any], cause: Cause | None, words: str
) -> None:
    story = Story(plant_site(tmp_path))
    more: dict[str, Any] = {"power": 0.0, "until": story.now + timedelta(minutes=5)} if before == "manual" else {}
    story.ask(before, **more)
    story.second += 5
    story.hear_all(state=state)
    mode = story.desk.control
    said = asked(story, wish(story, **change))
    assert (said.followed, said.cause, said.id, said.wish) == (cause is None, cause, "w1", wish(story, **change).action)
    assert words in said.reason
    assert mode is not None
    assert story.desk.control is not None
    assert story.desk.control.mode == mode.mode, "who steers does not change by it"
    order = story.order()
    if cause is not None:
        assert order is None or order.action not in (Action.GRID_FORMING, Action.GRID_FOLLOWING)
        return
    assert order is not None
    assert (order.action, order.wanted.authority) == (wish(story, **change).action, Authority.OPERATOR)
    assert order.wanted.reason == f"{order.action}, asked by anna: island test"
    again = story.order()
    assert again is None or again.action is not order.action, "once"


def test_a_retained_request_and_the_same_again_are_refused(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all(state="off")
    asks = wish(story)
    assert asked(story, asks, retained=True).cause == Cause.RETAINED
    assert asked(story, asks).followed
    assert asked(story, asks).cause == Cause.DUPLICATE


def test_a_pcs_that_knows_no_grid_mode_is_not_asked(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    pcs = story.desk.site.profiles["pcs1"]
    story.desk.site.profiles["pcs1"] = pcs.model_copy(update={"actions": {}})
    story.hear_all(state="off")
    said = asked(story, wish(story))
    assert (said.cause, said.reason) == (Cause.UNKNOWN, "the PCS (pcs1) cannot form a grid")


def test_a_pcs_that_has_started_meanwhile_is_left_alone(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all(state="off")
    assert asked(story, wish(story)).followed
    story.hear_all(state="running")
    order = story.order()
    assert order is not None
    assert order.action is None


def test_what_the_bridge_makes_of_it_is_told_where_it_was_asked(tmp_path: Path) -> None:
    """Refused by the bridge: the one who asked hears it, once, with its cause."""
    story = Story(plant_site(tmp_path))
    story.hear_all(state="off")
    assert asked(story, wish(story)).followed
    assert story.order() is not None
    (command,) = story.desk.commands.sent

    def says(state: OutcomeState, cause: Cause | None = None, reason: str = "") -> RequestOutcome | None:
        said = Outcome(id=command, at=story.now, state=state, cause=cause, reason=reason, source="dispatch")
        return story.desk.hear_outcome(said, story.now, story.second)

    assert says(OutcomeState.APPLIED) is None
    told = says(OutcomeState.REFUSED, Cause.WRONG_STATE, "the device is running")
    assert told is not None
    assert (told.id, told.followed, told.who, told.wish) == ("w1", False, "anna", "grid_forming")
    assert (told.cause, told.reason) == (Cause.WRONG_STATE, "refused: the device is running")
    assert says(OutcomeState.FAILED, Cause.NO_ANSWER) is None, "once"
    proven = says(OutcomeState.VERIFIED, reason="islanded")
    assert proven is not None
    assert (proven.followed, proven.cause, proven.reason) == (True, None, "verified: islanded")


def test_what_was_asked_before_is_not_answered_again_when_another_mode_holds(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.ask("manual", power=10_000.0, until=story.now + timedelta(minutes=5))
    for _ in range(2):
        story.second += 2
        story.hear_all(state="running")
        assert story.order() is not None
    first, second = story.desk.commands.sent

    def says(command: str, state: OutcomeState) -> RequestOutcome | None:
        said = Outcome(id=command, at=story.now, state=state, source="dispatch")
        return story.desk.hear_outcome(said, story.now, story.second)

    told = says(first, OutcomeState.VERIFIED)
    assert (told and told.wish) == "manual"
    assert says(second, OutcomeState.VERIFIED) is None, "once"
    story.second += 5
    story.ask("auto")
    assert [says(second, state) for state in (OutcomeState.VERIFIED, OutcomeState.EXPIRED)] == [None, None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "auto"}, "either `mode` or `action`"),
        ({"action": None}, "either `mode` or `action`"),
        ({"why": " "}, "a grid mode needs `why`"),
        ({"until": "2026-06-10T11:00:00Z"}, "no `until`"),
        ({"action": "start"}, "grid_following"),
        ({"who": ""}, "at least 1 character"),
    ],
)
def test_a_wish_that_is_not_whole_is_no_request(change: dict[str, Any], words: str) -> None:
    whole = {"at": "2026-06-10T10:00:00Z", "action": "grid_forming", "who": "anna", "why": "island test"}
    assert ControlRequest.model_validate_json(_json(whole)).action is Action.GRID_FORMING
    with pytest.raises(ValidationError, match=words):
        ControlRequest.model_validate_json(_json(whole | change))


def _json(said: dict[str, Any]) -> str:
    return str({key: value for key, value in said.items() if value is not None}).replace("'", '"')


@pytest.mark.parametrize("mode", Mode)
def test_at_a_site_that_is_only_watched_each_answer_says_so(tmp_path: Path, mode: Mode) -> None:
    """A lockout was `followed` without a word, and the PCS ran on."""
    story = Story(plant_site(tmp_path, more='mode = "read_only"\n'))
    story.hear_all(state="off")
    power, until = (10e3 if mode is Mode.MANUAL else None), story.now.replace(hour=12)
    given = {"power": power, "until": until} if mode in (Mode.MANUAL, Mode.LOCAL) else {}
    said = asked(story, ControlRequest(at=story.now, mode=mode, who="anna", **given))  # type: ignore[arg-type]
    assert said.followed
    assert said.reason.startswith("read only: the mode holds, nothing is written"), said.reason
    if mode is Mode.LOCKOUT:
        assert said.reason.endswith("and no PCS is stopped")


def test_nor_does_it_change_a_grid_mode(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, more='mode = "read_only"\n'))
    story.hear_all(state="off")
    assert (
        asked(story, wish(story)).reason == "read only: nothing is written and the grid mode of the PCS stays as it is"
    )
