"""Who may steer, as stories. Two clocks: the wall's, and the monotonic one on which leases run."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.modes import NEXT, Control, ask, begin, expire, lock
from consumers.dispatch.requests import Refusal
from schemas.messages import Cause, ControlRequest, Mode

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def wish(second: float, mode: str, who: str = "anna", **more: Any) -> ControlRequest:
    if mode == "manual":
        more = {"power": 10e3, "until": at(second + 600), **more}
    return ControlRequest.model_validate({"at": at(second), "mode": Mode(mode), "who": who, **more})


def told(*wishes: ControlRequest) -> tuple[Control, Refusal | None]:
    """Each is heard when it is made; gives the mode, and what the last one was refused for."""
    control, refusal = begin(NOON), None
    for one in wishes:
        mono = (one.at - NOON).total_seconds()
        control = expire(control, one.at, mono)
        answer = ask(control, one, one.at, mono)
        control, refusal = (control, answer) if isinstance(answer, Refusal) else (answer, None)
    return control, refusal


@pytest.mark.parametrize(
    ("wishes", "mode", "who", "cause", "words"),
    [
        ([], "auto", "dispatch", None, ""),
        ([wish(1, "manual")], "manual", "anna", None, ""),
        ([wish(1, "manual"), wish(2, "manual", power=20e3)], "manual", "anna", None, ""),
        ([wish(1, "manual"), wish(2, "auto")], "auto", "anna", None, ""),
        (
            [wish(1, "manual"), wish(2, "auto", "scada")],
            "manual",
            "anna",
            Cause.AUTHORITY,
            "manual is held by anna until 10:10Z",
        ),
        ([wish(1, "manual"), wish(2, "manual", "scada")], "manual", "anna", Cause.AUTHORITY, "held by anna"),
        ([wish(1, "manual"), wish(700, "manual", "scada")], "manual", "scada", None, ""),
        ([wish(1, "manual"), wish(2, "lockout", "scada")], "lockout", "scada", None, ""),
        ([wish(1, "local")], "local", "anna", None, ""),
        (
            [wish(1, "local"), wish(2, "manual")],
            "local",
            "anna",
            Cause.WRONG_STATE,
            "local goes to auto or local or lockout, not to manual",
        ),
        (
            [wish(1, "lockout"), wish(2, "manual")],
            "lockout",
            "anna",
            Cause.WRONG_STATE,
            "lockout goes to auto or lockout",
        ),
        ([wish(1, "lockout"), wish(2, "local")], "lockout", "anna", Cause.WRONG_STATE, "not to local"),
        ([wish(1, "lockout"), wish(2, "auto", "  ")], "lockout", "anna", Cause.INVALID, "does not say who asks"),
        ([wish(1, "lockout"), wish(2, "auto", "ben")], "auto", "ben", None, ""),
        ([wish(1, "lockout", until=at(60)), wish(1e6, "local")], "lockout", "anna", Cause.WRONG_STATE, "not to local"),
        ([wish(1, "lockout", "  ")], "lockout", "somebody", None, ""),
        ([wish(1, "lockout", until=at(-60))], "lockout", "anna", None, ""),
        ([wish(1, "manual", until=at(1))], "auto", "dispatch", Cause.EXPIRED, "the lease has ended already"),
        ([wish(1, "manual", until=at(90_000))], "auto", "dispatch", Cause.TOO_LONG, "at most 24 h"),
        ([wish(1, "auto", until=datetime(2198, 12, 31, tzinfo=UTC))], "auto", "dispatch", Cause.TOO_LONG, "at most"),
    ],
)
def test_a_story(wishes: list[ControlRequest], mode: str, who: str, cause: Cause | None, words: str) -> None:
    control, refusal = told(*wishes)
    assert (control.mode.mode, control.mode.who) == (mode, who)
    assert (refusal.cause if refusal else None) == cause
    assert words in (refusal.reason if refusal else "")


@pytest.mark.parametrize("held", list(Mode))
def test_every_pair_of_modes_is_decided(held: Mode) -> None:
    assert NEXT.keys() == set(Mode)
    assert Mode.LOCKOUT in NEXT[held], "from everywhere"


@pytest.mark.parametrize(
    ("ahead_of_us", "seconds"),
    [(0, 20.0), (25, 20.0), (86_400, 20.0), (-5, 15.0), (-19.5, 0.5)],
    ids=["one clock", "the asker's is ahead", "by a day", "it is behind", "far behind"],
)
def test_no_lease_is_longer_than_it_was_given(ahead_of_us: float, seconds: float) -> None:
    """20 s are asked for, by a clock that is not ours."""
    request = wish(ahead_of_us, "manual", until=at(ahead_of_us + 20))
    control = ask(begin(NOON), request, NOON, 1000.0)
    assert isinstance(control, Control)
    assert control.ends == pytest.approx(1000.0 + seconds)
    assert control.mode.until == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("step", [0, 86_400, -86_400, 1e9, -1e9])
def test_a_lease_ends_in_its_time_whatever_the_wall_clock_does(step: float) -> None:
    manual, _ = told(wish(1, "manual", until=at(21)))
    assert expire(manual, at(20 + step), 20.9).mode.mode is Mode.MANUAL
    ended = expire(manual, at(21 + step), 21.0).mode
    assert (ended.mode, ended.why, ended.power) == (Mode.AUTO, "the lease of anna ended", None)


def test_a_lockout_does_not_end_by_itself() -> None:
    assert expire(told(wish(1, "lockout"))[0], at(1e7), 1e7).mode.mode is Mode.LOCKOUT


def test_what_a_lockout_was_for_stays_known_when_a_person_locks_out_too() -> None:
    control = lock(begin(NOON), Cause.METER_POLARITY, "meter_polarity: the meter counts backwards", at(1))
    again = ask(control, wish(2, "lockout", "ben"), at(2), 2.0)
    assert isinstance(again, Control)
    assert (again.mode.cause, again.mode.who) == (Cause.METER_POLARITY, "ben")


@given(st.lists(st.tuples(st.sampled_from(list(Mode)), st.sampled_from(["anna", "ben"]), st.floats(0.1, 2000))))
def test_lockout_ends_only_by_a_request_for_auto(story: list[tuple[Mode, str, float]]) -> None:
    control, second = begin(NOON), 0.0
    for mode, who, gap in story:
        second += gap
        before = expire(control, at(second), second)
        answer = ask(before, wish(second, mode.value, who), at(second), second)
        control = before if isinstance(answer, Refusal) else answer
        if before.mode.mode is Mode.LOCKOUT:
            assert control.mode.mode is (Mode.AUTO if mode is Mode.AUTO else Mode.LOCKOUT)
        if mode is Mode.LOCKOUT:
            assert control.mode.mode is Mode.LOCKOUT
        assert control.mode.mode in NEXT[before.mode.mode]
        assert (control.ends is not None) == (control.mode.until is not None)
        if control.mode.mode is Mode.MANUAL:
            assert control.ends is not None


def test_the_table_has_every_mode() -> None:
    assert {one for pair in product(Mode, Mode) for one in pair} == NEXT.keys()
