"""What is said of a power is why that power is told, whatever the plan's step says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optimizer.dispatch import decide
from optimizer.running_step import RunningStep
from schemas.messages import Step, Why
from schemas.why import WAYS, WhyCode, way
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS, planned

OF_THE_PLAN = {
    1: ("covers_load", "covers the load; 0.20 EUR/kWh now"),
    -1: ("charges_for_price", "charges; 0.20 EUR/kWh now, 0.30 EUR/kWh at 18:00"),
    0: ("keeps_for_later", "holds 50 % for later; 0.20 EUR/kWh now"),
}
SAYS = {"covers": 1, "sells": 1, "charges": -1, "stores": -1, "buys": -1, "rests": 0}
"""The first word of a reason that says which way the battery goes."""


def of(power: float, load: float = 40e3, pv: float = 0.0, **change: Any) -> Step:
    """A step of a plan with the reason of its power."""
    code, words = OF_THE_PLAN[way(power)]
    whys = [Why(code=code, price=0.2, value=0.3)]
    return planned(power, load, pv, **change).steps[0].model_copy(update={"why": whys, "reason": words})


STORIES: dict[str, tuple[Step, float, dict[str, Any], str, str]] = {
    "the plan covers, and PV does": (of(40e3), -1e3, {}, "nothing_to_cover", "rests: PV covers the load"),
    "the plan stores PV, and none is left": (
        of(-40e3, 0.0, pv=40e3),
        5e3,
        {},
        "nothing_to_store",
        "rests: no PV is left to store",
    ),
    "the plan charges, and the battery is full": (
        of(-40e3),
        5e3,
        {"soc": 90.0},
        "rests_full",
        "limited by the SoC of 90.0 %; else charges; 0.20 EUR/kWh now, 0.30 EUR/kWh at 18:00",
    ),
    "too little to be told": (of(40e3), 300.0, {"last": 0.0}, "stays", "so small a change is not told; else covers"),
}


@pytest.mark.parametrize(("step", "net", "change", "code", "words"), STORIES.values(), ids=STORIES)
def test_the_reason_is_that_of_the_power_told_now(
    step: Step, net: float, change: dict[str, Any], code: str, words: str
) -> None:
    got = decide(RATINGS, replace(MOMENT, net=net, **change), AUTO, billing=QUIET, step=step)
    assert got.power == 0.0
    assert got.whys[0].code == code
    assert got.reason.startswith(words)


def ran_so_far(step: Step, net: float, gave: float) -> RunningStep:
    """280 s of it, in W."""
    hours = 280 / 3600
    at = MOMENT.now - timedelta(seconds=1)
    return RunningStep(at, net, gave, net, net, step.at, 0.0, 280.0, net * hours, gave * hours)


POLICIES = st.lists(
    st.tuples(st.floats(-2e5, 2e5), st.floats(-1e5, 1e5)), min_size=2, max_size=5, unique_by=lambda pair: pair[0]
).map(sorted)


@settings(max_examples=80)
@given(
    power=st.floats(-1e5, 1e5),
    policy=st.just([]) | POLICIES,
    load_pv=st.tuples(st.floats(0, 2e5), st.floats(0, 2e5)),
    net=st.floats(-2e5, 2e5),
    last=st.sampled_from([0.0, 400.0, -400.0]) | st.floats(-9e4, 9e4),
    soc=st.sampled_from([5.0, 10.0, 50.0, 90.0, 96.0]),
    peak=st.none() | st.floats(0, 2e5),
    worth=st.floats(-0.1, 0.5),
    ran=st.none() | st.tuples(st.floats(-2e5, 2e5), st.floats(-9e4, 9e4)),
)
@example(40e3, [], (40e3, 0.0), -1e3, 0.0, 50.0, None, 0.15, None)
def test_the_sign_of_a_power_and_its_words_agree(  # noqa: PLR0917
    power: float,
    policy: list[tuple[float, float]],
    load_pv: tuple[float, float],
    net: float,
    last: float,
    soc: float,
    peak: float | None,
    worth: float,
    ran: tuple[float, float] | None,
) -> None:
    step = of(power, *load_pv, policy=policy, marginal_value=worth)
    running = None if ran is None else ran_so_far(step, *ran)
    moment = replace(MOMENT, net=net, last=last, soc=soc, running=running)
    got = decide(RATINGS, moment, AUTO, billing=QUIET, step=step, peak=peak)
    assert got.whys
    assert WAYS.get(got.whys[0].code, way(got.power)) == way(got.power), got
    first = SAYS.get(got.reason.replace(":", " ").replace(";", " ").split()[0])
    assert first in (None, way(got.power)), got
    if got.whys[0].code == WhyCode.STAYS:
        assert got.power == pytest.approx(last, abs=0.1)
