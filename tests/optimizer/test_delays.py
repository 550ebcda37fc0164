"""How late a meter is, told from its readings beside those of the battery."""

from collections.abc import Callable
from math import floor
from random import Random

import pytest

from optimizer.delays import DeadTime, MeterDelay

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


def test_the_first_step_of_all_tells_it() -> None:
    """It was waited for 8 s of readings before it: a meter that is 2 s late swung once more."""
    fit = readings(2.0, step_at=1.0, seed=1, ends=6.0).fit()
    assert fit is not None
    assert fit.alone
    assert fit.delay == pytest.approx(2.0, abs=0.6)


@pytest.mark.parametrize("seed", range(20))
def test_a_step_from_before_the_meter_is_compared_tells_nothing(seed: int) -> None:
    """Noise chose any delay up to 5 s, and the limit was broken by so much more of each ramp of the load."""
    assert readings(0.0, step_at=0.5, seed=seed, ends=46.0).fit() is None


def timed(told: Callable[[float], float], late: float, ends: float) -> float:
    """A battery that is told something each 0.5 s and does it `late` seconds later, read each 0.5 s in between."""
    found = DeadTime(RATED, 3.0)
    for tick in range(int(ends * 2)):
        at = tick / 2
        found.battery(at, told(floor((at - late - 0.1) * 2) / 2))
        found.told(at + 0.1, told(at))
    return found.value


@pytest.mark.parametrize("late", [0.0, 0.5, 2.0, 5.0])
def test_a_step_along_a_ramp_is_timed(late: float) -> None:
    """60 kW at 25 kW a cycle: the second step threw the first away, and 3 s were assumed for ever."""
    measured = timed(lambda at: min(60e3, max(0.0, (at - 9.5) * 50e3)), late, 30.0)
    assert late <= measured <= late + 1.0


def test_a_battery_that_is_on_its_way_is_not_timed() -> None:
    """It followed a slow ramp 5 s late: each new setpoint seemed to be followed at once."""
    assert timed(lambda at: min(60e3, max(0.0, at - 10) * 50e3) - max(0.0, at - 20) * 1.2e3, 5.0, 50.0) >= 5.0
