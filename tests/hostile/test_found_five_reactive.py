"""What a hostile reader found in the reactive power, the fifth time: each names what is right."""

from datetime import UTC, datetime

import pytest

from consumers.dispatch.reactive_seen import ReactiveSeen
from optimizer.reactive import GridSeen, Inverter, factor_of, of_factor, reactive
from schemas.messages import Telemetry, Value
from schemas.site_file import load_site
from schemas.site_reactive import Reactive
from tests.bridges.conftest import DEMO

RATED, LOAD = 150e3, 20e3


def held(rule: Reactive, suns: list[float], draws: float, step: float) -> tuple[list[float], int]:
    """Each 2 s over 8 minutes, of which the last 4: var at the meter of a site with these PV inverters alone, whose
    registers know steps of a power factor; and how often they were written."""
    told, factors, seen, writes = [0.0] * len(suns), [1.0] * len(suns), list[float](), 0
    for turn in range(240):
        pairs = zip(factors, suns, strict=True)
        seen.append(draws - sum(0.0 if abs(factor) >= 1 else of_factor(factor, sun) for factor, sun in pairs))
        rated = RATED / len(suns)
        inverters = [Inverter(str(n), sun, rated, rated, told[n], by_factor=True) for n, sun in enumerate(suns)]
        told = [*reactive(rule, inverters, GridSeen(LOAD - sum(suns), seen[-1])).values()]
        wanted = [round(factor_of(var, sun) / step) * step for var, sun in zip(told, suns, strict=True)]
        writes += wanted != factors and turn >= 120
        factors = wanted
    return seen[120:], writes


@pytest.mark.parametrize("step", [0.01, 0.001])
@pytest.mark.parametrize("suns", [[60e3], [90e3], [120e3], [135e3], [50e3, 70e3], [60e3, 20e3]], ids=str)
@pytest.mark.parametrize("draws", [-40e3, 15e3, 25e3, 40e3, 50e3])
@pytest.mark.parametrize("least", [0.9, 0.95])
def test_a_power_factor_of_hundredths_rests_inside_of_the_band(
    least: float, draws: float, suns: list[float], step: float
) -> None:
    """With 120 kW of PV the step from 1 to 0.99 is 17 kvar, more than the 7.5 kvar that were held for not worth another
    factor: it went to and fro each few seconds, without end, and half of the time the site drew more than it may."""
    band = of_factor(least, abs(LOAD - sum(suns)))
    seen, writes = held(Reactive(meter_power_factor=least), suns, draws, step)
    assert writes <= 3
    assert max(abs(var) for var in seen) <= 1.02 * band


def test_an_inverter_that_shows_no_reactive_power_any_more_is_not_called_stuck() -> None:
    """It gave nothing, was named, and its register of q went away (a firmware, a model that fails at night): for ever
    after the others gave its part, and it was named with what it had shown last."""
    one = ReactiveSeen(load_site(DEMO).named("pv"), "pf_set")
    for second in range(0, 120, 2):
        one.tells(30e3, float(second))
        one.hear(reading({"p": 90e3, "q": 0.0}), float(second))
    assert one.stuck(120.0) == 0.0
    one.hear(reading({"p": 90e3}), 121.0)
    assert one.stuck(200.0) is None
    assert one.complaint(200.0) == ""


def reading(values: dict[str, Value]) -> Telemetry:
    return Telemetry(at=datetime.now(UTC), epoch="0" * 16, seq=1, values=values)
