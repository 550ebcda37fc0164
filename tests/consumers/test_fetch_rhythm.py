"""When market prices are fetched, as a table."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.optimize.fetch_rhythm import HOPELESS, MARKET, SPREAD, START, due, pause

NOW = datetime(2026, 10, 25, 13, tzinfo=UTC)
LOCAL = [
    # (now, until when prices are known, failures, chance, asked, seconds until the next try)
    ("2026-06-10T12:00", None, 0, 0.5, 0, START / 2),
    ("2026-06-10T12:00", "2026-06-11T00:00", 3, 0.0, 0, 3601),
    ("2026-06-10T13:00", "2026-06-12T00:00", 0, 1.0, 0, 86401 + SPREAD),
    ("2026-06-10T13:00", "2026-06-11T00:00", 0, 0.0, 0, 0),
    ("2026-06-10T13:05", "2026-06-11T00:00", 1, 0.5, 0, 300),
    ("2026-06-10T14:05", "2026-06-11T00:00", 9, 0.5, 0, 3600),
    ("2026-06-10T14:05", "2026-06-11T00:00", 1, 0.5, 1200, 1200),
    ("2026-06-10T14:05", "2026-06-11T00:00", 1, 0.5, 9e9, HOPELESS),
    ("2026-10-24T14:00", "2026-10-26T00:00", 0, 0.0, 0, 24 * 3600 + 1),  # to 13:00 of the day of 25 hours
]


@pytest.mark.parametrize(("now", "known", "failures", "chance", "asked", "seconds"), LOCAL)
def test_the_rhythm_is_polite(*, now: str, known: str | None, failures: int, chance: float, asked: float, seconds: float) -> None:  # noqa: E501  # fmt: skip
    local, until = (None if one is None else datetime.fromisoformat(one).replace(tzinfo=MARKET).astimezone(UTC)
                    for one in (now, known))  # fmt: skip
    assert local is not None
    assert pause(local, until, failures, chance, asked) == pytest.approx(seconds)


@given(st.integers(0, 700 * 24 * 60), st.integers(0, 50), st.floats(0, 1))
def test_a_day_without_an_answer_is_some_dozen_questions(minutes: int, failures: int, chance: float) -> None:
    now = NOW + timedelta(minutes=minutes)
    asked, end = 0, now + timedelta(days=1)
    while now < end:
        now += timedelta(seconds=pause(now, None, failures + asked, chance))
        asked += 1
    assert asked <= 41
    assert due(now) > now
