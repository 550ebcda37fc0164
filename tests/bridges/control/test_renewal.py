"""A setpoint is renewed before its device takes it back, within its budget of writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.renewal import LATE, Renewal
from bridges.control.write_budget import DAY
from bridges.fieldbus.contract import Writable

RAM = Writable("p_limit_pct", 0, 100, 100.0)
FLASH = Writable("p_limit_pct", 0, 100, 100.0, interval=300.0, per_day=50, wears=True)


@pytest.mark.parametrize(
    ("allowed", "reverts", "every", "told"),
    [
        (RAM, None, None, ""),
        (RAM, 3600.0, 1200.0, ""),
        (RAM, 8.0, 8 / 3, ""),
        (FLASH, 7200.0, DAY / 25, ""),
        (FLASH, 4000.0, None, "50 times a day"),
        (FLASH, 60.0, None, "50 times a day"),
        (Writable("p", 0, 1, 0, interval=30.0), 20.0, None, "each 30 s"),
    ],
)
def test_when_it_is_renewed(allowed: Writable, reverts: float | None, every: float | None, told: str) -> None:
    one = Renewal(allowed)
    one.says(reverts, 0.0)
    assert one.every is every if every is None else one.every == pytest.approx(every)
    assert told in one.trouble
    assert bool(one.trouble) == bool(told)


@given(st.floats(0.1, 1e6), st.integers(1, 100_000), st.floats(0, 1e4), st.booleans())
def test_it_is_in_time_and_within_its_budget_or_told(
    reverts: float, per_day: int, interval: float, wears: bool
) -> None:
    one = Renewal(Writable("p", 0, 1, 0, interval=interval, per_day=per_day, wears=wears))
    one.says(reverts, 0.0)
    assert (one.every is None) == bool(one.trouble)
    if one.every is not None:
        assert interval <= one.every <= reverts * LATE
        assert not wears or DAY / one.every <= per_day / 2


def test_a_time_that_nobody_tells_is_learned() -> None:
    one = Renewal(RAM)
    assert not one.fell(100.0, 101.0, seen_each=1.0)
    assert one.learned is None, "a second is no timer"
    assert not one.fell(100.0, 109.0, seen_each=1.0)
    assert one.reverts == 8.0
    assert not one.fell(200.0, 203.0, seen_each=30.0)
    assert one.reverts == 1.0, "a slow poll sees it late"
    one.forget()
    assert one.look_due(0.0)
    assert not one.fell(0.0, 1.0, seen_each=1.0)


def test_what_falls_long_before_its_timer_was_somebody() -> None:
    one = Renewal(RAM)
    one.says(3600.0, 0.0)
    assert one.fell(0.0, 100.0, seen_each=1.0)
    assert not one.fell(0.0, 3000.0, seen_each=1.0), "its timer may be a little quick"
