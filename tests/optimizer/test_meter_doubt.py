"""A meter whose delay jumps: how far the mean of a billing window may be off by it."""

from math import sqrt

import pytest

from optimizer.meter_doubt import MeterDoubt


@pytest.mark.parametrize(
    ("delays", "jumps"),
    [
        ([None, None], False),
        ([5.0], False),
        ([5.0, 25.0], False),
        ([5.0, 8.0, 11.0, 16.0, 25.0, 24.0], False),
        ([9.0, 6.0, 9.0, 6.0], False),
        ([5.0, 25.0, 5.0], False),
        ([5.0, 25.0, 5.0, 25.0], True),
    ],
    ids=["unmeasured", "constant", "later for good", "bit by bit", "hardly", "back", "to and fro"],
)
def test_only_a_delay_that_goes_to_and_fro_is_doubted(delays: list[float | None], *, jumps: bool) -> None:
    """And then by the time that it jumps, and by what the meter moves."""
    one = MeterDoubt()
    for second in range(1200):
        one.see(second, 90e3 if second % 2 else 30e3, delays[second * len(delays) // 1200])
    assert one.jumps is jumps
    assert one.latest == (25.0 if jumps else 0.0)
    assert one.off(900) == pytest.approx(30e3 * sqrt(20 / 900) if jumps else 0.0, rel=0.01)
    for second in range(1200, 3600):
        one.see(second, 60e3, 5.0)
    assert not one.jumps, "half an hour later it is forgotten"
    assert one.off(900) == 0.0
