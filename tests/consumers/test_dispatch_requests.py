"""Which requests are in time, whosever clock they were made by."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.requests import Requests
from schemas.messages import Cause, ControlRequest, Mode

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
DAY = 86_400.0
AHEAD, OLD = datetime(2199, 12, 31, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)


def wish(second: float, mode: str = "auto", who: str = "anna", **more: Any) -> ControlRequest:
    made = {"at": NOON + timedelta(seconds=second), "mode": Mode(mode), "who": who, **more}
    return ControlRequest.model_validate(made)


class Door:
    """Follows every request that is in time. `step`: by how much our own wall clock was set."""

    def __init__(self) -> None:
        self.requests, self.step = Requests(), 0.0

    def hear(self, heard: float, request: ControlRequest, *, retained: bool = False) -> Cause | None:
        now = NOON + timedelta(seconds=heard + self.step)
        no = self.requests.untimely(request, now, heard, retained=retained)
        if no is None:
            self.requests.follow(request, now, heard)
        return no.cause if no else None


@pytest.mark.parametrize(
    ("story", "causes"),
    [
        ([(1, wish(0))], [None]),
        ([(31, wish(0))], [Cause.EXPIRED]),
        ([(0, wish(31))], [Cause.CLOCK_SKEW]),
        ([(0, wish(29))], [None]),
        ([(1, wish(0)), (2, wish(0))], [None, Cause.DUPLICATE]),
        ([(1, wish(0, id="a")), (2, wish(1, id="a"))], [None, Cause.DUPLICATE]),
        ([(1, wish(0, id="a")), (2, wish(0, id="b"))], [None, None]),
        ([(2, wish(1)), (3, wish(0))], [None, Cause.OUT_OF_ORDER]),
        ([(2, wish(1)), (3, wish(0, who="ben"))], [None, None]),
        ([(0, wish(29)), (2, wish(1))], [None, None]),
        ([(0, wish(29)), (2, wish(1, who="ben"))], [None, None]),
        ([(0, wish(DAY)), (2, wish(1))], [Cause.CLOCK_SKEW, None]),
        ([(5, wish(5, "lockout", "ben")), (6, wish(4))], [None, Cause.OUT_OF_ORDER]),
        ([(5, wish(5, "lockout", "ben")), (7, wish(6))], [None, None]),
        ([(5, wish(DAY, "lockout", "ben")), (7, wish(6, who="ben"))], [None, None]),
        ([(5, wish(-DAY, "lockout")), (7, wish(6))], [None, None]),
    ],
    ids=[
        "in time",
        "too old",
        "from ahead",
        "a clock that is a little ahead",
        "the same again",
        "the same id with other words",
        "two at one moment",
        "overtaken by his own",
        "overtaken by another's",
        "a clock that was ahead and is right again",
        "somebody else's clock was ahead",
        "a refused one blocks nobody",
        "who did not know of the lockout does not end it",
        "who did may",
        "a lockout from ahead shuts its own sender out of nothing",
        "nor does one that is old",
    ],
)
def test_a_story(story: list[tuple[float, ControlRequest]], causes: list[Cause | None]) -> None:
    door = Door()
    assert [door.hear(heard, request) for heard, request in story] == causes


@pytest.mark.parametrize("when", [0.0, 3600.0, -3600.0, DAY, -DAY])
@pytest.mark.parametrize("before", [0.0, 20.0, 29.0])
def test_a_lockout_is_taken_from_anybody_at_any_time(when: float, before: float) -> None:
    """Also the same one again, and one after a request of somebody whose clock is ahead."""
    door = Door()
    door.hear(0, wish(before, "auto", "ben"))
    door.hear(0.5, wish(before, "auto", "anna"))
    lockout = wish(when, "lockout", id="x")
    assert [door.hear(second, lockout) for second in (1, 2, 500)] == [None] * 3
    assert door.hear(501, wish(when - 10, "lockout", "ben")) is None


def test_but_none_out_of_the_brokers_store() -> None:
    door = Door()
    assert door.hear(1, wish(0, "lockout"), retained=True) is Cause.RETAINED
    assert door.hear(1, wish(0), retained=True) is Cause.RETAINED


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_all_clocks_are_set_and_set_back_and_nobody_is_shut_out(step: float) -> None:
    door = Door()
    assert door.hear(1, wish(1, id="1")) is None
    door.step = step
    assert door.hear(10, wish(10 + step, id="2")) is None
    door.step = 0
    assert door.hear(11, wish(11, id="3")) is None
    assert door.hear(12, wish(12, "lockout", id="4")) is None
    door.step = -step
    assert door.hear(13, wish(13 - step, id="5")) is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 20),
            st.sampled_from(["anna", "ben"]),
            st.sampled_from([Mode.AUTO, Mode.LOCAL, Mode.LOCKOUT]),
            st.datetimes(OLD.replace(tzinfo=None), AHEAD.replace(tzinfo=None), timezones=st.just(UTC)) | st.none(),
        ),
        max_size=20,
    )
)
def test_whatever_was_asked_before_a_request_of_now_is_followed_half_a_minute_later(
    story: list[tuple[float, str, Mode, datetime | None]],
) -> None:
    door, second = Door(), 0.0
    for gap, who, mode, made in story:
        second += gap
        moment = made or NOON + timedelta(seconds=second)
        cause = door.hear(second, ControlRequest(at=moment, mode=mode, who=who))
        assert cause is None or mode is not Mode.LOCKOUT
    assert door.hear(second + 31, wish(second + 31)) is None
    assert door.hear(second + 31, wish(second + 31, who="ben")) is None
