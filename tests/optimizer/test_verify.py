"""The second code path finds what a broken planner could do."""

import math
from datetime import timedelta
from typing import Any

import pytest

from optimizer.plan import plan
from optimizer.verify import verify
from schemas.messages import Plan, Step
from tests.optimizer.outlooks import grid, outlook, prices_by_hour

LOOK = outlook(6, buy=prices_by_hour(hours=6), demand=15.0, billed=120e3, grid=grid(import_limit=120e3))
GOOD = plan(LOOK)
LAST = len(GOOD.steps) - 1


def changed(index: int, **values: Any) -> Plan:
    steps = list(GOOD.steps)
    steps[index] = steps[index].model_copy(update=values)
    return GOOD.model_copy(update={"steps": steps})


def with_powers(powers: list[float]) -> Plan:
    """A plan whose every number follows from other powers, as a wrong objective would make it."""
    soc, steps = LOOK.soc, []
    for step, power in zip(GOOD.steps, powers, strict=True):
        cells = power / 0.95 if power > 0 else power * 0.95
        soc -= cells / 4 / LOOK.battery.energy * 100
        steps.append(step.model_copy(update={"power": power, "soc": soc, "grid": step.load - step.pv - power}))
    return GOOD.model_copy(update={"steps": steps})


def first(**values: Any) -> Plan:
    return changed(0, **values)


STEP: Step = GOOD.steps[0]

BROKEN: dict[str, tuple[Plan, str]] = {
    "a step is missing": (GOOD.model_copy(update={"steps": GOOD.steps[1:]}), "steps where"),
    "the steps are shifted": (first(at=STEP.at + timedelta(minutes=15)), "should be at"),
    "it ends before it begins": (GOOD.model_copy(update={"until": GOOD.at}), "ends before it begins"),
    "not a number": (first(power=math.nan), "not every number is finite"),
    "the SoC jumps": (first(soc=STEP.soc + 1), "does not follow"),
    "power out of nothing": (first(grid=STEP.grid - 5e3), "is not the load"),
    "another load": (first(load=STEP.load + 1e3, grid=STEP.grid + 1e3), "the load is"),
    "another price": (first(price_import=0.01), "the import price is"),
    "more than the PCS can": (with_powers([110e3] + [0.0] * LAST), "more than the PCS can"),
    "too deep": (with_powers([100e3] * 5 + [0.0] * (LAST - 4)), "is below 10 %"),
    "too full": (with_powers([-70e3] * 12 + [0.0] * (LAST - 11)), "is above 90 %"),
    "beyond the import limit": (with_powers([-90e3] + [0.0] * LAST), "drives the import"),
    "a wrong cost": (GOOD.model_copy(update={"cost": GOOD.cost - 1}), "it costs"),
    "a wrong cost of idling": (GOOD.model_copy(update={"cost_idle": GOOD.cost_idle + 1}), "idling costs"),
    "a wrong cost of its peaks": (GOOD.model_copy(update={"peak_cost": 1e3}), "its peaks cost"),
    "a wrong peak": (GOOD.model_copy(update={"peak": 1e3}), "the peak is"),
    "dearer than idling": (with_powers([50e3, -50e3] * (len(GOOD.steps) // 2)), "dearer than idling"),
}


def test_a_good_plan_passes() -> None:
    assert verify(GOOD, LOOK) == []


@pytest.mark.parametrize(("broken", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plan_is_found(broken: Plan, words: str) -> None:
    wrong = verify(broken, LOOK)
    assert any(words in sentence for sentence in wrong), wrong
