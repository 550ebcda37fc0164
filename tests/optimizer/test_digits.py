"""A plan says no more digits than mean something, and is right by the second check with those it says."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.outlooks import outlook, wild

LONG = re.compile(r"\d\.\d{7,}")
MIXED = np.random.default_rng(5).random(96)


@pytest.mark.parametrize("spread", [0.0, 7e3], ids=["the load is known", "it is not"])
def test_no_number_has_digits_that_mean_nothing(spread: float) -> None:
    given_: dict[str, Any] = {
        "load": 50e3 + 20e3 * MIXED,
        "pv": 30e3 * MIXED[::-1],
        "buy": 0.2 + MIXED / 7,
        "spread": spread,
    }
    look = outlook(soc=100 / 3, demand=15.0, billed=40e3 + 1 / 3, **given_)
    made = plan(look, {"grid": 1 / 3})
    text = made.model_dump_json()
    assert LONG.findall(text) == []
    assert not [step for step in made.steps if round(step.power, 1) != step.power or round(step.load, 1) != step.load]
    assert Plan.model_validate_json(text) == made
    assert verify(made, look) == []


@settings(max_examples=25, deadline=None)
@given(wild())
def test_what_is_said_passes_the_second_check(look: Outlook) -> None:
    assert verify(Plan.model_validate_json(plan(look).model_dump_json()), look) == []
