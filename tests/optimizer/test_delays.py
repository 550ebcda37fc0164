"""How late a meter is, told from its readings beside those of the battery."""

from random import Random

import pytest

from optimizer.delays import MeterDelay

RATED = 100_000.0


def readings(delay: float, step_at: float, seed: int, ends: float = 20.0) -> MeterDelay:
    """A battery that goes from 0 to 70 kW once, beside a still load; both read each 0.5 s, each with its noise."""
    found, random = MeterDelay(RATED), Random(seed)
    for tick in range(int(ends * 2)):
        at = tick / 2
        found.battery(at, 70e3 * (at >= step_at) + random.gauss(0.0, 150.0))
        found.meter(at + 0.1, 30e3 - 70e3 * (at + 0.1 - delay >= step_at) + random.gauss(0.0, 100.0))
    return found


@pytest.mark.parametrize("delay", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_that_the_meter_shows_tells_its_delay(delay: float, seed: int) -> None:
    fit = readings(delay, step_at=10.0, seed=seed).fit()
    assert fit is not None
    assert fit.clear
    assert fit.alone
    assert fit.delay == pytest.approx(delay, abs=0.6)


@pytest.mark.parametrize("seed", range(20))
def test_a_step_from_before_the_meter_is_compared_tells_nothing(seed: int) -> None:
    """Noise chose any delay up to 5 s, and the limit was broken by so much more of each ramp of the load."""
    assert readings(0.0, step_at=0.5, seed=seed).fit() is None
