"""A line that carries so many messages a second, told in steps: the newest never waits long behind the past."""

from collections import deque

import pytest

from bridges.telemetry.send_window import DELAY, LEAST, MOST, SendWindow

LINES = {  # round trip in s, messages in a second
    "beside the broker": (0.001, 5000),
    "a slow line": (0.6, 40),
    "a satellite": (1.4, 100),
    "a line that can do nothing": (0.6, 4),
}


@pytest.mark.parametrize(("trip", "rate"), LINES.values(), ids=LINES)
def test_the_newest_waits_no_longer_than_the_line_needs(trip: float, rate: int) -> None:
    pace = SendWindow()
    waits = [wait for at, wait in _told(pace, trip, rate) if at > 10]
    assert max(waits) <= max(DELAY + trip, LEAST / rate), "that it is late is known a round trip later"
    assert len(waits) / 20 >= 0.7 * min(rate, LEAST / 2 / trip, MOST / 2 / trip), "and the line is used"


def test_a_quick_line_is_given_all_there_may_be() -> None:
    pace = SendWindow()
    assert pace.past == LEAST // 2
    for _ in range(MOST):
        pace.confirmed(0.0, 0.001)
    assert (pace.room, pace.past) == (MOST, MOST // 2)


def test_a_burst_goes_out_at_once_unless_the_line_was_late() -> None:
    pace = SendWindow()
    assert pace.newest == MOST
    pace.confirmed(0.0, 0.1)
    pace.confirmed(0.0, 0.2 + DELAY)
    assert pace.newest == pace.room == LEAST


def test_one_late_round_trip_halves_it_once() -> None:
    pace = SendWindow(room=100, quickest=0.1)
    for _ in range(50):
        pace.confirmed(10.0, 11.0)
    assert pace.room == 50
    pace.confirmed(11.0, 12.0)
    assert pace.room == LEAST + 5


def _told(pace: SendWindow, trip: float, rate: int) -> list[tuple[float, float]]:
    """30 s of a bridge with an endless past: when each message came through, and how long it waited in line."""
    step, free, line, came = 1 / min(rate, 200), 0.0, deque[tuple[float, float]](), []
    for turn in range(int(30 / step)):
        now = turn * step
        while line and line[0][1] + trip <= now:
            sent, through = line.popleft()
            pace.confirmed(sent, now)
            came.append((through, through - sent))
        while len(line) < pace.past:
            free = max(free, now) + 1 / rate
            line.append((now, free))
    return came
