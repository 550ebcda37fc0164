"""Forecasts: yesterday's habits, today's weather, never less than nothing."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.forecast.simple import Past, load_ahead, pv_ahead
from optimizer.outlook import step_starts

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
THURSDAY = datetime(2026, 6, 11, 10, tzinfo=UTC)


def past(days: int, now: datetime = THURSDAY, *, at_work: float = 100e3, at_home: float = 20e3) -> Past:
    """So much from 8 to 18 h on workdays, so little else."""
    found = []
    for number in range(days * 96, 0, -1):
        at = now - number * QUARTER
        local = at.astimezone(BERLIN)
        busy = local.weekday() < 5 and 8 <= local.hour < 18
        found.append((at, at_work if busy else at_home))
    return found


def sunny(days: int, peaks: list[float], now: datetime = THURSDAY) -> Past:
    """A triangle from 4 to 20 h UTC, each day with a peak of its own, the last one today."""
    found = []
    for number in range(days * 96, 0, -1):
        at = now - number * QUARTER
        height = max(0.0, 1 - abs(at.hour + at.minute / 60 - 12) / 8)
        found.append((at, height * peaks[max((at.date() - now.date()).days - 1, -len(peaks))]))
    return found


def hours(values: list[float]) -> list[float]:
    return values[::4]


def test_workdays_and_weekends_differ() -> None:
    friday_evening = THURSDAY + timedelta(days=1, hours=10)
    ahead = load_ahead(past(14, friday_evening), None, step_starts(friday_evening, 72), BERLIN)
    by_hour = hours(list(ahead))
    assert set(by_hour[:58]) == {20e3}  # to Monday 8 h
    assert set(by_hour[58:68]) == {100e3}


def test_the_present_fades_out_over_two_hours() -> None:
    ahead = load_ahead(past(14), 140e3, step_starts(THURSDAY, 4), BERLIN)
    assert list(hours(list(ahead))) == [pytest.approx(w) for w in (140e3, 120e3, 100e3, 100e3)]


def test_without_a_past_the_present_persists() -> None:
    assert set(load_ahead([], 33e3, step_starts(THURSDAY, 36), BERLIN)) == {33e3}


def test_a_weekend_never_seen_is_like_a_workday() -> None:
    ahead = load_ahead(past(2), None, step_starts(THURSDAY, 72), BERLIN)
    assert ahead[4 * 48] == 100e3  # Saturday noon


def test_load_keeps_the_local_clock_through_a_dst_night() -> None:
    friday = datetime(2026, 10, 23, 21, tzinfo=UTC)  # the clock goes back on Sunday
    ahead = load_ahead(past(14, friday), None, (starts := step_starts(friday, 72)), BERLIN)
    busy = [at.astimezone(BERLIN) for at, load in zip(starts, ahead, strict=True) if load == 100e3]
    assert {(at.weekday(), at.hour) for at in busy} == {(0, hour) for hour in range(8, 18)}


def test_pv_keeps_the_sun_s_clock() -> None:
    ahead = pv_ahead(sunny(6, [80e3] * 6), None, step_starts(THURSDAY, 24), 100e3)
    assert max(ahead) == ahead[8] == pytest.approx(80e3)  # 12 h UTC


def test_a_cloudy_hour_dims_the_next_and_not_tomorrow() -> None:
    cloudy = sunny(6, [80e3] * 5 + [20e3])
    ahead = pv_ahead(cloudy, None, step_starts(THURSDAY, 30), 100e3)
    clear = pv_ahead(sunny(6, [80e3] * 6), None, step_starts(THURSDAY, 30), 100e3)
    assert ahead[0] == pytest.approx(0.25 * clear[0], rel=0.1)
    assert ahead[4 * 24] == pytest.approx(clear[4 * 24], rel=0.3)


def test_a_night_scales_nothing() -> None:
    midnight = THURSDAY.replace(hour=0)
    ahead = pv_ahead(sunny(6, [80e3] * 6, midnight), 500.0, step_starts(midnight, 24), 100e3)
    assert ahead[4 * 12] == pytest.approx(80e3)


def test_pv_without_a_past_does_not_shine_through_the_night() -> None:
    ahead = pv_ahead([], 60e3, step_starts(THURSDAY, 36), 100e3)
    assert ahead[0] == 60e3
    assert set(ahead[8:]) == {0.0}


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=200),
    st.none() | st.floats(-1e6, 1e6),
    st.integers(0, 3600),
)
def test_forecasts_are_never_negative_nor_more_than_the_panels_can(
    values: list[float], present: float | None, second: int
) -> None:
    now = THURSDAY + timedelta(seconds=second)
    seen = [(THURSDAY - (len(values) - number) * QUARTER, value) for number, value in enumerate(values)]
    starts = step_starts(now, 36)
    load, pv = load_ahead(seen, present, starts, BERLIN), pv_ahead(seen, present, starts, 100e3)
    assert load.min() >= 0
    assert 0 <= pv.min() <= pv.max() <= 100e3
    assert len(load) == len(pv) == len(starts)
