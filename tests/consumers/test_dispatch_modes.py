"""Who may steer, as stories."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.modes import NEXT, Control, ask, begin, expire
from schemas.messages import ControlMode, ControlRequest, Mode

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def wish(second: float, mode: str, who: str = "anna", **more: Any) -> ControlRequest:
    if mode == "manual":
        more = {"power": 10e3, "until": at(second + 600), **more}
    return ControlRequest.model_validate({"at": at(second), "mode": Mode(mode), "who": who, **more})


def told(*wishes: ControlRequest) -> Control:
    """Each is heard when it is made."""
    control = begin(NOON)
    for one in wishes:
        control = ask(expire(control, one.at), one, one.at)
    return control


@pytest.mark.parametrize(
    ("wishes", "mode", "who", "refusal"),
    [
        ([], "auto", "dispatch", ""),
        ([wish(1, "manual")], "manual", "anna", ""),
        ([wish(1, "manual"), wish(2, "manual", power=20e3)], "manual", "anna", ""),
        ([wish(1, "manual"), wish(2, "auto")], "auto", "anna", ""),
        ([wish(1, "manual"), wish(2, "auto", "scada")], "manual", "anna", "manual is held by anna until 10:10Z"),
        ([wish(1, "manual"), wish(2, "manual", "scada")], "manual", "anna", "held by anna"),
        ([wish(1, "manual"), wish(700, "manual", "scada")], "manual", "scada", ""),
        ([wish(1, "manual"), wish(2, "lockout", "scada")], "lockout", "scada", ""),
        ([wish(1, "local")], "local", "anna", ""),
        (
            [wish(1, "local"), wish(2, "manual")],
            "local",
            "anna",
            "local goes to auto or local or lockout, not to manual",
        ),
        ([wish(1, "lockout"), wish(2, "manual")], "lockout", "anna", "lockout goes to auto or lockout"),
        ([wish(1, "lockout"), wish(2, "local")], "lockout", "anna", "not to local"),
        ([wish(1, "lockout"), wish(2, "auto", "  ")], "lockout", "anna", "does not say who asks"),
        ([wish(1, "lockout"), wish(2, "auto", "ben")], "auto", "ben", ""),
        ([wish(1, "lockout", until=at(60)), wish(1e6, "local")], "lockout", "anna", "not to local"),
        ([wish(5, "manual"), wish(5, "auto")], "manual", "anna", "an equal or later request"),
        ([wish(1, "manual", until=at(0))], "auto", "dispatch", "the lease has ended already"),
        ([wish(1, "manual", until=at(100_000))], "auto", "dispatch", "a lease lasts at most 24 h"),
    ],
)
def test_a_story(wishes: list[ControlRequest], mode: str, who: str, refusal: str) -> None:
    control = told(*wishes)
    assert (control.mode.mode, control.mode.who) == (mode, who)
    assert refusal in control.refusal
    assert bool(refusal) == bool(control.refusal)


@pytest.mark.parametrize(
    ("heard", "retained", "refusal"),
    [(1, True, "retained"), (40, False, "40 s old"), (-10, False, "10 s ahead: check the clock")],
)
def test_a_request_out_of_time_is_refused(heard: float, retained: bool, refusal: str) -> None:
    control = ask(begin(at(-100)), wish(0, "lockout"), at(heard), retained=retained)
    assert control.mode.mode is Mode.AUTO
    assert refusal in control.refusal


def test_a_lease_ends_by_itself_and_a_lockout_does_not() -> None:
    manual, lockout = told(wish(1, "manual")), told(wish(1, "lockout"))
    assert expire(manual, at(600)).mode.mode is Mode.MANUAL
    ended = expire(manual, at(601)).mode
    assert (ended.mode, ended.why, ended.power) == (Mode.AUTO, "the lease of anna ended", None)
    assert expire(lockout, at(1e7)).mode.mode is Mode.LOCKOUT


def test_what_the_broker_kept_goes_on() -> None:
    kept = ControlMode(at=NOON, mode=Mode.LOCKOUT, who="anna", why="smoke")
    control = begin(at(3600), kept)
    assert control.mode == kept
    assert ask(control, wish(-1, "auto"), at(2)).mode.mode is Mode.LOCKOUT  # made before it, heard again


@given(st.lists(st.tuples(st.sampled_from(list(Mode)), st.sampled_from(["anna", "ben"]), st.floats(0.1, 2000))))
def test_lockout_ends_only_by_a_request_for_auto(story: list[tuple[Mode, str, float]]) -> None:
    control, second = begin(NOON), 0.0
    for mode, who, gap in story:
        second += gap
        before = expire(control, at(second))
        control = ask(before, wish(second, mode.value, who), at(second))
        if before.mode.mode is Mode.LOCKOUT:
            assert control.mode.mode is (Mode.AUTO if mode is Mode.AUTO else Mode.LOCKOUT)
        assert control.mode.mode in NEXT[before.mode.mode]
        if control.mode.mode is Mode.MANUAL:
            assert control.mode.until is not None
