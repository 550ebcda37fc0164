"""Which plan holds: none from the future, none that was taken back, and none of them blocks the next one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.plans import Plans
from schemas.messages import Plan
from schemas.units import EARLIEST, LATEST

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
HOUR = 3600.0
CALENDAR_ENDS = [one.replace(tzinfo=None) for one in (EARLIEST, LATEST - timedelta(seconds=1))]
CALENDAR = st.datetimes(*CALENDAR_ENDS, timezones=st.just(UTC))


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def plan(name: str, made: datetime, until: datetime) -> Plan:
    return Plan(id=name, at=made, until=until, currency="EUR", steps=[], cost=0.0, cost_idle=0.0)


def of(name: str, made: float, lasts: float = HOUR) -> Plan:
    return plan(name, at(made), at(made + lasts))


@pytest.mark.parametrize(
    ("story", "asked", "holds"),
    [
        ([], 0, None),
        ([(0, of("a", 0))], 1, "a"),
        ([(0, of("a", 0))], HOUR, None),
        ([(0, of("a", 0)), (300, of("b", 300))], 301, "b"),
        ([(0, of("a", 0)), (300, of("b", 300)), (301, of("a", 0))], 302, "b"),
        ([(0, of("a", 0)), (10, None)], 11, None),
        ([(0, of("a", 86_400)), (10, None)], 86_401, None),
        ([(0, of("a", 4))], 1, "a"),
        ([(0, of("a", 86_400))], 1, None),
        ([(0, of("a", 0)), (5, of("b", 86_400)), (300, of("c", 300))], 301, "c"),
        ([(0, of("a", 0)), (5, of("b", 86_400))], 6, "a"),
        ([(0, of("a", 600))], 700, "a"),
        ([(0, of("a", 86_400, 86_400)), (5, of("b", 5))], 10, "b"),
        ([(86_400, of("a", 86_400, 86_400)), (5, of("b", 5))], 10, "b"),
        ([(86_400, of("a", 86_400, 86_400))], 10, None),
        ([(0, of("a", -7200)), (1, of("b", -60))], 2, "b"),
    ],
    ids=[
        "none",
        "one",
        "it ends",
        "the newest",
        "an older one heard again",
        "taken back",
        "taken back before its time",
        "a clock that is a little ahead",
        "one from tomorrow",
        "it blocks none after it",
        "nor the one before",
        "its time comes",
        "two at once",
        "all clocks were ahead by a day, and are right again",
        "and no other came",
        "one that had ended when it came",
    ],
)
def test_a_story(story: list[tuple[float, Plan | None]], asked: float, holds: str | None) -> None:
    plans = Plans()
    for heard, one in story:
        plans.hear(one, at(heard))
    found = plans.at(at(asked))
    assert (found.id if found else None) == holds


@given(st.lists(st.tuples(CALENDAR, CALENDAR), max_size=6), CALENDAR.filter(lambda now: now.year < 9999))
def test_whatever_was_heard_one_of_now_is_followed(strange: list[tuple[datetime, datetime]], now: datetime) -> None:
    """Also at both ends of the calendar."""
    plans = Plans()
    for made, until in strange:
        plans.hear(plan("strange", made, until), now)
        found = plans.at(now)
        assert found is None or now < found.until
    plans.hear(plan("good", now, now + timedelta(seconds=1)), now)
    found = plans.at(now)
    assert found is not None
    assert found.at >= now, "the good one, or one that is at most 5 s newer"
