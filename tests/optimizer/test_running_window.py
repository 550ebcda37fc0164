"""The running billing window, from readings that may be missing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.running_window import RunningWindow
from schemas.tariff import Demand
from tests.optimizer.outlooks import BERLIN

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def fed(readings: list[tuple[float, float]], start: datetime = NOON) -> RunningWindow:
    billing = RunningWindow(BERLIN, Demand(price=1.0))
    for second, power in readings:
        billing = billing.fold(start + timedelta(seconds=second), power)
    return billing


def steady(power: float, first: int, last: int) -> list[tuple[float, float]]:
    return [(float(second), power) for second in range(first, last, 10)]


@pytest.mark.parametrize(
    ("readings", "second", "energy"),
    [
        ([], 60, 0.0),
        (steady(120e3, 0, 301), 300, 10e3),
        (steady(-50e3, 0, 301), 300, 0.0),
        (steady(120e3, 300, 601), 600, 20e3),
        (steady(120e3, -900, 0), 300, 10e3),
        ([*steady(120e3, 0, 61), *steady(120e3, 541, 601)], 600, 20e3),
    ],
    ids=[
        "nothing was heard",
        "what was imported counts",
        "export is not billed",
        "begun late: the rest was like that",
        "a window not heard of yet goes on as the last one ended",
        "a silence is filled with the mean",
    ],
)
def test_what_was_imported_so_far(readings: list[tuple[float, float]], second: float, energy: float) -> None:
    assert fed(readings).imported(NOON + timedelta(seconds=second)) == pytest.approx(energy, rel=0.02)


def test_a_closed_window_makes_the_month_s_peak() -> None:
    assert fed(steady(80e3, 0, 911)).peak == pytest.approx(80e3, rel=1e-6)
    assert fed([*steady(80e3, 0, 900), *steady(20e3, 900, 1811)]).peak == pytest.approx(80e3, rel=1e-6)


def test_a_window_half_seen_makes_none() -> None:
    assert fed(steady(80e3, 450, 911)).peak == 0


def test_a_new_month_has_no_peak_yet() -> None:
    end_of_june = datetime(2026, 6, 30, 21, 30, tzinfo=UTC)
    assert fed(steady(80e3, 0, 1790), end_of_june).peak == pytest.approx(80e3, rel=1e-6)
    assert fed(steady(80e3, 0, 1811), end_of_june).peak == 0


def test_a_silence_of_days_is_got_over() -> None:
    found = fed([(0.0, 80e3), (40 * 86400.0, 10e3), (40 * 86400.0 + 10, 10e3)])
    assert (found.peak, found.seen) == (0.0, 10.0)


@pytest.mark.parametrize("ahead", [86_400.0, 3600.0, 120.0])
def test_a_clock_that_is_set_back_costs_a_window_and_not_the_time_it_was_ahead(ahead: float) -> None:
    before = steady(80e3, 0, 911)
    found = fed([*before, *steady(50e3, 911 + int(ahead), 1000 + int(ahead)), *steady(20e3, 1000, 2000)])
    assert found.at == NOON + timedelta(seconds=1990)
    assert found.imported(NOON + timedelta(seconds=1990)) == pytest.approx(20e3 * 190 / 3600, rel=0.05)
    if ahead < 3601:
        assert found.peak == pytest.approx(80e3, rel=1e-6), "the month's peak so far stays"


def test_a_reading_that_is_a_little_older_changes_nothing() -> None:
    found = fed(steady(80e3, 0, 300))
    assert found.fold(NOON + timedelta(seconds=250), 1e6) == found


@pytest.mark.parametrize(
    ("power", "second", "room"),
    [(60e3, 450, 140e3), (100e3, 600, 100e3), (150e3, 600, 0.0), (0.0, 810, 1e6)],
    ids=["half used", "as planned", "lost", "much room in the last tenth"],
)
def test_the_room_that_is_left(power: float, second: int, room: float) -> None:
    now = NOON + timedelta(seconds=second)
    assert fed(steady(power, 0, second + 1)).room(now, 100e3) == pytest.approx(room, rel=0.01)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(-1e5, 1e5)), min_size=1, max_size=80))
def test_the_mean_of_a_window_is_never_above_its_highest_reading(gaps: list[tuple[float, float]]) -> None:
    second, readings = 0.0, []
    for gap, power in gaps:
        second += gap
        readings.append((second, power))
    found = fed(readings)
    most = max(0.0, *(power for _, power in readings)) if readings else 0.0
    now = NOON + timedelta(seconds=second)
    assert 0 <= found.imported(now) <= most * 900 / 3600 + 1e-6
    assert found.peak <= most + 1e-6
