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
@pytest.mark.parametrize("rhythm", [0.0, 0.02])
def test_only_a_delay_that_goes_to_and_fro_is_doubted(
    delays: list[float | None], rhythm: float, *, jumps: bool
) -> None:
    """And then by the time that it jumps, and by what the meter moves; one that is late for good by what it shows too
    late. With the `rhythm` of the readings what is measured changes a little each time."""
    one = MeterDoubt()
    for second in range(1200):
        delay = delays[second * len(delays) // 1200]
        one.see(second, 90e3 if second % 2 else 30e3, None if delay is None else delay + rhythm * (second % 5))
    assert one.jumps is jumps
    assert one.latest == pytest.approx(25.0 if jumps else 0.0, abs=0.1)
    late = 0.0 if delays[-1] is None else delays[-1]
    off = 30e3 * sqrt(20 / 900) if jumps else 30e3 * sqrt(2) * late / 900
    assert one.off(900) == pytest.approx(off, rel=0.05)
    for second in range(1200, 5400):
        one.see(second, 60e3, 3.0)
    assert not one.jumps, "half an hour later it is forgotten"
    assert one.off(900) == 0.0
