"""A stop that is not obeyed is an alarm, however well the setpoints around it are followed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.alarms.actions import BY_OTHERS, ENDS, Actions
from schemas.messages import Action, Cause, Outcome, OutcomeState, Telemetry
from schemas.units import Quality

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def said(state: str, action: Action | None = Action.STOP, cause: str | None = None) -> Outcome:
    return Outcome(id="d1", at=NOON, state=OutcomeState(state), action=action, cause=cause)


def seen(state: str, **more: Any) -> Telemetry:
    return Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"state": state}, **more)


def test_setpoints_say_nothing_of_a_stop() -> None:
    actions = Actions()
    assert actions.hear("pcs1", said("not_obeyed", cause=Cause.NOT_OBEYED)) is OutcomeState.NOT_OBEYED
    assert actions.hear("pcs1", said("verified", None)) is None
    assert actions.hear("pcs2", said("verified")) is OutcomeState.VERIFIED
    assert actions.see("pcs1", seen("running")) is None


@pytest.mark.parametrize("state", list(OutcomeState))
def test_a_step_on_the_way_ends_nothing(state: OutcomeState) -> None:
    assert Actions().hear("pcs1", said(state)) == (state if state in ENDS else None)


@pytest.mark.parametrize("cause", sorted(BY_OTHERS))
def test_what_an_interlock_or_a_person_ended_has_an_alarm_of_its_own(cause: Cause) -> None:
    assert Actions().hear("pcs1", said("not_obeyed", Action.START, cause)) is None


@pytest.mark.parametrize(
    ("action", "state", "over"),
    [
        (Action.STOP, "off", True),
        (Action.STOP, "standby", True),
        (Action.STOP, "stopping", False),
        (Action.STOP, "running", False),
        (Action.STOP, "fault", False),
        (Action.START, "running", True),
        (Action.START, "off", False),
        (Action.RESET, "running", False),
    ],
)
def test_it_is_over_where_the_device_was_told_to_go(action: Action, state: str, over: bool) -> None:
    actions = Actions()
    actions.hear("pcs1", said("not_obeyed", action))
    assert actions.see("pcs1", seen(state, historical=True)) is None
    assert actions.see("pcs1", seen(state, quality={"state": Quality.FROZEN})) is None
    assert actions.see("pcs2", seen(state)) is None
    assert (actions.see("pcs1", seen(state)) is OutcomeState.VERIFIED) == over
    assert actions.see("pcs1", seen(state)) is None, "once"
