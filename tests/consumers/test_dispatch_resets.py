"""One automatic reset a minute after a trip; the second trip waits for a person, who is named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import ask, begin
from consumers.dispatch.resets import Advice, Resets
from schemas.messages import Action, Authority, ControlRequest, Mode, Telemetry
from tests.consumers.test_dispatch_desk import plant_site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
WAIT, RESET, LOCK, FINE = Advice.WAIT, Advice.RESET, Advice.LOCK, Advice.FINE


@pytest.mark.parametrize(
    ("story", "ends"),
    [
        ([(0, "running"), (1, "fault"), (59, "fault")], WAIT),
        ([(0, "fault"), (60, "fault")], RESET),
        ([(0, "fault"), (60, "fault"), (100, "fault")], WAIT),
        ([(0, "fault"), (60, "fault"), (121, "fault")], LOCK),
        ([(0, "fault"), (60, "fault"), (62, "running"), (500, "fault"), (561, "fault")], LOCK),
        ([(0, "fault"), (60, "fault"), (62, "running"), (4000, "fault"), (4061, "fault")], RESET),
        ([(0, "fault"), (30, "off"), (40, "fault"), (70, "fault")], WAIT),
        ([(0, "fault"), (60, "fault"), (62, "off")], FINE),
    ],
    ids=["a minute", "then once", "it takes time", "in vain", "trips again", "much later", "a new trip", "it helped"],
)
def test_a_story(story: list[tuple[float, str]], ends: Advice) -> None:
    resets = Resets()
    assert [resets.advise(state, second) for second, state in story][-1] is ends


def _sees(desk: Desk, state: str, mono: float) -> None:
    at = NOON + timedelta(seconds=mono)
    sample = Telemetry(at=at, epoch="0" * 16, seq=1, values={"p": 0.0, "state": state})
    desk.fold.hear(desk.site.battery.pcs, sample, at, mono)


def _order(desk: Desk, state: str, mono: float) -> tuple[Action | None, Authority | None]:
    _sees(desk, state, mono)
    order = desk.order(NOON + timedelta(seconds=mono), mono)
    return (order.action, order.wanted.authority) if order else (None, None)


def test_the_second_trip_is_a_lockout_that_a_person_ends(tmp_path: Path) -> None:
    desk = Desk.of(plant_site(tmp_path))
    desk.control = begin(NOON)
    assert _order(desk, "fault", 1)[0] is None
    assert _order(desk, "fault", 62) == (Action.RESET, Authority.SELF_CONSUMPTION)
    _order(desk, "fault", 123)
    assert desk.control.mode.mode is Mode.LOCKOUT
    assert "tripped again" in desk.control.mode.why
    lockout = desk.control.mode
    for mono in range(124, 400, 20):
        assert _order(desk, "fault", mono) == (None, None), "it waits, for ever"
    now = NOON + timedelta(seconds=400)
    desk.control = ask(desk.control, ControlRequest(at=now, mode=Mode.AUTO, who="ada", why="fan changed"), now)
    desk.release(lockout)
    assert _order(desk, "fault", 401) == (Action.RESET, Authority.OPERATOR)
    assert desk.control.mode.who == "ada"
    assert _order(desk, "fault", 403)[0] is None, "once"


def test_a_meter_that_is_not_believed_is_a_lockout_too(tmp_path: Path) -> None:
    desk = Desk.of(plant_site(tmp_path))
    desk.control = begin(NOON)
    _order(desk, "running", 1)
    desk.distrust("meter_sign_suspect: meter: its sign is wrong", NOON)
    assert desk.control.mode.mode is Mode.LOCKOUT
    lockout, now = desk.control.mode, NOON + timedelta(seconds=5)
    desk.control = ask(desk.control, ControlRequest(at=now, mode=Mode.AUTO, who="ada", why="turned"), now)
    desk.release(lockout)
    assert _order(desk, "running", 6) == (Action.RESET, Authority.OPERATOR)


def test_any_other_lockout_ends_without_a_reset(tmp_path: Path) -> None:
    desk = Desk.of(plant_site(tmp_path))
    desk.control = begin(NOON)
    for mode, second in ((Mode.LOCKOUT, 1), (Mode.AUTO, 2)):
        now = NOON + timedelta(seconds=second)
        held = desk.control.mode
        desk.control = ask(desk.control, ControlRequest(at=now, mode=mode, who="ada"), now)
    desk.release(held)
    assert _order(desk, "running", 3)[0] is None
