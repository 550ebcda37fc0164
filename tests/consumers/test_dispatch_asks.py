"""An operator asks for a grid mode: by name, with a reason, at rest; everything else is refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.messages import Action, Authority, ControlRequest
from tests.consumers.test_dispatch_desk import Story

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def wish(story: Story, **change: Any) -> ControlRequest:
    asks = {"at": story.now, "action": Action.GRID_FORMING, "who": "anna", "why": "island test"} | change
    return ControlRequest.model_validate(asks)


@pytest.mark.parametrize(
    ("before", "state", "change", "refusal"),
    [
        ("lockout", "off", {}, ""),
        ("lockout", "standby", {"action": Action.GRID_FOLLOWING}, ""),
        ("auto", "off", {}, ""),
        ("manual", "off", {}, ""),
        ("lockout", "running", {}, "the grid mode changes only at rest, the PCS is running: ask for a lockout first"),
        ("lockout", "", {}, "the PCS is silent"),
        ("lockout", "fault", {}, "the PCS is fault"),
        ("lockout", "off", {"who": "  "}, "the request does not say who asks"),
        ("manual", "off", {"who": "ben"}, "manual is held by anna"),
        ("local", "off", {}, "anna steers at the device; nothing is sent"),
        ("lockout", "off", {"at": NOON}, "the request is 105 s old"),
    ],
)
def test_a_story(tmp_path: Path, before: str, state: str, change: dict[str, Any], refusal: str) -> None:
    story = Story(tmp_path)
    more: dict[str, Any] = {"power": 0.0, "until": story.now + timedelta(minutes=5)} if before == "manual" else {}
    story.ask(before, **more)
    story.second += 5
    story.hear_all(state=state)
    mode = story.desk.control
    said = story.desk.hear(wish(story, **change), story.now)
    assert (refusal in said, bool(said)) == (True, bool(refusal)), said
    assert mode is not None
    assert story.desk.control is not None
    assert story.desk.control.mode == mode.mode, "who steers does not change by it"
    order = story.order()
    if refusal:
        assert order is None or order.action not in (Action.GRID_FORMING, Action.GRID_FOLLOWING)
        return
    assert order is not None
    assert (order.action, order.wanted.authority) == (wish(story, **change).action, Authority.OPERATOR)
    assert order.wanted.reason == f"{order.action} by anna: island test"
    again = story.order()
    assert again is None or again.action is not order.action, "once"


def test_a_retained_request_and_the_same_again_are_refused(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.hear_all(state="off")
    asks = wish(story)
    assert "retained" in story.desk.hear(asks, story.now, retained=True)
    assert story.desk.hear(asks, story.now) == ""
    assert "followed already" in story.desk.hear(asks, story.now)


def test_a_pcs_that_knows_no_grid_mode_is_not_asked(tmp_path: Path) -> None:
    story = Story(tmp_path)
    pcs = story.desk.site.profiles["pcs1"]
    story.desk.site.profiles["pcs1"] = pcs.model_copy(update={"actions": {}})
    story.hear_all(state="off")
    assert story.desk.hear(wish(story), story.now) == "the PCS knows no grid_forming"


def test_a_pcs_that_has_started_meanwhile_is_left_alone(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.hear_all(state="off")
    assert story.desk.hear(wish(story), story.now) == ""
    story.hear_all(state="running")
    order = story.order()
    assert order is not None
    assert order.action is None


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
